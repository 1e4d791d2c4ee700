"""Generator: a network that makes images from latents, held by an immutable handle."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from torch import Tensor, nn

from latentwalk.generators._classes import one_hot
from latentwalk.generators._handle import Handle
from latentwalk.generators._noise import has_noise, noise_of_latents
from latentwalk.generators._reading._safetensors import write_safetensors
from latentwalk.generators._reading._weights_file import open_weights
from latentwalk.generators._sources import (
    HeldByValue,
    check_decoder,
    hash_packed,
    hold_decoder,
    w_moments,
)
from latentwalk.generators._spec import (
    Execution,
    GeneratorSpec,
    LatentSpace,
    TrainedOn,
    stylegan2_spec,
)
from latentwalk.generators._stylegan2 import StyleGAN2
from latentwalk.utils import map_rows, pack_module, to_bytes, to_numpy
from latentwalk.utils._torch import check_made


class Generator(Handle):
    """A frozen generator network: from latents to images in [0, 1].

    `load_generator`, `Generator.from_module` and `StyleGAN2Trainer` make handles; the class is not
    called directly. A handle does not change: `sklearn.base.clone` returns the handle itself, and a
    pickle of a handle on a file holds the file's path and hash (a few hundred bytes). The network
    is loaded when it is first used, once per process and device, and its file is then checked
    against the hash.

    The handle also holds latent space, device, precision and batch size. Inverter, walker and
    decoder take all four from their generator, and `using` returns a handle with other values. Two
    handles are equal if their weights, their latent space and their noise are equal.

    Attributes
    ----------
    image_shape : tuple (n_channels, height, width)
        Shape of its images.
    latent_space : {"w", "w+", "z"}
        Space of its flat latents. "w" is the intermediate space, in which averages are meaningful.
        "w+" has a w for each layer, one after the other. It fits images better, but such latents
        leave the distribution of the generator. "z" is the input space, for networks without a
        mapping.
    n_latent_features : int
        Width of a flat latent.
    latent_moments : tuple (mean, std) of ndarray of shape (n_latent_features,)
        Mean and standard deviation of the latents under the generator, by 10,000 fixed draws. A
        deviation is at least a thousandth of the largest one, so that one can divide by it.
    w_dim, z_dim : int
        Widths of the intermediate and of the input latent space.
    num_ws : int
        Rows of an extended latent in W+.
    n_classes : int
        Number of classes; 0 for an unconditional generator.
    device : torch.device
        Where the network runs. The default is resolved when it is used: CUDA if it is available,
        else the CPU.
    precision : {"float32", "bfloat16"}
        Precision of the network in the steps of an inversion or a walk. "auto", the default, is
        bfloat16 on CPUs with instructions for it. Measured and released images are decoded in
        float32.
    batch_size : int or "auto"
        Images at a time. "auto" halves when memory runs out.
    trained_on : {"these patients", "others"} or None
        Whether the network was trained on the patients that it is used for; None if this is not
        known. latentwalk never guesses it. A guarantee needs "others".
    noise : {"latent", "const"}
        Noise that the layers of a StyleGAN2 network add to samples and decoded images. "latent"
        gives every image noise of its own, which follows from its latent: the same latent always
        has the same image. "const" is the constant noise of the network, the same in all images.
        Steps of an inversion or a walk use the constant noise.
    path : str or None
        The weights file; None for a network held by value.
    sha256 : str
        Hash of the weights.

    Examples
    --------
    >>> import torch
    >>> from latentwalk import Generator
    >>> decoder = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    >>> generator = Generator.from_module(decoder, w_dim=4, image_shape=(1, 8, 8))
    >>> generator.synthesis(torch.zeros(2, 4)).shape
    torch.Size([2, 1, 8, 8])
    >>> generator.using(latent_space="z").latent_space
    'z'
    """

    @classmethod
    def from_stylegan2(
        cls,
        module: StyleGAN2,
        *,
        device: str | torch.device | None = None,
        trained_on: TrainedOn = None,
    ) -> Self:
        """Hold a StyleGAN2 network by value.

        Parameters
        ----------
        module : StyleGAN2
            The network; its values are copied.
        device : str or torch.device, default=None
            See `load_generator`.
        trained_on : {"these patients", "others"} or None, default=None
            See `load_generator`.

        Returns
        -------
        generator : Generator
            The handle.
        """
        packed = pack_module(copy.deepcopy(module).eval())
        source = HeldByValue(packed, hash_packed(packed))
        spec = stylegan2_spec(module.config)
        execution = Execution(device)
        return cls(source, spec, source.sha256, execution=execution, trained_on=trained_on)

    @classmethod
    def from_module(
        cls,
        module: nn.Module,
        w_dim: int,
        image_shape: Sequence[int],
        output_range: tuple[float, float] | None = (-1, 1),
        *,
        latent_space: LatentSpace = "w",
        device: str | torch.device | None = None,
        precision: str = "auto",
        batch_size: int | str = "auto",
        trained_on: TrainedOn = None,
    ) -> Self:
        """Hold any torch decoder by value: a GAN, a VAE or a latent-diffusion decoder.

        Parameters
        ----------
        module : nn.Module
            Called with latents of shape ``(n, w_dim)``, it returns images of shape
            ``(n, *image_shape)``, differentiably. It is copied, put in eval mode and frozen. A
            TorchScript module, as from ``torch.jit.load``, is a program: pass one that you trust.
        w_dim : int
            Width of its latents, which are assumed to be standard normal.
        image_shape : tuple (n_channels, height, width)
            Shape of its images.
        output_range : tuple of 2 floats or None, default=(-1, 1)
            Range of its output, which is clamped to it and scaled to [0, 1]. None leaves the output
            as it is.
        latent_space, device, precision, batch_size, trained_on
            See `load_generator`.

        Returns
        -------
        generator : Generator
            The handle.

        Raises
        ------
        ValueError
            When the module does not turn ``(2, w_dim)`` latents into ``(2, *image_shape)`` images.
        """
        channels, height, width = (int(s) for s in image_shape)
        spec = GeneratorSpec(
            image_shape=(channels, height, width),
            w_dim=int(w_dim),
            z_dim=int(w_dim),
            num_ws=1,
            n_classes=0,
            output_range=None
            if output_range is None
            else (float(output_range[0]), float(output_range[1])),
        )
        source, digest = hold_decoder(module)
        sha256 = hashlib.sha256((digest + json.dumps(asdict(spec))).encode()).hexdigest()
        execution = Execution(device, precision, batch_size)
        generator = cls(source, spec, sha256, latent_space, execution, trained_on)
        check_decoder(generator)
        return generator

    @property
    def latent_moments(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self.latent_space == "z":
            return np.zeros(self.z_dim, np.float32), np.ones(self.z_dim, np.float32)
        mean, std = w_moments(self._source, self._spec)
        repeats = self.num_ws if self.latent_space == "w+" else 1
        return np.tile(mean, repeats), np.tile(np.maximum(std, 1e-3 * std.max()), repeats)

    def mapping(
        self, z: Tensor, y: ArrayLike | None = None, *, truncation_psi: float = 1.0
    ) -> Tensor:
        """Map z to w.

        Parameters
        ----------
        z : Tensor of shape (n, z_dim)
            Standard normal latents.
        y : array-like of int of shape (n,), default=None
            Classes; only for a class-conditional generator.
        truncation_psi : float, default=1.0
            Moves w towards the network's mean latent: 1 keeps w, 0 gives the mean.

        Returns
        -------
        w : Tensor of shape (n, w_dim)
            On the device of z, differentiable.
        """
        network = self.module(z.device)
        w = network.mapping(z, one_hot(y, self.n_classes, len(z), z.device))
        if truncation_psi == 1:
            return w
        return network.mapping.w_avg.lerp(w, truncation_psi)

    def synthesis(self, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """Make images from w.

        Parameters
        ----------
        w : Tensor of shape (n, w_dim) or (n, num_ws, w_dim)
            Intermediate latents.
        noise : Tensor of shape (n, n_values) or None, default=None
            Standard normal noise for all layers of a StyleGAN2 network, one after the other; None
            takes the network's constant noise.

        Returns
        -------
        images : Tensor of shape (n, n_channels, height, width)
            In [0, 1], clamped there; on the device of w, differentiable.
        """
        if w.ndim == 2:
            w = w[:, None].expand(-1, self.num_ws, -1)
        if w.ndim != 3 or w.shape[1:] != (self.num_ws, self.w_dim):
            raise ValueError(
                f"w has shape {tuple(w.shape)}; expected (n, {self.w_dim}) or "
                f"(n, {self.num_ws}, {self.w_dim})"
            )
        network = self.module(w.device)
        images = (network.synthesis(w) if noise is None else network.synthesis(w, noise)).float()
        if self.output_range is None:
            return images
        low, high = self.output_range
        return ((images - low) / (high - low)).clamp(0, 1)

    def render(self, latents: Tensor) -> Tensor:
        """Make images from flat latents, with the noise of samples and releases.

        Parameters
        ----------
        latents : Tensor of shape (n, n_latent_features)
            Latents; those in W+ have their rows concatenated.

        Returns
        -------
        images : Tensor of shape (n, n_channels, height, width)
            In [0, 1]. A latent has the same image in every batch.
        """
        return self._make(latents, own_noise=self.noise == "latent")

    def decode(self, latents: Tensor) -> Tensor:
        """Make images from flat latents of the handle's space, with the network's constant noise.

        Parameters
        ----------
        latents : Tensor of shape (n, n_latent_features)
            Latents; those in W+ have their rows concatenated. The network runs on their device.

        Returns
        -------
        images : Tensor of shape (n, n_channels, height, width)
            In [0, 1]; differentiable.

        Raises
        ------
        TypeError
            For a NumPy array: `decode_latents` and `GANDecoder` take arrays.
        ValueError
            For latents of another width.
        """
        return self._make(latents, own_noise=False)

    def _make(self, latents: Tensor, *, own_noise: bool) -> Tensor:
        if not isinstance(latents, Tensor):
            raise TypeError(
                f"latents is of type {type(latents).__name__}; expected a torch.Tensor: pass "
                "torch.as_tensor(latents), or call latentwalk.generators.decode_latents(generator, "
                "latents), which takes arrays"
            )
        width = self.n_latent_features
        if latents.ndim != 2 or latents.shape[1] != width:
            raise ValueError(
                f"latents have shape {tuple(latents.shape)}; expected (n, {width}) in "
                f"{self.latent_space!r}"
            )
        noise = self._noise_of(latents) if own_noise else None
        if self.latent_space == "z":
            return self.synthesis(self.mapping(latents), noise)
        if self.latent_space == "w+":
            return self.synthesis(latents.reshape(len(latents), self.num_ws, self.w_dim), noise)
        return self.synthesis(latents, noise)

    def _noise_of(self, latents: Tensor) -> Tensor | None:
        network = self.module(latents.device)
        if not has_noise(network):
            return None
        return noise_of_latents(latents, sum(network.synthesis.noise_sizes)).to(latents.device)

    def sample(
        self,
        n_samples: int = 1,
        y: ArrayLike | None = None,
        *,
        random_state: Any = None,
        truncation_psi: float = 1.0,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw images and their latents.

        Parameters
        ----------
        n_samples : int, default=1
            Number of images.
        y : array-like of int of shape (n_samples,), default=None
            Their classes; None draws them evenly if the generator has classes.
        random_state : int, RandomState instance or None, default=None
            Seed of the draw.
        truncation_psi : float, default=1.0
            See `mapping`. In Z only 1 is possible.

        Returns
        -------
        X : ndarray of shape (n_samples, n_channels, height, width)
            Images in [0, 1].
        W : ndarray of shape (n_samples, n_latent_features)
            Their latents, in the handle's space.
        """
        if self.latent_space == "z" and truncation_psi != 1:
            raise ValueError(
                f"truncation_psi={truncation_psi}, but latents in 'z' cannot be truncated: use "
                "generator.using(latent_space='w')"
            )
        rng = check_random_state(random_state)
        if y is None and self.n_classes:
            y = rng.randint(self.n_classes, size=n_samples)
        W = rng.normal(size=(n_samples, self.z_dim)).astype(np.float32)
        if self.latent_space != "z":
            z = torch.as_tensor(W).to(self.device)
            with torch.no_grad():
                W = to_numpy(self.mapping(z, y, truncation_psi=truncation_psi))
        if self.latent_space == "w+":
            W = np.tile(W, self.num_ws)
        return decode_latents(self, W), W

    def save(self, path: str | os.PathLike[str], *, dtype: str = "float32") -> Self:
        """Write a StyleGAN2 network to a safetensors file and return a handle on it.

        Parameters
        ----------
        path : path-like
            The file.
        dtype : {"float32", "float16"}, default="float32"
            Precision of the stored weights; half precision halves the file.

        Returns
        -------
        generator : Generator
            A handle on the file.

        Raises
        ------
        TypeError
            For a network that is not a StyleGAN2. Keep its own code and weights instead.
        """
        network = self.module("cpu")
        if not isinstance(network, StyleGAN2):
            raise TypeError(
                "only StyleGAN2 networks can be saved; keep this module's code and weights as you "
                "made them"
            )
        write_safetensors(network, Path(path), dtype=dtype, trained_on=self.trained_on)
        source, _ = open_weights(Path(path))
        return self._from(source)


