"""Pickles of the published StyleGAN2 code, of the stylegan2-ada-pytorch and stylegan3 repositories.

Such a file carries its own source text, which the publishers' loader executes. Here the text is
dropped unread. The network is built from the pickled attributes and the shapes of the tensors,
since the defaults of the two repositories differ, and a file records only the arguments that were
passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from math import isclose, prod, sqrt
from types import UnionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentwalk.generators._reading._budget import Budget
from latentwalk.generators._reading._official_names import OFFICIAL, ModuleRecord, as_dict
from latentwalk.generators._reading._refused import RefusedError
from latentwalk.generators._reading._restricted_pickle import PickleMachine, Stub, some_names
from latentwalk.generators._reading._torch_records import TensorRecord, read_tensors
from latentwalk.generators._stylegan2 import SQRT2, StyleGAN2Config

MAX_DEPTH, MAX_MODULES, MAX_TAPS = 8, 10_000, 64
State = dict[str, NDArray[np.float32]]


def read_official(
    content: bytes, budget: Budget, *, strict: bool = True
) -> tuple[StyleGAN2Config, State]:
    """Return configuration and tensors of G_ema in an official pickle.

    Raises
    ------
    RefusedError
        When the file names anything unknown, has no G_ema, or holds another kind of network.
    """
    top = PickleMachine(OFFICIAL, strict=strict, budget=budget).load(BytesIO(content))
    modules = dict(_walk(_find_average(top), budget))
    _check_family(modules)
    tensors = {}
    for path, module in modules.items():
        for name, tensor in module.tensors():
            budget.spend(n_objects=1)  # one module may be in many places
            tensors[f"{path}.{name}"] = tensor
    config = _config(modules, tensors)
    for path, module in modules.items():
        _check_attributes(path, module, tensors.get(f"{path}.weight"), config)
    return config, read_tensors(tensors, len(content))


def _find_average(top: Any) -> ModuleRecord:
    if not isinstance(top, dict):
        raise RefusedError(f"it holds a {type(top).__name__}, not a dict with G_ema")
    found = top.get("G_ema")
    if isinstance(found, ModuleRecord):
        return found
    if isinstance(found, Stub):
        raise RefusedError(f"its G_ema is a {found.name}, which is not a published network")
    raise RefusedError(f"it holds no network under G_ema, but {some_names(top)}")


def _walk(root: ModuleRecord, budget: Budget) -> Iterator[tuple[str, ModuleRecord]]:
    """Yield every module with its path, within bounds: a hostile tree can contain itself."""
    waiting = [("", root)]
    for _ in range(MAX_MODULES):
        if not waiting:
            return
        path, module = waiting.pop()
        yield path, module
        if path.count(".") >= MAX_DEPTH:
            break
        prefix = f"{path}." if path else ""
        budget.spend(n_objects=len(as_dict(module.state.get("_modules"))))
        waiting += [(f"{prefix}{name}", child) for name, child in module.children().items()]
    raise RefusedError("its network is nested without end")


def _check_family(modules: dict[str, ModuleRecord]) -> None:
    if "synthesis.input" in modules or any(p.startswith("synthesis.L0_") for p in modules):
        raise RefusedError(
            "it is a StyleGAN3 network (3-T or 3-R), which is not supported; the StyleGAN2 "
            "networks of the same repository are (its option --cfg=stylegan2)"
        )
    if "mapping" not in modules or "synthesis" not in modules:
        raise RefusedError(f"its G_ema is a {modules[''].class_name}, not a StyleGAN2 generator")


def _config(modules: dict[str, ModuleRecord], tensors: dict[str, TensorRecord]) -> StyleGAN2Config:
    def shape(name: str, axes: int) -> tuple[int, ...]:
        if name not in tensors or len(tensors[name].shape) != axes:
            raise RefusedError(f"its G_ema has no usable tensor {name}")
        return tensors[name].shape

    def attribute(path: str, name: str, types: type | UnionType) -> Any:
        found = modules[path].state.get(name, Stub("missing")) if path in modules else None
        if not isinstance(found, types):
            raise RefusedError(f"its G_ema has {path}.{name} = {_describe(found)}")
        return found

    sizes = _resolutions(modules)
    n_layers = sum(bool(re.fullmatch(r"mapping\.fc\d+", path)) for path in modules)
    conditional = "mapping.embed" in modules
    embedded, c_dim = shape("mapping.embed.weight", 2) if conditional else (0, 0)
    shape("synthesis.b4.resample_filter", 2)
    return StyleGAN2Config(
        channels=tuple(shape(f"synthesis.b{r}.conv1.weight", 4)[0] for r in sizes),
        img_channels=shape(f"synthesis.b{sizes[-1]}.torgb.weight", 4)[0],
        z_dim=shape("mapping.fc0.weight", 2)[1] - embedded,
        w_dim=shape("synthesis.b4.conv1.affine.weight", 2)[1],
        c_dim=c_dim,
        mapping_layers=n_layers,
        mapping_lr=attribute("mapping.fc0", "bias_gain", int | float),
        architecture=attribute("synthesis.b4", "architecture", str),
        conv_clamp=attribute("synthesis.b4.conv1", "conv_clamp", int | float | None),
        use_noise=attribute("synthesis.b4.conv1", "use_noise", bool),
        resample_filter=taps(tensors["synthesis.b4.resample_filter"].numpy()),
    )


def taps(kernel: NDArray[np.float32]) -> tuple[float, ...]:
    """The factor of a separable low-pass kernel of shape (n, n) with sum 1."""
    factor = kernel.sum(1)
    if not kernel.shape[0] == kernel.shape[1] <= MAX_TAPS or not np.allclose(
        np.outer(factor, factor), kernel, atol=1e-6
    ):
        raise RefusedError(f"its resampling filter is not separable, of at most {MAX_TAPS} taps")
    return tuple(float(tap) for tap in factor)


def _resolutions(modules: dict[str, ModuleRecord]) -> list[int]:
    """The blocks' resolutions: 4, 8, 16 and so on, without a gap."""
    found = [re.fullmatch(r"synthesis\.b(\d+)", path) for path in modules]
    sizes = sorted(int(match[1]) for match in found if match)
    if not sizes or sizes != [4 * 2**i for i in range(len(sizes))]:
        raise RefusedError(f"its G_ema has blocks of {sizes} pixels, expected 4, 8, 16 ..")
    return sizes


