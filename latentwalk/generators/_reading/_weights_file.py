"""A generator's weights file: its format, and the network in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib.hashing import Hasher

from latentwalk.generators._reading._budget import Budget
from latentwalk.generators._reading._network import State, build_network, mean_latent
from latentwalk.generators._reading._official import read_official
from latentwalk.generators._reading._refused import RefusedError
from latentwalk.generators._reading._safetensors import read_safetensors
from latentwalk.generators._reading._state_dict import read_state_dict
from latentwalk.generators._reading._torch_records import (
    CHECKPOINT,
    open_archive,
    read_archive,
    read_stream,
)
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config

TORCH_STREAM = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
PICKLE_STARTS = b"\x80(c}]i"
OTHER_KINDS = {
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"\x93NUMPY": "a numpy array",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with `git lfs pull`",
    b"<": "an HTML or XML page: the download returned a page instead of the file",
}
TORCHSCRIPT = (
    "it is a TorchScript archive, which is a program and would be executed; if you trust it, use "
    "Generator.from_module(torch.jit.load(path), w_dim, image_shape)"
)


# The place where each file was opened last in this process, by its hash.
_places: dict[str, str] = {}


@dataclass(frozen=True)
class WeightsFile:
    """A network in a file, known by its hash wherever the file is.

    A handle from a cache, such as that of ``Pipeline(memory=...)``, can name a place that the file
    has left. If the same file was opened elsewhere in this process, it is loaded from there.
    """

    path: str = field(compare=False)
    sha256: str
    strict: bool

    def load(self) -> StyleGAN2:
        path = Path(self.path)
        if not path.exists():
            path = Path(_places.get(self.sha256, path))
        if not path.exists():
            raise FileNotFoundError(
                f"the weights file {path.name} is no longer where it was; "
                "generator.relocate(path) returns a handle on its new place"
            )
        content = path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ValueError(
                f"the weights file {path.name} has changed: SHA-256 {found}, expected {self.sha256}"
            )
        return _parse(content, path.name, self.strict)


def _hash_without_path(hasher: Any, source: WeightsFile) -> None:
    hasher.save((WeightsFile.__qualname__, source.sha256, source.strict))


# joblib hashes what it pickles; the place of a file is in its pickle and changes no result
Hasher.dispatch[WeightsFile] = _hash_without_path


def open_weights(path: Path, *, strict: bool = True) -> tuple[WeightsFile, StyleGAN2]:
    """Return a weights file, known by its hash, and the network in it; nothing is executed."""
    path = path.resolve()
    content = path.read_bytes()
    source = WeightsFile(str(path), hashlib.sha256(content).hexdigest(), strict)
    network = _parse(content, path.name, strict)
    _places[source.sha256] = source.path
    return source, network


def _parse(content: bytes, name: str, strict: bool) -> StyleGAN2:
    """The network in a file's bytes."""
    try:
        config, state = _read(content, strict)
        if "mapping.w_avg" in state:
            return build_network(config, state)
        network = build_network(config, {**state, "mapping.w_avg": np.zeros(config.w_dim, "f4")})
        network.mapping.w_avg.copy_(torch.as_tensor(mean_latent(network)))
        return network
    # a hostile file chooses the numbers of this arithmetic: any error that it raises is a refusal
    except Exception as error:
        what = str(error)[:1000] if isinstance(error, ValueError) else repr(error)[:200]
        raise ValueError(f"{name} was not opened: {what}; nothing in it was executed") from error


def _read(content: bytes, strict: bool) -> tuple[StyleGAN2Config, State]:
    budget = Budget(len(content))
    if content[:4] == b"PK\x03\x04":
        return read_state_dict(_read_zip(content, budget, strict), len(content))
    if content[8:9] == b"{":
        return read_safetensors(content)
    if content.startswith(TORCH_STREAM):
        checkpoint = read_stream(content, CHECKPOINT, strict=strict, budget=budget)
        return read_state_dict(checkpoint, len(content))
    if content[:1] and content[0] in PICKLE_STARTS:
        return read_official(content, budget, strict=strict)
    raise RefusedError(f"it is {_kind(content)}, not a generator's weights")


def _kind(content: bytes) -> str:
    if not content:
        return "empty"
    known = (kind for start, kind in OTHER_KINDS.items() if content.startswith(start))
    return next(known, f"a file of an unknown kind (it starts with {content[:8]!r})")


def _read_zip(content: bytes, budget: Budget, strict: bool) -> Any:
    names = open_archive(content).namelist()
    if any(n.endswith("/constants.pkl") or "/code/" in n for n in names):
        raise RefusedError(TORCHSCRIPT)
    if not any(n.endswith("/data.pkl") for n in names):
        some = ", ".join(sorted(names)[:4])
        raise RefusedError(f"it is a zip archive of {some}, not a generator's weights")
    return read_archive(content, budget, strict=strict)
