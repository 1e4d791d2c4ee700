"""The checkpoints of a training run."""

from __future__ import annotations

import pickle
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from latentwalk.utils._files import replacing

if TYPE_CHECKING:
    from latentwalk.generators._training._state import TrainingState

History = dict[str, list[float]]
MACHINE_OPTIONS = ("n_parts", "precision")


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
