"""The command line: verbs, errors and exit codes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cyclopts import App, CycloptsError

from latentwalk.cli._audit import audit
from latentwalk.cli._demo import demo
from latentwalk.cli._inspect import inspect
from latentwalk.cli._options import CommonOptions
from latentwalk.cli._outcome import ERROR, Outcome
from latentwalk.cli._plan import plan
from latentwalk.cli._record import as_tokens, read_run, write_run
from latentwalk.cli._release import release
from latentwalk.cli._train import train

INTERRUPTED = 130

HELP = """Turn private images into a synthetic set that can be shared, and measure what it still
gives away.

Start with `latentwalk demo`. `latentwalk plan` says how many patients are needed. Then, for a
folder of your own: `latentwalk train`, `latentwalk release`. To judge a synthetic set that others
made: `latentwalk audit`.

Exit codes: 0 no evidence of exposed patients, or a job that is done; 1 a signal, or an audit that
is too small; 2 a leak; 3 an error.
"""


def main(tokens: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    words = list(sys.argv[1:] if tokens is None else tokens)
    try:
        verb, bound, _ = make_app().parse_args(words, exit_on_error=False, print_error=False)
        with warnings_without_code():
            outcome = verb(*bound.args, **bound.kwargs)
        if isinstance(outcome, Outcome) and outcome.folder is not None:
            write_run(outcome.folder, verb.__name__, bound.arguments)
    except (CycloptsError, ValueError, TypeError, OSError, ImportError) as error:
        print(f"latentwalk: {error}", file=sys.stderr)
        return ERROR
    except KeyboardInterrupt:
        print(
            "latentwalk: interrupted; the same command goes on if it has a cache", file=sys.stderr
        )
        return INTERRUPTED
    if not isinstance(outcome, Outcome):  # help and version print by themselves
        return outcome if isinstance(outcome, int) else 0
    common = bound.arguments.get("common") or CommonOptions()
    print(outcome.shown(as_json=common.json))
    return outcome.code


@contextmanager
def warnings_without_code() -> Iterator[None]:
    """Show the text of a warning alone, without the line of code that gave it."""

    def text_of(message: Any, *place: Any, **where: Any) -> str:
        return f"latentwalk: note: {message}\n"

    usual, warnings.formatwarning = warnings.formatwarning, text_of
    try:
        yield
    finally:
        warnings.formatwarning = usual


def make_app() -> App:
    """Return the verbs."""
    app = App(name="latentwalk", help=HELP, version=version("latentwalk"))
    for verb in (demo, plan, train, release, audit, inspect, repeat):
        app.command(verb)
    return app


def repeat(run: Path) -> int:
    """Run a command again, by the run.toml beside its result.

    Give it a new --out by editing the file: a folder that is not empty is never overwritten.

    Parameters
    ----------
    run : Path
        The file.
    """
    return main(as_tokens(read_run(run)))
