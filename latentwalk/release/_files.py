"""The files of a release: images without metadata, labels, and a text that says what they are."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Each small file takes at least one block of the file system.
BLOCK = 4096
MARGIN = 1 << 20

# What a verdict means, for somebody who did not run the audit.
MEANINGS = {
    "LEAK": "more of the real patients are exposed than the releasing party tolerates.",
    "SIGNAL": "some of the real patients are exposed, fewer than the releasing party tolerates.",
    "NO EVIDENCE": "the attacks that were run found no exposed patient; others were not run.",
    "UNDERPOWERED": "too few patients were held out to see a leak of the tolerated size.",
    "INVALID": "a control of the audit failed; its figures say nothing.",
    "no verdict": "no patients were held out, so that the audit describes and does not judge.",
    "not audited": "nobody has measured what these images give away.",
}

README = """Synthetic images
================

{n} images of {c} x {h} x {w} (channels, height, width), made by a generator that was trained on
real medical images. They were drawn from walks in the generator's latent space, and shuffled.

{contents}

Audit
-----
Verdict: {verdict}. In words: {meaning}
{allowed}
No verdict is a guarantee. The generator and the classifiers that guided the walks saw individual
patients, and an attack that was not run was not measured. manifest.json holds the figures.

Use
---
Licence: {licence}
Do not try to find out who the patients behind these images were, and conclude nothing about a
patient from them.
"""


def size_on_disk(X: NDArray[np.uint8]) -> int:
    """Return the bytes that a release of these images may need, at most."""
    return 2 * X.nbytes + 2 * BLOCK * len(X) + MARGIN


def write_images(folder: Path, X: NDArray[np.uint8]) -> list[str]:
    """Write `images.npz` and, for 1 or 3 channels, a PNG file for every image.

    Parameters
    ----------
    folder : Path
        An existing folder.
    X : ndarray of shape (n_samples, n_channels, height, width)
        The images, in the order of their release.

    Returns
    -------
    names : list of str
        The PNG files within `folder`; empty where there are none.
    """
    np.savez_compressed(folder / "images.npz", images=X)
    if X.shape[1] not in (1, 3):
        return []
    (folder / "images").mkdir()
    width = len(str(len(X) - 1))
    names = [f"images/{i:0{width}d}.png" for i in range(len(X))]
    for name, image in zip(names, X, strict=True):
        pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / name)
    return names


def write_labels(folder: Path, y: NDArray[Any], names: list[str]) -> None:
    """Write `labels.csv`: the row in images.npz, the file where there is one, the label."""
    files = names or [""] * len(y)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["row", "file", "label"])
        rows.writerows(zip(range(len(y)), files, y.tolist(), strict=True))


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write `manifest.json` and `README.txt`."""
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
    (folder / "README.txt").write_text(readme(folder, manifest), encoding="utf-8")


def readme(folder: Path, manifest: dict[str, Any]) -> str:
    """Return the text that stands beside the images."""
    verdict = manifest["audit"]["verdict"]
    reason = manifest.get("released_despite_the_verdict")
    c, h, w = manifest["image_shape"]
    return README.format(
        n=manifest["n_images"],
        c=c,
        h=h,
        w=w,
        contents=_contents(folder),
        verdict=verdict,
        meaning=MEANINGS[verdict],
        allowed="" if reason is None else f"It was released all the same, because: {reason}\n",
        licence=manifest["licence"] or "none was stated; ask those who gave you these files.",
    )


def _contents(folder: Path) -> str:
    """A line for each thing in the folder."""
    what = {
        "images": "images/        the images as PNG files",
        "images.npz": "images.npz     the same images as one uint8 array, `images`",
        "labels.csv": "labels.csv     their classes",
        "report.html": "report.html    the audit",
    }
    lines = [line for name, line in what.items() if (folder / name).exists()]
    return "\n".join([*lines, "manifest.json  what was run, and the figures of the audit"])
