"""Generator: the immutable handle of a network that makes images."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from torch import Tensor, nn

from latentwalk.generators._cache import latent_moments, load_network
from latentwalk.generators._classes import one_hot
from latentwalk.generators._network import stylegan2_spec
from latentwalk.generators._sources import (
    HeldByValue,
    Source,
    check_decoder,
    hash_packed,
    hold_decoder,
)
from latentwalk.generators._stylegan2 import StyleGAN2
from latentwalk.utils import pack_module, resolve_device, to_numpy

LatentSpace = Literal["w", "w+", "z"]
ImageShape = tuple[int, int, int]


class Generator:
    """A frozen generator network: from latents to images in [0, 1].

    A handle is made by `load_generator`, `Generator.from_module` or `StyleGAN2Trainer`, not by
    calling the class. It does not change: `sklearn.base.clone` returns the handle itself, a pickle
    of a handle on a file holds the file's path and hash (a few hundred bytes), and two handles are
    equal when their weights are. The network is loaded when first used, once per process and
    device, and its file is checked against the hash then.

    Attributes
    ----------
    image_shape : tuple (n_channels, height, width)
        Of the images it makes.
    w_dim, z_dim : int
        Widths of the intermediate and of the input latent space.
    num_ws : int
        Rows of an extended latent in W+.
    n_classes : int
        0 for an unconditional generator.
    path : str or None
        The weights file; None for a network held by value.
    sha256 : str
        Of the weights.

    Examples
    --------
    >>> import torch
    >>> from latentwalk import Generator
    >>> decoder = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.Unflatten(1, (1, 8, 8)))
    >>> generator = Generator.from_module(decoder, w_dim=4, image_shape=(1, 8, 8))
    >>> generator.synthesis(torch.zeros(2, 4)).shape
    torch.Size([2, 1, 8, 8])
    """

    image_shape: ImageShape
    w_dim: int
    z_dim: int
    num_ws: int
    n_classes: int
    sha256: str
    output_range: tuple[float, float] | None
    _source: Source

    def __init__(self, source: Source, spec: dict[str, Any], sha256: str) -> None:
        values = spec | {"sha256": sha256, "_source": source}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_stylegan2(cls, module: StyleGAN2) -> Self:
        """Hold a StyleGAN2 network by value.

        Parameters
        ----------
        module : StyleGAN2
            The network; its values are copied.

        Returns
        -------
        generator : Generator
            The handle.
        """
        packed = pack_module(copy.deepcopy(module).eval())
        return cls(HeldByValue(packed), stylegan2_spec(module.config), hash_packed(packed))

    @classmethod
    def from_module(
        cls,
        module: nn.Module,
        w_dim: int,
        image_shape: Sequence[int],
        output_range: tuple[float, float] | None = (-1, 1),
    ) -> Self:
        """Hold any torch decoder by value: a GAN, a VAE or a latent-diffusion decoder.

        Parameters
        ----------
        module : nn.Module
            Called with latents of shape ``(n, w_dim)``, it returns images of shape
            ``(n, *image_shape)``, differentiably. It is copied, put in eval mode and frozen. A
            TorchScript module, as from ``torch.jit.load``, is a program: pass one that you trust.
        w_dim : int
            Width of its latents, which are taken as standard normal.
        image_shape : tuple (n_channels, height, width)
            Of its images.
        output_range : tuple of 2 floats or None, default=(-1, 1)
            What its output is clamped to and scaled to [0, 1] from. None leaves it as it is.

        Returns
        -------
        generator : Generator
            The handle.

        Raises
        ------
        ValueError
            When the module does not turn ``(2, w_dim)`` latents into ``(2, *image_shape)`` images.
        """
        shape = tuple(int(s) for s in image_shape)
        source, digest = hold_decoder(module)
        spec = {
            "image_shape": shape,
            "w_dim": int(w_dim),
            "z_dim": int(w_dim),
            "num_ws": 1,
            "n_classes": 0,
            "output_range": None
            if output_range is None
            else (float(output_range[0]), float(output_range[1])),
        }
        sha256 = hashlib.sha256((digest + json.dumps(spec)).encode()).hexdigest()
        generator = cls(source, spec, sha256)
        check_decoder(generator)
        return generator

    @property
    def path(self) -> str | None:
        return getattr(self._source, "path", None)

    @property
    def w_mean(self) -> NDArray[np.float32]:
        """Mean of w over the latent distribution, shape (w_dim,)."""
        return latent_moments(self)[0]

    @property
    def w_std(self) -> NDArray[np.float32]:
        """Standard deviation of w over the latent distribution, shape (w_dim,)."""
        return latent_moments(self)[1]

    def module(self, device: str | torch.device | None = None) -> Any:
        """Return the network on `device`, frozen and in eval mode, loading it where needed."""
        return load_network(self, resolve_device(device))

    def mapping(
        self, z: Tensor, y: ArrayLike | None = None, *, truncation_psi: float = 1.0
    ) -> Tensor:
        """Map z to w.

        Parameters
        ----------
        z : Tensor of shape (n, z_dim)
            Standard normal latents.
        y : array-like of int of shape (n,), default=None
            Classes, for a class-conditional generator and only there.
        truncation_psi : float, default=1.0
            Draws w towards the network's mean latent, which 0 gives.

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

    def synthesis(self, w: Tensor) -> Tensor:
        """Make images from w, with the network's constant noise.

        Parameters
        ----------
        w : Tensor of shape (n, w_dim) or (n, num_ws, w_dim)
            Intermediate latents.

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
        images = self.module(w.device).synthesis(w).float()
        if self.output_range is None:
            return images
        low, high = self.output_range
        return ((images - low) / (high - low)).clamp(0, 1)

    def n_latent_features(self, latent_space: LatentSpace = "w") -> int:
        """Return the width of a flat latent in a space."""
        widths = {"w": self.w_dim, "w+": self.num_ws * self.w_dim, "z": self.z_dim}
        if latent_space not in widths:
            raise ValueError(f"latent_space={latent_space!r}; expected one of {list(widths)}")
        if latent_space == "z" and self.n_classes:
            raise ValueError(
                "latent_space='z' does not say the class of a class-conditional generator; use "
                "'w', which holds it"
            )
        return widths[latent_space]

    def decode(self, latents: Tensor, latent_space: LatentSpace = "w") -> Tensor:
        """Make images from flat latents of any space.

        Parameters
        ----------
        latents : Tensor of shape (n, n_latent_features(latent_space))
            In W, W+ (rows concatenated) or Z.
        latent_space : {"w", "w+", "z"}, default="w"
            The space.

        Returns
        -------
        images : Tensor of shape (n, n_channels, height, width)
            In [0, 1]; differentiable.
        """
        width = self.n_latent_features(latent_space)
        if latents.ndim != 2 or latents.shape[1] != width:
            raise ValueError(
                f"latents have shape {tuple(latents.shape)}; expected (n, {width}) in "
                f"{latent_space!r}"
            )
        if latent_space == "z":
            return self.synthesis(self.mapping(latents))
        if latent_space == "w+":
            return self.synthesis(latents.reshape(len(latents), self.num_ws, self.w_dim))
        return self.synthesis(latents)

    def sample(
        self,
        n_samples: int = 1,
        y: ArrayLike | None = None,
        *,
        random_state: Any = None,
        truncation_psi: float = 1.0,
        device: str | torch.device | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw images and their latents.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        y : array-like of int of shape (n_samples,), default=None
            Their classes; None draws them evenly where the generator has classes.
        random_state : int, RandomState instance or None, default=None
            The draw.
        truncation_psi : float, default=1.0
            See `mapping`.
        device : str or torch.device, default=None
            Where to work.

        Returns
        -------
        X : ndarray of shape (n_samples, n_channels, height, width)
            Images in [0, 1].
        W : ndarray of shape (n_samples, w_dim)
            Their latents.
        """
        from latentwalk.generators._decoder import decode_latents

        rng = check_random_state(random_state)
        if y is None and self.n_classes:
            y = rng.randint(self.n_classes, size=n_samples)
        z = torch.as_tensor(rng.normal(size=(n_samples, self.z_dim)).astype(np.float32))
        place = resolve_device(device)
        with torch.no_grad():
            W = to_numpy(self.mapping(z.to(place), y, truncation_psi=truncation_psi))
        return decode_latents(self, W, device=place), W

    def save(self, path: str | os.PathLike[str], *, dtype: str = "float32") -> Generator:
        """Write a StyleGAN2 network to a safetensors file and return a handle on it.

        Parameters
        ----------
        path : path-like
            The file.
        dtype : {"float32", "float16"}, default="float32"
            Of the stored weights; half precision halves the file.

        Returns
        -------
        generator : Generator
            A handle on the file.

        Raises
        ------
        TypeError
            For a network that is not a StyleGAN2: keep its code and weights as you made them.
        """
        from latentwalk.generators._loading import save_stylegan2

        return save_stylegan2(self, path, dtype=dtype)

    def relocate(self, path: str | os.PathLike[str]) -> Generator:
        """Return a handle on the same weights at another place.

        Raises
        ------
        ValueError
            When the file there has other content.
        """
        from latentwalk.generators._loading import load_generator

        found = load_generator(path, strict=getattr(self._source, "strict", True))
        if found.sha256 != self.sha256:
            raise ValueError(
                f"{Path(path).name} has SHA-256 {found.sha256}; this generator has {self.sha256}"
            )
        return found

    def check(self) -> None:
        """Raise unless the weights can be loaded: the file is there and has the known hash.

        Raises
        ------
        FileNotFoundError
            When the file has moved; `relocate` finds it again.
        ValueError
            When the file has changed.
        """
        self._source.load()

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a Generator does not change; make another one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a Generator does not change; make another one")

    def __reduce__(self) -> tuple[Any, ...]:
        state = {k: v for k, v in self.__dict__.items() if k not in ("_source", "sha256")}
        return type(self), (self._source, state, self.sha256)

    def __sklearn_clone__(self) -> Self:
        return self

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Generator) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.image_shape))
        classes = f", n_classes={self.n_classes}" if self.n_classes else ""
        name = "" if self.path is None else f"{Path(self.path).name!r}, "
        return f"Generator({name}{shape}, w_dim={self.w_dim}{classes}, sha256={self.sha256[:8]})"
