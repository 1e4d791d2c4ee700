"""Features of images: pixels, LPIPS, a pretrained network, or the user's own.

Every transformer here turns images into rows of float32 whose Euclidean distance is the distance of
the images. One nearest-neighbour search and one set of metrics therefore work with all of them.
"""

from latentwalk.features._custom import CallableFeatures, ModuleFeatures
from latentwalk.features._efficientnet import EfficientNetFeatures
from latentwalk.features._inception import InceptionFeatures
from latentwalk.features._lpips import LPIPSFeatures, lpips_distance, lpips_features
from latentwalk.features._maps import AlexNetMaps, EfficientNetMaps, FeatureMaps
from latentwalk.features._pixels import PixelFeatures
from latentwalk.features._resolve import resolve_features

__all__ = [
    "AlexNetMaps",
    "CallableFeatures",
    "EfficientNetFeatures",
    "EfficientNetMaps",
    "FeatureMaps",
    "InceptionFeatures",
    "LPIPSFeatures",
    "ModuleFeatures",
    "PixelFeatures",
    "lpips_distance",
    "lpips_features",
    "resolve_features",
]
