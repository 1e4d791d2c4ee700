"""The `latentwalk` command: a thin layer over the public API, one file a verb.

A verb is a function whose signature is its options and whose docstring is its help. It returns an
`Outcome`: what to print, and the exit code. Beside each result a ``run.toml`` is written, which
`latentwalk repeat` runs again. Verbs import what they need when they run, so that help is there at
once.
"""

from latentwalk.cli._app import main
from latentwalk.cli._demo import ladder_table, run_demo

__all__ = ["ladder_table", "main", "run_demo"]
