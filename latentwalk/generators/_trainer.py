"""StyleGAN2Trainer: a generator for those who have none yet."""

from __future__ import annotations

import os
from collections import defaultdict
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from latentwalk.generators._generator import Generator
from latentwalk.generators._stylegan2 import StyleGAN2Config, block_channels
from latentwalk.generators._training._checkpoints import (
    History,
    load_checkpoint,
    save_checkpoint,
)
from latentwalk.generators._training._inputs import (
    check_classes,
    check_held_out,
    check_parts,
    check_size,
)
from latentwalk.generators._training._interrupts import deferred_interrupt
from latentwalk.generators._training._snapshots import Snapshots
from latentwalk.generators._training._state import TrainingOptions, TrainingState
from latentwalk.generators._training._step import train_step
from latentwalk.utils import (
    check_targets,
    progress,
    resolve_device,
    resolve_precision,
    validate_images,
)
from latentwalk.utils._files import check_place

LOG_INTERVAL = 50


class StyleGAN2Trainer(BaseEstimator):
    """Train a StyleGAN2 generator on a small image collection.

    Logistic loss with lazy R1 regularisation, noise drawn anew for each image, an exponential
    moving average of the weights, and adaptive differentiable augmentation for small collections.
    Class-conditional where `y` is given.

    Parameters
    ----------
    max_iter : int, default=10000
        Training steps, of `batch_size` real images each.
    batch_size : int, default=32
        Images a step.
    gradient_accumulation : int, default=1
        Parts that a batch is worked on in, one after the other, where the whole does not fit into
        memory. The result is that of the whole batch, up to float rounding.
    latent_dim : int, default=512
        Width of z and w.
    channel_base : int, default=16384
        Width of the block at resolution r is ``min(channel_base / r, channel_max)``.
    channel_max : int, default=512
        The largest width.
    mapping_layers : int, default=2
        Layers from z to w.
    learning_rate : float, default=0.0025
        Of Adam, for both networks.
    r1_gamma : float or "auto", default="auto"
        Weight of the R1 penalty; "auto" is ``0.0002 * resolution**2 / batch_size``.
    ema_images : float, default=10000
        Half-life of the weight average, in images.
    ada_target : float or None, default=0.6
        Augment what the discriminator sees with the probability at which the mean sign of its
        output on real images is this; None never augments.
    ada_images : float, default=500000
        Images over which that probability can move from 0 to 1; less for short runs.
    mirror : bool, default=False
        Also train on left-right mirrored images: only where a mirrored image is a possible one.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of the convolutions; "auto" is "bfloat16" on CPUs with instructions for it, else "float32".
        Without such instructions "bfloat16" is many times slower (``benchmarks/synthesis.py``).
    checkpoint : path-like, default=None
        A file that the run is saved to every `checkpoint_interval` steps and at an interrupt, and
        resumed from, exactly, when it exists. It holds tensors alone and is read as such.
    checkpoint_interval : int, default=500
        Steps between two saves, sample sheets, and looks at memorisation and fidelity.
    features : str, transformer, torch.nn.Module or callable, default=None
        What samples and training images are compared by at every interval, see
        `latentwalk.features.resolve_features`; None compares none. With "inception" it is the FID.
    sample_sheets : path-like, default=None
        A folder that gets a PNG of samples at every interval, from the same latents each time.
    device : str or torch.device, default=None
        None is "cuda" where there is one.
    random_state : int, RandomState instance or None, default=None
        Initial weights, batches, latents and augmentation.
    verbose : bool, default=False
        Show progress.

    Attributes
    ----------
    generator_ : Generator
        The averaged network; ``generator_.save(path)`` keeps it.
    history_ : dict of ndarray
        ``step``, ``loss_generator``, ``loss_discriminator``, ``real_sign`` (mean sign of the
        discriminator on real images: near 1 it overfits), ``r1`` and ``augment_p``, means over 50
        steps. At every ``snapshot_step``, from as many samples as there are images, up to 5,000:
        with `X_val` ``memorisation_p``, the exact p-value that samples come nearer to the training
        subjects than to those of `X_val`; with `features` ``frechet_distance`` and
        ``kernel_distance`` to the training images, lower is better. The second is unbiased for
        small sets. NaN stands for what was not looked at.
    n_iter_ : int
        Steps done.
    n_features_in_ : int
        Pixels and channels of an image.

    Notes
    -----
    A generator can copy its training images, more so the longer it trains on a small set: give
    calibration images as `X_val`, stop before ``memorisation_p`` falls, and audit its samples with
    `PrivacyAuditor` before building on it. The distances to the training images are lowest for a
    generator that copies them: they say nothing of privacy.

    References
    ----------
    T. Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020;
    T. Karras et al., "Training generative adversarial networks with limited data", NeurIPS 2020;
    S. Zhao et al., "Differentiable augmentation for data-efficient GAN training", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk import StyleGAN2Trainer
    >>> X = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    >>> trainer = StyleGAN2Trainer(
    ...     max_iter=2, batch_size=4, latent_dim=8, channel_max=8, random_state=0
    ... )
    >>> trainer.fit(X).generator_.image_shape
    (1, 8, 8)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "gradient_accumulation": [Interval(Integral, 1, None, closed="left")],
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        "channel_base": [Interval(Integral, 1, None, closed="left")],
        "channel_max": [Interval(Integral, 1, None, closed="left")],
        "mapping_layers": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "r1_gamma": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "ema_images": [Interval(Real, 0, None, closed="left")],
        "ada_target": [Interval(Real, -1, 1, closed="neither"), None],
        "ada_images": [Interval(Real, 0, None, closed="neither")],
        "mirror": ["boolean"],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "checkpoint": [str, os.PathLike, None],
        "checkpoint_interval": [Interval(Integral, 1, None, closed="left")],
        "features": "no_validation",
        "sample_sheets": [str, os.PathLike, None],
        "device": [str, torch.device, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        max_iter: int = 10000,
        batch_size: int = 32,
        gradient_accumulation: int = 1,
        latent_dim: int = 512,
        channel_base: int = 16384,
        channel_max: int = 512,
        mapping_layers: int = 2,
        learning_rate: float = 0.0025,
        r1_gamma: float | str = "auto",
        ema_images: float = 10000,
        ada_target: float | None = 0.6,
        ada_images: float = 500_000,
        mirror: bool = False,
        precision: str = "auto",
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_interval: int = 500,
        features: Any = None,
        sample_sheets: str | os.PathLike[str] | None = None,
        device: str | torch.device | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.gradient_accumulation = gradient_accumulation
        self.latent_dim = latent_dim
        self.channel_base = channel_base
        self.channel_max = channel_max
        self.mapping_layers = mapping_layers
        self.learning_rate = learning_rate
        self.r1_gamma = r1_gamma
        self.ema_images = ema_images
        self.ada_target = ada_target
        self.ada_images = ada_images
        self.mirror = mirror
        self.precision = precision
        self.checkpoint = checkpoint
        self.checkpoint_interval = checkpoint_interval
        self.features = features
        self.sample_sheets = sample_sheets
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        groups_val: ArrayLike | None = None,
    ) -> Self:
        """Train on images X, class-conditional on y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_channels, size, size)
            uint8 or float in [0, 1]; size is a power of two, at least 8. Bytes that are not in
            memory are read batch by batch: `latentwalk.datasets.ImageFiles`, a uint8 ``np.memmap``
            or an HDF5 dataset.
        y : array-like of int of shape (n_samples,), default=None
            Classes 0..n_classes-1, each with two images or more.
        groups : array-like of shape (n_samples,), default=None
            Subject ids, for the test against `X_val`; None makes every image its own subject.
        X_val : array-like of shape (n_val, n_channels, size, size), default=None
            Calibration images: nothing is trained on them. They show whether the generator copies.
        groups_val : array-like of shape (n_val,), default=None
            Their subject ids.

        Returns
        -------
        self : StyleGAN2Trainer
            The fitted trainer.

        Raises
        ------
        ValueError
            For images or labels that it cannot train on, a checkpoint of another configuration, or
            a file of `X` that cannot be read.
        OSError
            When the checkpoint cannot be written; the one before it stays whole.
        KeyboardInterrupt
            At an interrupt, after the step is finished and the checkpoint saved.
        """
        images = validate_images(self, X, lazy=True)
        size = check_size(images)
        labels, n_classes = check_classes(check_targets(y, len(images)))
        held_out = check_held_out(images, groups, X_val, groups_val)
        check_parts(self.batch_size, self.gradient_accumulation)
        path = None if self.checkpoint is None else Path(self.checkpoint)
        check_place(path, "checkpoint")
        config = StyleGAN2Config(
            channels=block_channels(size, self.channel_base, self.channel_max),
            img_channels=images.shape[1],
            z_dim=self.latent_dim,
            w_dim=self.latent_dim,
            c_dim=n_classes,
            mapping_layers=self.mapping_layers,
        )
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        device = resolve_device(self.device)
        state = TrainingState(config, self._options(size, device), device, seed)
        history = defaultdict(list, load_checkpoint(path, state))
        snapshots = Snapshots(
            images,
            labels,
            held_out=held_out,
            features=self.features,
            sheets=None if self.sample_sheets is None else Path(self.sample_sheets),
            device=device,
        )
        self._train(state, images, labels, snapshots, history, path)
        self.history_ = {name: np.asarray(values) for name, values in history.items()}
        self.n_iter_ = state.step
        self.generator_ = Generator.from_stylegan2(state.ema.cpu(), trained_on="these patients")
        return self

    def _options(self, size: int, device: torch.device) -> TrainingOptions:
        auto = 0.0002 * size**2 / self.batch_size
        return TrainingOptions(
            batch_size=self.batch_size,
            n_parts=self.gradient_accumulation,
            learning_rate=self.learning_rate,
            r1_gamma=auto if self.r1_gamma == "auto" else float(self.r1_gamma),
            r1_interval=16,
            ema_images=self.ema_images,
            ada_target=self.ada_target,
            ada_images=self.ada_images,
            mirror=self.mirror,
            precision=resolve_precision(self.precision, device),
        )

    def _train(
        self,
        state: TrainingState,
        images: NDArray[Any],
        labels: NDArray[Any] | None,
        snapshots: Snapshots,
        history: History,
        path: Path | None,
    ) -> None:
        """Run the steps that are left; an interrupt saves what was done."""
        codes = None if labels is None else torch.as_tensor(labels, device=state.device)
        recent: History = defaultdict(list)
        steps = range(state.step, self.max_iter)
        with deferred_interrupt() as interrupted:
            for _ in progress(steps, desc="training", verbose=self.verbose):
                for name, value in train_step(state, images, codes).items():
                    recent[name].append(value)
                last = state.step == self.max_iter
                if state.step % LOG_INTERVAL == 0 or last:
                    _log(history, recent, state.step)
                if state.step % self.checkpoint_interval == 0 or last:
                    for name, value in snapshots.look(state.ema, state.step).items():
                        history[name].append(value)
                    save_checkpoint(path, state, history)
                if interrupted():
                    save_checkpoint(path, state, history)
                    raise KeyboardInterrupt


def _log(history: History, recent: History, step: int) -> None:
    """Move the means of the recent steps into the history; the last few may have no R1 step."""
    means = {name: float(np.mean(values)) for name, values in recent.items()}
    for name, value in ({"step": step, "r1": np.nan} | means).items():
        history[name].append(value)
    recent.clear()
