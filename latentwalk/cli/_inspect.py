"""latentwalk inspect: what a weights file is, without running anything in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from latentwalk.cli._options import CommonOptions
from latentwalk.cli._outcome import Outcome

COLUMNS, ROWS = 8, 4


def inspect(
    network: Path, *, sheet: Path | None = None, common: CommonOptions | None = None
) -> Outcome:
    """Say what a generator's weights file holds. Nothing in the file is executed.

    Parameters
    ----------
    network : Path
        A StyleGAN2(-ADA) pickle, a checkpoint or a safetensors file.
    sheet : Path
        A PNG file for 32 random samples. Samples can show patients: look for copies.
    """
    from latentwalk.generators import load_generator
    from latentwalk.utils import to_bytes

    common = common or CommonOptions()
    generator = load_generator(network)
    channels, height, width = generator.image_shape
    facts = {
        "image_shape": [channels, height, width],
        "w_dim": generator.w_dim,
        "num_ws": generator.num_ws,
        "n_classes": generator.n_classes,
        "trained_on": generator.trained_on,
        "sha256": generator.sha256,
    }
    if sheet is not None:
        X, _ = generator.sample(ROWS * COLUMNS, random_state=common.seed)
        grid = X.reshape(ROWS, COLUMNS, channels, height, width).transpose(0, 3, 1, 4, 2)
        pixels = to_bytes(grid.reshape(ROWS * height, COLUMNS * width, channels))
        Image.fromarray(np.squeeze(pixels)).save(sheet, format="PNG")
    lines = [f"{name.replace('_', ' '):12} {value}" for name, value in facts.items()]
    return Outcome("\n".join(lines), facts)
