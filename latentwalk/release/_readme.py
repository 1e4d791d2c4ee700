"""The text that stands beside the images of a release: for somebody who did not make them."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

from latentwalk.release._gate import MEANINGS

TEXT = """Synthetic images
================

{n} images of {c} x {h} x {w} (channels, height, width), in random order.

{contents}

Origin
------
{origin}

Audit
-----
Verdict: {verdict}
{meaning}
{allowed}
No verdict is a guarantee: an attack that was not run was not measured. manifest.json holds the
figures.

Use
---
Licence: {licence}
Do not try to find out who the patients behind these images were, and conclude nothing about a
patient from them.
"""

FILES = {
    "images": "images/        the images as PNG files",
    "images.npz": "images.npz     the same images as one uint8 array, `images`",
    "labels.csv": "labels.csv     their classes, by the row in images.npz",
    "report.html": "report.html    the audit",
}

# What a step did, for those who do not know it. A step of somebody else is not described.
STEPS = {
    "GANInverter": "real images were projected into the latent space of a generator",
    "KSameAggregator": "each latent was replaced by the mean of a group of {k}",
    "GuidedWalker": "each row got a point of its own on a path between two means",
    "GANDecoder": "the generator made an image from each latent",
}
UNKNOWN_STEP = "a step that is not known here"


def write_readme(folder: Path, manifest: dict[str, Any]) -> None:
    """Write `README.txt` from the manifest and the files in the folder."""
    (folder / "README.txt").write_text(readme(folder, manifest), encoding="utf-8")


def readme(folder: Path, manifest: dict[str, Any]) -> str:
    """Return the text."""
    verdict = manifest["audit"]["verdict"]
    reason = manifest.get("released_despite_the_verdict")
    c, h, w = manifest["image_shape"]
    return TEXT.format(
        n=manifest["n_images"],
        c=c,
        h=h,
        w=w,
        contents=_contents(folder),
        origin=_origin(manifest["pipeline"]),
        verdict=verdict,
        meaning=_wrapped(f"In words: {MEANINGS[verdict]}"),
        allowed=""
        if reason is None
        else _wrapped(f'Released all the same, because: "{reason}"') + "\n",
        licence="none was stated; ask those who gave you these files."
        if manifest["licence"] is None
        else f'"{manifest["licence"]}"',
    )


def _contents(folder: Path) -> str:
    lines = [line for name, line in FILES.items() if (folder / name).exists()]
    return "\n".join([*lines, "manifest.json  what was run, and the figures of the audit"])


def _origin(steps: list[dict[str, Any]] | None) -> str:
    """Say what the pipeline said, and no more."""
    if steps is None:
        return "How these images were made is not known: no pipeline was recorded."
    lines = [f"{number}. {_describe(step)}" for number, step in enumerate(steps, start=1)]
    said = "Those who released the images recorded these steps:"
    return "\n".join([said, *lines, *_networks(steps)])


def _describe(step: dict[str, Any]) -> str:
    description = STEPS.get(step["step"], UNKNOWN_STEP)
    return f"{step['step']}: {description.format(k=_group(step))}."


def _group(step: dict[str, Any]) -> str:
    k, unit = step.get("parameters", {}).get("k"), step.get("k_counts")
    if unit is None:
        return f"at least {k} patients or images (which of them was not recorded)"
    return f"at least {k} {unit}"


def _networks(steps: list[dict[str, Any]]) -> list[str]:
    if not {"GANInverter", "GuidedWalker", "GANDecoder"} & {step["step"] for step in steps}:
        return []
    return ["The networks of these steps may have been trained on the real images, one by one."]


def _wrapped(text: str) -> str:
    return fill(text, 95, break_long_words=False, break_on_hyphens=False)
