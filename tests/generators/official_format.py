"""Weights files in the published formats, written from arrays by the format's description alone."""

from __future__ import annotations

import collections
import contextlib
import json
import pickle
import sys
import types
from math import sqrt
from pathlib import Path

import numpy as np
import torch

REFERENCE = Path(__file__).parent / "reference"
NAMES = ["c1", "clamp", "map8", "orig", "res"]
BUFFERS = ("resample_filter", "noise_const", "w_avg")
SOURCE = "raise RuntimeError('the embedded source was executed')"


def read_reference(name, folder=REFERENCE):
    """Constructor arguments, tensors, and the published code's outputs for them.

    The files hold the resampling filter once; every block and layer has its own copy.
    """
    with np.load(folder / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    state = {k.removeprefix("state/"): v for k, v in arrays.items() if k.startswith("state/")}
    owners = [k.rpartition(".")[0] for k in state if k.endswith(("conv0.weight", "conv1.weight"))]
    owners += [k.rpartition(".")[0] for k in state if k.endswith("skip.weight")]
    owners += [k.removesuffix(".conv1.weight") for k in state if k.endswith("conv1.weight")]
    for owner in owners:
        state[f"{owner}.resample_filter"] = state["synthesis.b4.resample_filter"]
    outputs = {k.removeprefix("ref/"): v for k, v in arrays.items() if k.startswith("ref/")}
    return json.loads(str(arrays["init_kwargs"])), state, outputs


def attributes_of(kwargs):
    """What the published modules hold beside their tensors."""
    synthesis = kwargs.get("synthesis_kwargs", {})
    return {
        "architecture": synthesis.get("architecture", "skip"),
        "conv_clamp": synthesis.get("conv_clamp"),
        "use_noise": synthesis.get("use_noise", True),
        "mapping_lr": 0.01,
    }


def make_state(channels=(8, 8), img_channels=1, seed=0):
    """Tensors of a small unconditional skip network."""
    from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = StyleGAN2(StyleGAN2Config(channels, img_channels, z_dim=5, w_dim=7))
        network.mapping.w_avg.normal_()
    return {k: v.detach().numpy().copy() for k, v in network.state_dict().items()}


DEFAULTS = {"architecture": "skip", "conv_clamp": None, "use_noise": True, "mapping_lr": 0.01}


class Persistent:
    """Pickles as the published code's modules do."""

    def __init__(self, class_name, state, source=SOURCE):
        self.class_name, self.state, self.source = class_name, state, source

    def __reduce__(self):
        meta = {
            "type": "class",
            "version": 6,
            "module_src": self.source,
            "class_name": self.class_name,
            "state": self.state,
        }
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


def _reconstruct_persistent_obj(meta):
    raise RuntimeError("the published loader was called")


class EasyDict(dict):
    pass


@contextlib.contextmanager
def published_modules():
    """The modules whose names the pickles carry, for as long as one is written."""
    persistence, util = types.ModuleType("torch_utils.persistence"), types.ModuleType("dnnlib.util")
    persistence._reconstruct_persistent_obj, util.EasyDict = _reconstruct_persistent_obj, EasyDict
    _reconstruct_persistent_obj.__module__, EasyDict.__module__ = (
        "torch_utils.persistence",
        "dnnlib.util",
    )
    parents = {name: types.ModuleType(name) for name in ("torch_utils", "dnnlib")}
    parents["torch_utils"].persistence, parents["dnnlib"].util = persistence, util
    modules = {**parents, "torch_utils.persistence": persistence, "dnnlib.util": util}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


def dumps(value, protocol=4):
    with published_modules():
        return pickle.dumps(value, protocol)


def attributes(path, fan_in, options):
    """The attributes of a module of the published networks, by its path."""
    clamp, role = options["conv_clamp"], path.rpartition(".")[2]
    gain = 1 / np.sqrt(fan_in)
    common = {"use_noise": options["use_noise"], "conv_clamp": clamp, "padding": 1}
    layer = common | {"activation": "lrelu", "act_gain": np.sqrt(2), "use_fp16": True}
    lr = options["mapping_lr"]
    if role.startswith("fc"):
        return {"activation": "lrelu", "weight_gain": lr * gain, "bias_gain": lr}
    if role in ("embed", "affine"):
        return {"activation": "linear", "weight_gain": gain, "bias_gain": 1}
    if role == "torgb":
        return {"conv_clamp": clamp, "weight_gain": gain}
    if role == "skip":
        more = {"activation": "linear", "act_gain": 1, "padding": 0, "down": 1, "conv_clamp": None}
        return more | {"weight_gain": gain, "up": 2}
    if role in ("conv0", "conv1"):
        return layer | {"up": 2 if role == "conv0" else 1}
    return {"architecture": options["architecture"]} if role.startswith("b") else {}


def persistent(path, tensors, options, source):
    """The module at `path` of a tree of tensors, with everything under it."""
    own, children = {}, {}
    for name, array in tensors.items():
        head, _, rest = name.partition(".")
        if rest:
            children.setdefault(head, {})[rest] = array
        else:
            own[name] = torch.from_numpy(np.array(array))
    weight = own.get("weight")
    fan_in = 1 if weight is None else max(int(np.prod(weight.shape[1:])), 1)
    prefix = f"{path}." if path else ""
    modules = {k: persistent(prefix + k, v, options, source) for k, v in children.items()}
    parameters = {k: torch.nn.Parameter(v) for k, v in own.items() if k not in BUFFERS}
    state = {
        "training": False,
        "_parameters": collections.OrderedDict(parameters),
        "_buffers": {k: v for k, v in own.items() if k in BUFFERS},
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": collections.OrderedDict(),
        "_modules": collections.OrderedDict(modules),
        "_init_args": (),
        "_init_kwargs": EasyDict(img_channels=3),
    }
    name = "Generator" if not path else path.rpartition(".")[2]
    return Persistent(name, state | attributes(path, fan_in, options), source)


def official_tree(tensors, source=SOURCE, **options):
    """The module tree of a network, to be changed before it is pickled."""
    return persistent("", tensors, DEFAULTS | options, source)


def official_pickle(tensors, *, protocol=4, source=SOURCE, **options):
    """An official file: all four networks, G_ema the one that counts."""
    other = official_tree({"mapping.w_avg": np.zeros(3, np.float32)}, source)
    return dumps(
        {
            "training_set_kwargs": EasyDict(class_name="ImageFolderDataset", use_labels=True),
            "G": other,
            "D": other,
            "G_ema": official_tree(tensors, source, **options),
            "augment_pipe": None,
        },
        protocol,
    )


def rosinality_state(tensors):
    """Tensors under rosinality's names, from those under the published ones."""
    out = {}
    blocks = sorted({int(k.split(".")[1][1:]) for k in tensors if k.startswith("synthesis.b")})
    kernel = torch.from_numpy(np.array(tensors["synthesis.b4.resample_filter"])) * 4
    noises = []

    def layer(old, new, rgb=False):
        names = ("weight", "bias", "affine.weight", "affine.bias")
        part = {k: torch.from_numpy(np.array(tensors[f"synthesis.{old}.{k}"])) for k in names}
        scale = 1.0 if rgb else sqrt(np.prod(part["weight"].shape[1:]))
        out[f"{new}.conv.weight"] = (part["weight"] * scale)[None]
        out[f"{new}.conv.modulation.weight"] = part["affine.weight"]
        out[f"{new}.conv.modulation.bias"] = part["affine.bias"]
        if rgb:
            out[f"{new}.bias"] = part["bias"].reshape(1, -1, 1, 1)
            return
        out[f"{new}.activate.bias"] = part["bias"]
        strength = tensors[f"synthesis.{old}.noise_strength"]
        out[f"{new}.noise.weight"] = torch.from_numpy(np.array(strength)).reshape(1)
        noises.append(torch.from_numpy(np.array(tensors[f"synthesis.{old}.noise_const"])))

    out["input.input"] = torch.from_numpy(np.array(tensors["synthesis.b4.const"]))[None]
    layer("b4.conv1", "conv1")
    layer("b4.torgb", "to_rgb1", rgb=True)
    for j, size in enumerate(blocks[1:]):
        layer(f"b{size}.conv0", f"convs.{2 * j}")
        out[f"convs.{2 * j}.conv.blur.kernel"] = kernel
        layer(f"b{size}.conv1", f"convs.{2 * j + 1}")
        layer(f"b{size}.torgb", f"to_rgbs.{j}", rgb=True)
        out[f"to_rgbs.{j}.upsample.kernel"] = kernel
    for k, noise in enumerate(noises):
        out[f"noises.noise_{k}"] = noise[None, None]
    for name, array in tensors.items():
        if name.startswith("mapping.fc"):
            index, kind = name.removeprefix("mapping.fc").split(".")
            out[f"style.{int(index) + 1}.{kind}"] = torch.from_numpy(np.array(array))
    state = collections.OrderedDict(out)
    state._metadata = {"": {"version": 1}}
    return state
