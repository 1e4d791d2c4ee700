"""The transformer for a `features` argument."""

from __future__ import annotations

from typing import Any

from torch import nn

from latentwalk.features._custom import CallableFeatures, ModuleFeatures
from latentwalk.features._efficientnet import EfficientNetFeatures
from latentwalk.features._inception import InceptionFeatures
from latentwalk.features._lpips import LPIPSFeatures
from latentwalk.features._pixels import PixelFeatures

NAMED = {
    "pixels": PixelFeatures,
    "lpips": LPIPSFeatures,
    "inception": InceptionFeatures,
    "efficientnet": EfficientNetFeatures,
}


def resolve_features(spec: Any) -> Any:
    """Return the transformer for a `features` argument.

    Parameters
    ----------
    spec : str, transformer, torch.nn.Module or callable
        "pixels", "lpips", "inception" or "efficientnet" (the last two need an extra of their name);
        anything with `transform`, returned as it is; a module, see `ModuleFeatures`; a function of
        images, see `CallableFeatures`.

    Returns
    -------
    features : transformer
        Takes images and gives rows of features. Call `fit` before `transform`, unless the
        transformer needs none; those of this package do not.

    Raises
    ------
    ValueError
        For an unknown name.
    TypeError
        For anything else.

    Examples
    --------
    >>> from latentwalk.features import resolve_features
    >>> resolve_features("pixels")
    PixelFeatures()
    """
    if isinstance(spec, str):
        if spec not in NAMED:
            raise ValueError(f"features={spec!r}; expected one of {sorted(NAMED)}")
        return NAMED[spec]()
    if isinstance(spec, type):
        raise TypeError(f"features={spec.__name__} is a class; pass an instance of it")
    if isinstance(spec, nn.Module):
        return ModuleFeatures(spec)
    if hasattr(spec, "transform"):
        return spec
    if callable(spec):
        return CallableFeatures(spec)
    raise TypeError(
        f"features is a {type(spec).__name__}; expected one of {sorted(NAMED)}, a transformer, a "
        "torch module or a function of images"
    )
