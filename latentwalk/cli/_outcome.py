"""What a verb gives back: facts, a text for people, and an exit code for scripts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NO_EVIDENCE, FOUND, LEAK, ERROR = 0, 1, 2, 3
CODES = {"NO EVIDENCE": NO_EVIDENCE, "SIGNAL": FOUND, "UNDERPOWERED": FOUND, "LEAK": LEAK}


@dataclass(frozen=True)
class Outcome:
    """The result of a verb.

    Attributes
    ----------
    text : str
        For people, on standard output.
    facts : dict
        JSON values, in place of the text with ``--json``.
    code : int
        The exit code: 0 for no evidence or a job that is done, 1 for a signal or an underpowered
        audit, 2 for a leak, 3 for an error and an audit whose controls failed.
    folder : Path or None
        Where the result was written; it gets a run.toml.
    """

    text: str
    facts: dict[str, Any] = field(default_factory=dict)
    code: int = NO_EVIDENCE
    folder: Path | None = None

    def shown(self, *, as_json: bool) -> str:
        """Return what goes to standard output."""
        if not as_json:
            return self.text
        return json.dumps(self.facts | {"exit_code": self.code}, indent=2, allow_nan=False)


def code_of(verdict: Any) -> int:
    """Return the exit code of a verdict; no verdict is like an underpowered audit."""
    return FOUND if verdict is None else CODES.get(str(verdict), ERROR)
