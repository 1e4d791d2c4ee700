"""Files that are there whole or not at all, and the checkpoints of a training run."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

if TYPE_CHECKING:
    from latentwalk.generators._training._step import TrainingState

History = dict[str, list[float]]
MACHINE_OPTIONS = ("n_parts", "precision")


@contextmanager
def replacing(path: Path, what: str) -> Iterator[Path]:
    """Give a place to write to, which takes the place of `path` once it is whole.

    Raises
    ------
    OSError
        When it cannot be written, as on a full disk; what was at `path` is as it was.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)
    # torch and safetensors have errors of their own for a disk that is full
    except (OSError, RuntimeError, SafetensorError) as error:
        raise OSError(
            f"{what} {path} could not be written ({error}): what was there before is as it was. "
            "Free space or choose another place"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def check_place(path: Path | None, what: str) -> None:
    """Make the folder of a file that a long run will write, and raise where that cannot be."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"the folder of {what} {path} cannot be made ({error})") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise OSError(f"{what} {path} is not a file that can be written")


def save_checkpoint(path: Path | None, state: TrainingState, history: History) -> None:
    """Write a run's state to a file."""
    if path is None:
        return
    content = {"config": _configuration(state), "state": state.state_dict()}
    with replacing(path, "checkpoint") as partial, partial.open("wb") as file:
        torch.save(content | {"history": dict(history)}, file)


def _configuration(state: TrainingState) -> dict[str, Any]:
    """What decides the result of a run: the network and the options that are not the machine's."""
    options = {k: v for k, v in asdict(state.options).items() if k not in MACHINE_OPTIONS}
    return state.config.to_dict() | options


def load_checkpoint(path: Path | None, state: TrainingState) -> History:
    """Put a run back to where a file has it; returns its history, empty without a file.

    Raises
    ------
    ValueError
        When the file is no checkpoint, or one of another configuration.
    """
    if path is None or not path.exists():
        return {}
    try:
        content = torch.load(path, map_location=state.device, weights_only=True)
        found, history = dict(content["config"]), dict(content["history"])
    except (pickle.UnpicklingError, RuntimeError, KeyError, EOFError, TypeError) as error:
        raise ValueError(f"checkpoint {path} is not a checkpoint of this trainer") from error
    expected = _configuration(state)
    if found != expected:
        other = [k for k in expected if found.get(k) != expected[k]]
        told = ", ".join(f"{k}={found.get(k)} where this fit has {expected[k]}" for k in other)
        raise ValueError(
            f"checkpoint {path} is of another configuration: {told}. Pass another path, delete it, "
            "or set the parameters that it was made with"
        )
    state.load_state_dict(content["state"])
    return history
