"""run.toml: what was called, so that it can be called again."""

from __future__ import annotations

import tomllib
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tomli_w

NAME = "run.toml"
RENAMED = {"settings": "set"}


def write_run(folder: Path, verb: str, options: dict[str, Any]) -> None:
    """Write the options of a verb beside its result; groups of options are spread out.

    Paths are written in full, so the file is as private as the folders that it names.
    """
    options = {RENAMED.get(name, name): value for name, value in _spread(options).items()}
    values = {name: _plain(v) for name, v in options.items() if v not in (None, (), False)}
    content = {"verb": verb, "latentwalk": version("latentwalk"), "options": values}
    (folder / NAME).write_bytes(tomli_w.dumps(content).encode())


def read_run(path: Path) -> dict[str, Any]:
    """Return what `write_run` wrote.

    Raises
    ------
    ValueError
        When the file is another one.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name} is not a TOML file: {error}") from error
    if not isinstance(content.get("options"), dict) or not isinstance(content.get("verb"), str):
        raise ValueError(f"{path.name} was not written by latentwalk: it has no verb and options")
    return content


def as_tokens(content: dict[str, Any]) -> list[str]:
    """Return the words of the command line."""
    tokens = [content["verb"]]
    for name, value in content["options"].items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            tokens += [flag] if value else []
        else:
            values = value if isinstance(value, list) else [value]
            tokens += [f"{flag}={one}" for one in values]
    return tokens


def _spread(options: dict[str, Any]) -> dict[str, Any]:
    spread: dict[str, Any] = {}
    for name, value in options.items():
        if is_dataclass(value):
            spread |= {field.name: getattr(value, field.name) for field in fields(value)}
        else:
            spread[name] = value
    return spread


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.resolve())
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
