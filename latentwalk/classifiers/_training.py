"""The training loop of the guides, and the temperature that calibrates them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import nn
from torch.nn import functional as F

from latentwalk.classifiers._augment import augment
from latentwalk.utils import map_rows, progress, to_numpy, to_tensor

Labelled = tuple[NDArray[Any], NDArray[np.intp]]
Weighted = tuple[NDArray[Any], NDArray[np.intp], NDArray[np.float32]]

WEIGHT_DECAY = 0.01  # of AdamW, its default


@dataclass(frozen=True)
class Schedule:
    """How a guide is trained; the fields are the classifiers' parameters of the same names."""

    max_iter: int
    learning_rate: float
    label_smoothing: float
    augmentation: tuple[str, ...]
    patience: int
    class_weights: NDArray[np.float32]  # (n_classes,)


def n_batches(n_samples: int) -> int:
    """Steps of an epoch: at least 16 of 8 to 64 rows."""
    size = int(np.clip(n_samples // 16, 8, 64))
    # batch normalisation needs two rows
    return max(min(-(-n_samples // size), n_samples // 2), 1)


def predict_logits(
    module: nn.Module, X: NDArray[Any], device: torch.device, n_jobs: int | None = None
) -> NDArray[np.float32]:
    """Return the module's logits, (n_samples, n_classes), in evaluation mode."""
    logits = partial(_logits, module.to(device).eval(), device)
    return map_rows(logits, [X], n_jobs=n_jobs, device=device)


@torch.no_grad()
def _logits(module: nn.Module, device: torch.device, X: NDArray[Any]) -> NDArray[np.float32]:
    return to_numpy(module(to_tensor(X, device)).float())


def train(
    module: nn.Module,
    data: Weighted,
    schedule: Schedule,
    *,
    device: torch.device,
    generator: torch.Generator,
    history: list[dict[str, float]],
    validation: Labelled | None = None,
    verbose: bool | int = False,
) -> None:
    """Train `module` in place with AdamW on a one-cycle schedule.

    Parameters
    ----------
    module : nn.Module
        Gives logits for floats.
    data : tuple (X, codes, weights)
        Checked images or features, class codes, and the weights of the rows in the loss.
    schedule : Schedule
        How it is trained.
    device : torch.device
        Where it runs.
    generator : torch.Generator
        Draws the order of rows and the augmentation, on the CPU.
    history : list of dict
        Gets an entry for each epoch, so an interrupted training keeps its finished epochs.
    validation : tuple (X, codes), default=None
        Chooses the epoch whose weights are kept and ends the training `patience` epochs after it.
    verbose : bool or int, default=False
        Show a progress bar.
    """
    module.to(device)
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=schedule.learning_rate, weight_decay=WEIGHT_DECAY
    )
    n_steps = schedule.max_iter * n_batches(len(data[1]))
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.learning_rate, total_steps=n_steps + 1
    )
    best, best_loss, waited = None, np.inf, 0
    for _ in progress(range(schedule.max_iter), desc="guide", verbose=verbose):
        history.append(_epoch(module, data, schedule, device, generator, optimizer, cycle))
        if validation is None:
            continue
        history[-1] |= validation_figures(module, validation, device)
        waited += 1
        if history[-1]["validation_loss"] < best_loss:
            best_loss, waited = history[-1]["validation_loss"], 0
            best = copy.deepcopy(module.state_dict())
        if waited >= schedule.patience:
            break
    if best is not None:
        module.load_state_dict(best)


def _epoch(
    module: nn.Module,
    data: Weighted,
    schedule: Schedule,
    device: torch.device,
    generator: torch.Generator,
    optimizer: torch.optim.Optimizer,
    cycle: torch.optim.lr_scheduler.LRScheduler,
) -> dict[str, float]:
    """Pass once over the rows in random order; return the mean loss and accuracy on the way."""
    module.train()
    X, codes, row_weights = data
    order = torch.randperm(len(codes), generator=generator).numpy()
    weights = torch.as_tensor(schedule.class_weights, device=device)
    loss_sum, n_right = 0.0, 0
    for rows in np.array_split(order, n_batches(len(codes))):
        x, target = to_tensor(X[rows], device), torch.as_tensor(codes[rows], device=device)
        if schedule.augmentation and x.ndim == 4:
            x = augment(x, schedule.augmentation, generator)
        logits = module(x)
        losses = F.cross_entropy(
            logits, target, weights, reduction="none", label_smoothing=schedule.label_smoothing
        )
        # over rows, not over their weights: rare classes would lose theirs
        loss = (losses * torch.as_tensor(row_weights[rows], device=device)).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        cycle.step()
        loss_sum += loss.item() * len(rows)
        n_right += int((logits.argmax(1) == target).sum())
    return {"loss": loss_sum / len(codes), "accuracy": n_right / len(codes)}


def validation_figures(
    module: nn.Module, validation: Labelled, device: torch.device
) -> dict[str, float]:
    """Return log loss, accuracy and balanced accuracy on held-out rows."""
    logits = torch.as_tensor(predict_logits(module, validation[0], device))
    target = torch.as_tensor(validation[1])
    right = (logits.argmax(1) == target).double()
    recalls = [right[target == int(code)].mean() for code in np.unique(validation[1])]
    return {
        "validation_loss": F.cross_entropy(logits, target).item(),
        "validation_accuracy": right.mean().item(),
        "validation_balanced_accuracy": torch.stack(recalls).mean().item(),
    }


def fit_temperature(logits: NDArray[np.float32], codes: NDArray[np.intp]) -> float:
    """Return the number by which to divide logits for the smallest log loss on held-out rows.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599.
    """
    values, target = torch.as_tensor(logits).double(), torch.as_tensor(codes)

    def log_loss(log_temperature: float) -> float:
        return F.cross_entropy(values / np.exp(log_temperature), target).item()

    return float(np.exp(minimize_scalar(log_loss, bounds=(-3, 3), method="bounded").x))
