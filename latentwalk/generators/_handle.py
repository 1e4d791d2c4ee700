"""The handle of a frozen network: identity, settings, pickling. It does not make images."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

import torch

from latentwalk.generators._reading._weights_file import open_weights
from latentwalk.generators._sources import Source, load_network
from latentwalk.generators._spec import (
    NOISE_MODES,
    TRAINED_ON,
    Execution,
    GeneratorSpec,
    ImageShape,
    LatentSpace,
    NoiseMode,
    TrainedOn,
)
from latentwalk.utils import resolve_device, resolve_precision

KEPT: Any = object()  # what `using` was not given stays as it is


class Handle:
    """An immutable reference to a network, equal to others that make the same images of latents.

    The base of `Generator`, which documents the attributes.
    """

    image_shape: ImageShape
    w_dim: int
    z_dim: int
    num_ws: int
    n_classes: int
    output_range: tuple[float, float] | None
    sha256: str
    latent_space: LatentSpace
    n_latent_features: int
    _source: Source
    _spec: GeneratorSpec
    trained_on: TrainedOn
    noise: NoiseMode
    _execution: Execution

    def __init__(
        self,
        source: Source,
        spec: GeneratorSpec,
        sha256: str,
        latent_space: LatentSpace = "w",
        execution: Execution | None = None,
        trained_on: TrainedOn = None,
        noise: NoiseMode = "latent",
    ) -> None:
        if noise not in NOISE_MODES:
            raise ValueError(f"noise={noise!r}; expected one of {list(NOISE_MODES)}")
        if trained_on not in (None, *TRAINED_ON):
            raise ValueError(
                f"trained_on={trained_on!r}; expected one of {list(TRAINED_ON)} or None"
            )
        values = asdict(spec) | {
            "sha256": sha256,
            "latent_space": latent_space,
            "n_latent_features": spec.latent_width(latent_space),
            "_source": source,
            "_spec": spec,
            "_execution": execution or Execution(),
            "trained_on": trained_on,
            "noise": noise,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def using(
        self,
        *,
        latent_space: LatentSpace = KEPT,
        device: str | torch.device | None = KEPT,
        precision: str = KEPT,
        batch_size: int | str = KEPT,
        trained_on: TrainedOn = KEPT,
        noise: NoiseMode = KEPT,
    ) -> Self:
        """Return a handle on the same network with other settings.

        Parameters
        ----------
        latent_space, device, precision, batch_size, trained_on, noise
            See `load_generator`. What is not passed stays as it is.

        Returns
        -------
        generator : Generator
            The handle.
        """
        given: dict[str, Any] = {"device": device, "precision": precision, "batch_size": batch_size}
        changes = {name: value for name, value in given.items() if value is not KEPT}
        space = self.latent_space if latent_space is KEPT else latent_space
        execution = replace(self._execution, **changes)
        told = self.trained_on if trained_on is KEPT else trained_on
        noise = self.noise if noise is KEPT else noise
        return type(self)(self._source, self._spec, self.sha256, space, execution, told, noise)

    @property
    def path(self) -> str | None:
        return getattr(self._source, "path", None)

    @property
    def device(self) -> torch.device:
        return resolve_device(self._execution.device)

    @property
    def precision(self) -> str:
        return resolve_precision(self._execution.precision, self.device)

    @property
    def batch_size(self) -> int | str:
        return self._execution.batch_size

    def module(self, device: str | torch.device | None = None) -> Any:
        """Return the network, frozen and in eval mode; None uses the device of the handle."""
        return load_network(self._source, self.device if device is None else torch.device(device))

    def relocate(self, path: str | os.PathLike[str]) -> Self:
        """Return a handle on the same weights at another place.

        Raises
        ------
        ValueError
            When the file there has other content.
        """
        source, _ = open_weights(Path(path), strict=getattr(self._source, "strict", True))
        if source.sha256 != self.sha256:
            raise ValueError(
                f"{Path(path).name} has SHA-256 {source.sha256}; this generator has {self.sha256}"
            )
        return self._from(source)

    def _from(self, source: Any) -> Self:
        """Return this handle on the weights of another file."""
        return type(self)(source, self._spec, source.sha256, *self._settings())

    def _settings(self) -> tuple[LatentSpace, Execution, TrainedOn, NoiseMode]:
        return self.latent_space, self._execution, self.trained_on, self.noise

    def check(self) -> None:
        """Raise unless the weights can be loaded: the file is there and has the known hash.

        Raises
        ------
        FileNotFoundError
            When the file has moved: use `relocate`.
        ValueError
            When the file has changed.
        """
        self._source.load()

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a Generator does not change; make another one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a Generator does not change; make another one")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._source, self._spec, self.sha256, *self._settings())

    def __sklearn_clone__(self) -> Self:
        return self

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[str, str, str]:
        return self.sha256, self.latent_space, self.noise

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.image_shape))
        classes = f", n_classes={self.n_classes}" if self.n_classes else ""
        space = "" if self.latent_space == "w" else f", latent_space={self.latent_space!r}"
        noise = "" if self.noise == "latent" else f", noise={self.noise!r}"
        name = "" if self.path is None else f"{Path(self.path).name!r}, "
        return (
            f"Generator({name}{shape}, w_dim={self.w_dim}{classes}{space}{noise}, "
            f"sha256={self.sha256[:8]})"
        )
