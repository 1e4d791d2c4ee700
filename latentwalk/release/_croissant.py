"""croissant.json: what a release holds, in the vocabulary that data set search engines read."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from latentwalk.auditing import ReleaseFacts

# https://docs.mlcommons.org/croissant/docs/croissant-spec.html, version 1.0
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
DESCRIPTION = (
    "{n} synthetic images of {c} x {h} x {w}, made with latentwalk. Verdict of the audit: "
    "{verdict}. A verdict is not a guarantee."
)
LIMITS = (
    "Details and rare findings of real images may be missing. Not for decisions about patients, "
    "nor for how often something occurs."
)


def write_croissant(folder: Path, manifest: dict[str, Any], facts: ReleaseFacts) -> None:
    """Write `croissant.json` for the files in the folder."""
    text = json.dumps(croissant(folder, manifest, facts), indent=2, ensure_ascii=False)
    (folder / "croissant.json").write_text(text + "\n", encoding="utf-8")


def croissant(folder: Path, manifest: dict[str, Any], facts: ReleaseFacts) -> dict[str, Any]:
    """Return the description as JSON values."""
    c, h, w = manifest["image_shape"]
    known = {"license": facts.licence, "datePublished": facts.date}
    content = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": facts.name or "Synthetic images",
        "description": DESCRIPTION.format(
            n=manifest["n_images"], c=c, h=h, w=w, verdict=manifest["audit"]["verdict"]
        ),
        **{name: value for name, value in known.items() if value is not None},
        "keywords": ["synthetic", "medical images"],
        "rai:dataLimitations": LIMITS,
        "distribution": _distribution(folder),
        "recordSet": _record_sets(folder),
    }
    if facts.contact is not None:
        content["creator"] = {"@type": "sc:Organization", "name": facts.contact}
    return content


def _distribution(folder: Path) -> list[dict[str, Any]]:
    formats = {"images.npz": "application/zip", "labels.csv": "text/csv"}
    files: list[dict[str, Any]] = [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "contentSize": f"{(folder / name).stat().st_size} B",
            "encodingFormat": kind,
            "sha256": sha256((folder / name).read_bytes()).hexdigest(),
        }
        for name, kind in formats.items()
        if (folder / name).exists()
    ]
    if (folder / "images").is_dir():
        files.append(
            {
                "@type": "cr:FileSet",
                "@id": "png",
                "name": "png",
                "encodingFormat": "image/png",
                "includes": "images/**/*.png",
            }
        )
    return files


def _record_sets(folder: Path) -> list[dict[str, Any]]:
    """The table of classes, and the pictures."""
    found = []
    if (folder / "labels.csv").exists():
        columns = {"row": "sc:Integer", "file": "sc:Text", "label": "sc:Text"}
        found.append(
            _record_set(
                "labels",
                [
                    _field("labels", name, kind, {"fileObject": {"@id": "labels.csv"}}, column=name)
                    for name, kind in columns.items()
                ],
            )
        )
    if (folder / "images").is_dir():
        source = {"fileSet": {"@id": "png"}}
        fields = [
            _field("images", "image", "sc:ImageObject", source, fileProperty="content"),
            _field("images", "file", "sc:Text", source, fileProperty="fullpath"),
        ]
        found.append(_record_set("images", fields))
    return found


def _record_set(name: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields}


def _field(
    record_set: str, name: str, kind: str, source: dict[str, Any], **extract: str
) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": f"{record_set}/{name}",
        "dataType": kind,
        "source": source | {"extract": extract},
    }
