"""Accuracy, coverage and KID of each release, at each price in privacy."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from benchmarks.guarantee.releases import cases
from benchmarks.guarantee.study import Study


def show_front(arguments: argparse.Namespace, kept: dict[str, Any]) -> None:
    """Measure what is not kept yet; a line for each release."""
    study = Study(arguments)
    print(f"{'release':44} accuracy      coverage  KID")
    for name, make in cases(study, arguments):
        rows = kept.setdefault(name, [])
        try:
            for seed in range(len(rows), arguments.seeds):
                rows.append(study.judge(make, seed))
        except ValueError as error:  # no cell is kept
            print(f"{name:44} {str(error).split(';')[0][:60]}", flush=True)
            continue
        finally:
            arguments.out.write_text(json.dumps(kept, indent=1) + "\n")
        mean, deviation = np.mean(rows, axis=0), np.std(rows, axis=0)
        print(
            f"{name:44} {mean[0]:5.1f} ± {deviation[0]:4.1f}  {mean[1]:8.2f}  {mean[2]:5.2f}",
            flush=True,
        )
