"""The small generator that ships with the package."""

from __future__ import annotations

from pathlib import Path


def dermoscopy_generator_path() -> Path:
    """Return the weights file of a small StyleGAN2 trained on dermoscopy patches.

    A network of 0.75 million parameters for 32x32 RGB patches, trained on the member half of
    ``split_patients(images, groups=groups, random_state=0)`` of `fetch_dermoscopy`, and on nothing
    else, by ``examples/train_dermoscopy_generator.py``. The file ``dermoscopy.md`` beside it holds
    its provenance and the terms of the data.

    Returns
    -------
    path : Path
        For `load_generator`.

    Examples
    --------
    >>> from latentwalk.datasets import dermoscopy_generator_path
    >>> dermoscopy_generator_path().name
    'dermoscopy.safetensors'
    """
    return Path(__file__).parent / "dermoscopy.safetensors"
