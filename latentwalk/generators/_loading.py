"""load_generator: from a weights file to a handle."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from latentwalk.generators._generator import Generator
from latentwalk.generators._reading._safetensors import read_trained_on
from latentwalk.generators._reading._weights_file import open_weights
from latentwalk.generators._spec import (
    Execution,
    LatentSpace,
    NoiseMode,
    TrainedOn,
    stylegan2_spec,
)


def load_generator(
    path: str | os.PathLike[str],
    *,
    latent_space: LatentSpace = "w",
    device: str | torch.device | None = None,
    precision: str = "auto",
    batch_size: int | str = "auto",
    trained_on: TrainedOn = None,
    noise: NoiseMode = "latent",
    strict: bool = True,
) -> Generator:
    """Open a generator's weights file, without executing anything in it.

    The format is recognised by the content of the file:

    - official pickles (``network-snapshot-*.pkl``) of stylegan2-ada-pytorch, and of the stylegan3
      repository where they hold a StyleGAN2 network; ``G_ema`` is read;
    - checkpoints of rosinality's stylegan2-pytorch, and weights converted to its layout (``.pt``);
    - checkpoints of pSp, e4e and ReStyle, whose decoder is read;
    - state dicts of a StyleGAN2 network under official names, saved by ``torch.save``;
    - safetensors files written by `Generator.save`.

    Pickles are interpreted by a reader that imports nothing and knows only the names that such
    files need; the source text embedded in official files is ignored.

    Parameters
    ----------
    path : path-like
        The file.
    latent_space : {"w", "w+", "z"}, default="w"
        Space of the latents for all estimators that use this handle, see `Generator`.
    device : str or torch.device, default=None
        Where the network runs. None uses CUDA if it is available, else the CPU.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of the network in the steps of inversion and walk, see `Generator`.
    batch_size : int or "auto", default="auto"
        Images at a time. "auto" halves when memory runs out.
    trained_on : {"these patients", "others"} or None, default=None
        Whether the network was trained on the patients that it will be used for. None takes the
        value from the file; only files that latentwalk wrote have one. A guarantee needs "others".
    noise : {"latent", "const"}, default="latent"
        Noise of samples and decoded images: each image's own, which follows from its latent, or the
        constant noise of the network, as the published code decodes.
    strict : bool, default=True
        Refuse a file that names anything unknown. False turns unknown classes into inert stubs,
        which are not executed either. It is needed if the file has a discriminator or an
        augmentation next to ``G_ema`` that is not the published one.

    Returns
    -------
    generator : Generator
        A handle on the file. Its ``save`` writes a safetensors file, which holds numbers and text
        only.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is corrupt, is not a generator, has refused content (the message names it),
        has a network that is not supported, such as StyleGAN3, or is a TorchScript archive, which
        would be executed (the message says how to open one that you trust).

    Examples
    --------
    >>> import latentwalk as lw
    >>> from latentwalk.datasets import dermoscopy_generator_path
    >>> lw.load_generator(dermoscopy_generator_path()).image_shape
    (3, 32, 32)
    """
    execution = Execution(device, precision, batch_size)
    source, network = open_weights(Path(path), strict=strict)
    spec = stylegan2_spec(network.config)
    told = trained_on or read_trained_on(source.path)
    return Generator(source, spec, source.sha256, latent_space, execution, told, noise)