def _check_attributes(
    path: str, module: ModuleRecord, weight: TensorRecord | None, config: StyleGAN2Config
) -> None:
    """Refuse a network whose arithmetic differs from the built one."""
    fan_in = 1 if weight is None else max(prod(weight.shape[1:]), 1)
    for name, expected in _expected(_role(path), fan_in, config).items():
        found = module.state.get(name, expected)
        if not _same(found, expected):
            raise RefusedError(
                f"its G_ema has {path}.{name} = {_describe(found)}, expected {expected!r}: it "
                "is a variant of StyleGAN2 that is not supported"
            )


def _role(path: str) -> str:
    """The last part of a module's path, without the number of a layer or a block."""
    return re.sub(r"^(fc|b)\d+$", r"\1", path.rpartition(".")[2])


def _expected(role: str, fan_in: int, config: StyleGAN2Config) -> dict[str, Any]:
    """The attributes of a submodule that change its arithmetic."""
    gain = 1 / sqrt(fan_in)
    linear = {"activation": "linear", "weight_gain": gain, "bias_gain": 1.0}
    convolution = {
        "use_noise": config.use_noise,
        "conv_clamp": config.conv_clamp,
        "activation": "lrelu",
        "padding": 1,
        "act_gain": SQRT2,
    }
    roles: dict[str, dict[str, Any]] = {
        "fc": {
            "activation": "lrelu",
            "weight_gain": config.mapping_lr * gain,
            "bias_gain": config.mapping_lr,
        },
        "embed": linear,
        "affine": linear,
        "conv0": convolution | {"up": 2},
        "conv1": convolution | {"up": 1},
        "torgb": {"conv_clamp": config.conv_clamp, "weight_gain": gain},
        "skip": {"activation": "linear", "weight_gain": gain, "up": 2, "conv_clamp": None},
        "b": {"architecture": config.architecture},
    }
    return roles.get(role, {})


def _same(found: Any, expected: Any) -> bool:
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        number = isinstance(found, int | float) and not isinstance(found, bool)
        return number and isclose(found, expected, rel_tol=1e-6)
    return type(found) is type(expected) and bool(found == expected)


def _describe(value: Any) -> str:
    plain = isinstance(value, str | int | float | None)
    return repr(value)[:60] if plain else getattr(value, "name", type(value).__name__)
