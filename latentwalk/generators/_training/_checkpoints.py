"""The checkpoints of a training run: its state and what it was made from, with a checksum."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from latentwalk.generators._training._history import History
from latentwalk.generators._training._state import TrainingState
from latentwalk.utils._files import replacing

MACHINE_OPTIONS = ("n_parts", "precision")
MARK = b"latentwalk checkpoint sha256:"
CHUNK = 64


class Origin(NamedTuple):
    """What a run was started from: its seed, and the hash of its images and labels."""

    seed: int
    rows: str


def hash_rows(images: Any, labels: NDArray[Any] | None) -> str:
    """Return the SHA-256 of images and labels, read a part at a time."""
    digest = hashlib.sha256(f"{images.dtype} {tuple(images.shape)}".encode())
    for start in range(0, len(images), CHUNK):
        digest.update(np.ascontiguousarray(images[start : start + CHUNK]).tobytes())
    if labels is not None:
        digest.update(labels.tobytes())
    return digest.hexdigest()


def save_checkpoint(
    path: Path | None, state: TrainingState, origin: Origin, history: History
) -> None:
    """Write a run's state to a file."""
    if path is None:
        return
    content = {"config": _configuration(state), "state": state.state_dict()}
    content |= {"origin": origin._asdict(), "history": history.state_dict()}
    with replacing(path, "checkpoint", private=True) as partial:
        with partial.open("wb") as file:
            torch.save(content, file)
        checksum = hashlib.sha256(partial.read_bytes()).digest()
        with partial.open("ab") as file:
            file.write(MARK + checksum)


def _configuration(state: TrainingState) -> dict[str, Any]:
    """Return what decides the result of a run: network, and options that are not the machine's."""
    options = {k: v for k, v in asdict(state.options).items() if k not in MACHINE_OPTIONS}
    return state.config.to_dict() | options


def load_checkpoint(path: Path, state: TrainingState, origin: Origin, history: History) -> None:
    """Put a run back to where a file has it.

    Raises
    ------
    ValueError
        When the file is damaged or is not a checkpoint, or when it is of another configuration, of
        other images or labels, or of another seed.
    """
    content = read_checkpoint(path, state.device)
    expected = _configuration(state)
    if content["config"] != expected:
        other = {k: content["config"].get(k) for k in expected}
        told = ", ".join(
            f"{k}={other[k]} where this fit has {expected[k]}"
            for k in expected
            if other[k] != expected[k]
        )
        raise ValueError(
            f"checkpoint {path} is of another configuration: {told}. Pass another path, delete it, "
            "or set the parameters that it was made with"
        )
    made = Origin(**content["origin"])
    if made.rows != origin.rows:
        raise ValueError(
            f"checkpoint {path} is of other images or labels than those given to fit: its network "
            "knows them, so a held-out patient may be among them. Pass another path or delete it"
        )
    if made.seed != origin.seed:
        raise ValueError(
            f"checkpoint {path} was made with another random_state. Pass another path, delete it, "
            "or set the random_state that it was made with"
        )
    state.load_state_dict(content["state"])
    history.load_state_dict(content["history"])


def seed_of(path: Path | None) -> int | None:
    """Return the seed of a checkpoint, for a run that does not ask for one."""
    if path is None or not path.exists():
        return None
    return int(read_checkpoint(path, torch.device("cpu"))["origin"]["seed"])


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Return what a checkpoint holds, once its checksum is found right."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OSError(f"checkpoint {path} cannot be read ({error.strerror})") from error
    body, mark, checksum = content.rpartition(MARK)
    if not mark:
        raise ValueError(
            f"checkpoint {path} is not a checkpoint of this trainer, or its end is missing: pass "
            "another path, or delete it to start anew"
        )
    if hashlib.sha256(body).digest() != checksum:
        raise ValueError(
            f"checkpoint {path} is damaged (its checksum is another one): restore it from a copy, "
            "or delete it to start anew"
        )
    try:
        loaded: dict[str, Any] = torch.load(BytesIO(body), map_location=device, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"checkpoint {path} is not a checkpoint of this trainer") from error
    return loaded
