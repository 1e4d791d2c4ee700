"""Generators: the immutable handle, StyleGAN2, its trainer, weights files, and the decoder."""

from latentwalk.generators._decoder import GANDecoder
from latentwalk.generators._generator import Generator, decode_latents
from latentwalk.generators._loading import load_generator
from latentwalk.generators._sizes import NetworkSize
from latentwalk.generators._spec import LatentSpace
from latentwalk.generators._trainer import StyleGAN2Trainer

__all__ = [
    "GANDecoder",
    "Generator",
    "LatentSpace",
    "NetworkSize",
    "StyleGAN2Trainer",
    "decode_latents",
    "load_generator",
]
