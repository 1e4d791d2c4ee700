"""The small generators that ship with the package."""

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


def chest_xray_generator_path() -> Path:
    """Return the weights file of a small StyleGAN2 trained on chest X-rays.

    An unconditional network of 0.76 million parameters for 64x64 grey images, trained on 487 X-rays
    of 341 patients from the public release of NIH ChestX-ray8. For the data of others it is a
    generator that never saw their patients. The file ``chest_xray.md`` beside it holds its
    provenance and the terms of the data.

    Returns
    -------
    path : Path
        For `load_generator`.

    Examples
    --------
    >>> import latentwalk as lw
    >>> from latentwalk.datasets import chest_xray_generator_path
    >>> lw.load_generator(chest_xray_generator_path()).image_shape
    (1, 64, 64)
    """
    return Path(__file__).parent / "chest_xray.safetensors"
