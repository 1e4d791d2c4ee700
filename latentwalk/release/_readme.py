"""README.md of a release: a dataset card for somebody who did not make the images."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from latentwalk.auditing import ReleaseFacts
from latentwalk.release._gate import MEANINGS

TEXT = """# {title}

{n} synthetic images of {c} x {h} x {w} (channels, height, width), in random order.{classes}

{contents}

## Intended use

Teaching, testing and developing methods, and training models that are validated on real images
before anybody relies on them.

## Out of scope

Decisions about patients. Conclusions about how often something occurs: classes and numbers are
those of the release, not of a population. Attempts to find out who the patients behind these
images were.

## How the images were made

{origin}

## Audit

Verdict: {verdict}

{meaning}
{allowed}
A verdict is not a guarantee: an attack that was not run was not measured. `manifest.json` has the
figures, `report.html`, where it is there, the whole audit.

## Guarantee

{guarantee}

## What they are good for

{measures}

## Known limits

- Details and rare findings of real images may be missing.
- A class is the class of the real images behind an image; nobody has looked whether it still
  shows.
- The audit describes attackers who hold these images. Together with another release of the same
  patients they may tell more.

## Terms

Licence: {licence}

Contact: {contact}
"""

FILES = {
    "images": "`images/`: the images as PNG files",
    "images.npz": "`images.npz`: the same images as one uint8 array, `images`",
    "labels.csv": "`labels.csv`: their classes, by the row in `images.npz`",
    "report.html": "`report.html`: the audit, for those who decide",
    "croissant.json": "`croissant.json`: a description for machines (Croissant)",
}
MANIFEST = "`manifest.json`: what was run, and the figures of the audit"

# What a step did, for those who do not know it. A step of somebody else is not described.
STEPS = {
    "GANInverter": "real images were projected into the latent space of a generator",
    "KSameAggregator": "each latent was replaced by the mean of a group of {k}",
    "DPKSameAggregator": "noisy means of fixed cells were taken, of cells with {k}",
    "ShellNormalizer": "each mean was moved to where the latents of the generator lie",
    "GuidedWalker": "each row got a point of its own on a path between two means",
    "GANDecoder": "the generator made an image from each latent",
}
UNKNOWN_STEP = "a step that is not known here"
NO_GUARANTEE = "None was stated: averages of patients bound no attacker that was not run."
NOT_MEASURED = "It was not measured, or not recorded, how they compare with real images."

# the names that hubs know, by what is left of a licence's name without punctuation
HUB_LICENCES = {
    re.sub(r"[\W_]", "", name): name
    for name in (
        "cc0-1.0",
        "cc-by-4.0",
        "cc-by-sa-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nd-4.0",
        "mit",
        "apache-2.0",
        "bsd-3-clause",
    )
} | {"cc0": "cc0-1.0"}
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def write_readme(folder: Path, manifest: dict[str, Any], facts: ReleaseFacts) -> None:
    """Write `README.md` from the manifest, the facts, and the files in the folder."""
    text = front_matter(manifest, facts) + readme(folder, manifest, facts)
    (folder / "README.md").write_text(text, encoding="utf-8")


def front_matter(manifest: dict[str, Any], facts: ReleaseFacts) -> str:
    """Return what a hub reads: YAML whose texts are JSON strings, which YAML reads alike."""
    licence = hub_licence(facts.licence)
    size = next((name for most, name in SIZES if manifest["n_images"] < most), "n>1M")
    lines = [
        f"pretty_name: {json.dumps(facts.name or 'Synthetic images')}",
        f"license: {licence}",
        *([f"license_name: {json.dumps(facts.licence)}"] if licence == "other" else []),
        f"size_categories: [{json.dumps(size)}]",
        *(["task_categories: [image-classification]"] if manifest["classes"] else []),
        "tags: [synthetic, medical, latentwalk]",
    ]
    return "\n".join(["---", *lines, "---", "", ""])


def hub_licence(licence: str | None) -> str:
    """Return a hub's name of a licence, "other" for one that it does not know.

    Examples
    --------
    >>> hub_licence("CC BY-NC 4.0"), hub_licence("ask the board"), hub_licence(None)
    ('cc-by-nc-4.0', 'other', 'unknown')
    """
    if licence is None:
        return "unknown"
    return HUB_LICENCES.get(re.sub(r"[\W_]", "", licence).lower(), "other")


def readme(folder: Path, manifest: dict[str, Any], facts: ReleaseFacts) -> str:
    """Return the text."""
    verdict = manifest["audit"]["verdict"]
    reason = manifest.get("released_despite_the_verdict")
    c, h, w = manifest["image_shape"]
    return TEXT.format(
        title=literal(facts.name or "Synthetic images"),
        n=manifest["n_images"],
        c=c,
        h=h,
        w=w,
        classes=_classes(facts),
        contents=_contents(folder),
        origin=_origin(manifest["pipeline"], guaranteed=manifest["guarantee"]["holds"]),
        verdict=verdict,
        meaning=f"In words: {MEANINGS[verdict]}",
        allowed=""
        if reason is None
        else f'\nReleased all the same, because: "{literal(reason)}"\n',
        guarantee=NO_GUARANTEE if facts.statement is None else str(facts.statement),
        measures=_measures(facts),
        licence="none was stated; ask those who gave you these files."
        if facts.licence is None
        else f'"{literal(facts.licence)}"',
        contact="not stated" if facts.contact is None else literal(facts.contact),
    )


def literal(text: str) -> str:
    """Return a text that Markdown shows as it is.

    Examples
    --------
    >>> print(literal("CC0 <b>[x](y)</b>"))
    CC0 \\<b\\>\\[x\\](y)\\</b\\>
    """
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)


def _classes(facts: ReleaseFacts) -> str:
    if not facts.classes:
        return ""
    return f" Classes: {', '.join(f'{literal(name)} ({n})' for name, n in facts.classes.items())}."


def _contents(folder: Path) -> str:
    lines = [line for name, line in FILES.items() if (folder / name).exists()]
    return "\n".join(f"- {line}" for line in (*lines, MANIFEST))


def _origin(steps: list[dict[str, Any]] | None, *, guaranteed: bool) -> str:
    """Say what the pipeline said, and no more."""
    if steps is None:
        return "How these images were made is not known: no pipeline was recorded."
    lines = [f"{number}. {_describe(step)}" for number, step in enumerate(steps, start=1)]
    said = "Those who released the images recorded these steps:"
    return "\n".join([said, "", *lines, *([] if guaranteed else _networks(steps))])


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
    return ["", "The networks of these steps may have been trained on the real images, one by one."]


def _measures(facts: ReleaseFacts) -> str:
    lines = []
    if facts.utility is not None:
        used = facts.utility
        lines.append(
            "- A classifier trained on them reaches a balanced accuracy of "
            f"{used.synthetic:.3g} on real images of other patients; {used.real:.3g} when trained "
            f"on real images, {used.chance:.3g} by chance."
        )
    if facts.fidelity is not None:
        for row in facts.fidelity.rows:
            better = "higher" if row.higher_is_better else "lower"
            beside = "" if row.baseline is None else f", real images {row.baseline:.3g}"
            lines.append(
                f"- {row.name.replace('_', ' ')}: {row.value:.3g}{beside} ({better} is better)"
            )
    return "\n".join(lines) or NOT_MEASURED