def decode_latents(
    generator: Generator,
    W: NDArray[Any],
    *,
    output_dtype: str = "float32",
    out: NDArray[Any] | None = None,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> NDArray[Any]:
    """Make images from latents, in batches.

    Parameters
    ----------
    generator : Generator
        The network. Its device and batch size are used.
    W : ndarray of shape (n_samples, n_latent_features)
        Latents in the generator's space.
    output_dtype : {"float32", "uint8"}, default="float32"
        Floats in [0, 1], or bytes: each batch is rounded at once, so that the floats of all images
        are never in memory together.
    out : ndarray of shape (n_samples, n_channels, height, width), default=None
        Where the images are written, such as a memory map of `output_dtype`. None makes an array.
    n_jobs : int, default=None
        Number of blocks of batches in parallel (`joblib`).
    verbose : bool, default=False
        Show progress.

    Returns
    -------
    X : ndarray of shape (n_samples, n_channels, height, width)
        Images; `out` where it was given.

    Raises
    ------
    ValueError
        When `out` has another shape or dtype, or for another `output_dtype`.
    """
    if output_dtype not in ("float32", "uint8"):
        raise ValueError(f"output_dtype={output_dtype!r}; expected 'float32' or 'uint8'")
    shape = (len(W), *generator.image_shape)
    if out is not None and (out.shape != shape or out.dtype != output_dtype):
        raise ValueError(
            f"out is {out.dtype} of shape {out.shape}; expected {output_dtype}, {shape}"
        )
    return map_rows(
        partial(_decode_batch, generator, output_dtype),
        [W],
        n_jobs=n_jobs,
        batch_size=generator.batch_size,
        device=generator.device,
        desc="decoding",
        verbose=verbose,
        out=out,
    )


@torch.no_grad()
def _decode_batch(generator: Generator, output_dtype: str, W: NDArray[Any]) -> NDArray[Any]:
    latents = torch.tensor(W, dtype=torch.float32, device=generator.device)
    images = to_numpy(check_made(generator.render(latents)))
    return to_bytes(images) if output_dtype == "uint8" else images
