"""What the attacks of the audit find in each release, and what its guarantee allows."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from math import inf, sqrt
from typing import Any

import latentwalk as lw
import numpy as np
from benchmarks.guarantee.releases import cases
from benchmarks.guarantee.study import Make, Study
from latentwalk.aggregation import PrivacyLoss
from latentwalk.generators import decode_latents
from scipy.stats import norm
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.random_projection import GaussianRandomProjection

FOUND = ("auc_low", "auc", "tpr", "p")


def show_panel(arguments: argparse.Namespace, kept: dict[str, Any]) -> None:
    """What the attacks find in each release, and what the guarantee allows."""
    study = Study(arguments)
    print(f"{'release':44} bound AUC   least over bound  bound TPR    p <= .05  verdicts")
    for name, make in cases(study, arguments):
        if make is None or name.startswith("private evolution"):
            continue
        rows = kept.setdefault(f"panel: {name}", [])
        for seed in range(len(rows), arguments.seeds):
            rows.append(attack(study, make, seed))
            arguments.out.write_text(json.dumps(kept, indent=1) + "\n")
        loss = PrivacyLoss(stated(name), 0.01)
        most = norm.cdf(loss.mu / sqrt(2))  # AUC of the best attack on mu-GDP
        low, auc, tpr, p = (np.array([row[key] for row in rows]) for key in FOUND)
        print(
            f"{name:44} {most:5.3f} {auc.mean():.3f} {low.max():.3f} {(low > most).sum():9}"
            f"  {loss.tpr_bound:5.3f} {tpr.mean():5.3f}  {(p <= 0.05).sum():8}"
            f"  {dict(Counter(row['verdict'] for row in rows))}",
            flush=True,
        )


def attack(study: Study, make: Make, seed: int) -> dict[str, float | str]:
    """What the panel finds of half of the patients in a release, with the others held out."""
    ids = np.unique(study.patients.groups)
    drawn = np.random.RandomState(seed).permutation(ids)[: len(ids) // 2]
    inside = np.isin(study.patients.groups, drawn)
    W, _ = make(study.patients.where(inside), seed)
    short = make_pipeline(study.space, GaussianRandomProjection(1024, random_state=0))
    spaces = {"pixels": "pixels", "lpips": FrozenEstimator(short.fit(study.images[:2]))}
    auditor = lw.PrivacyAuditor(spaces, random_state=seed)
    auditor.fit(
        study.images[inside],
        X_holdout=study.images[~inside],
        groups=study.patients.groups[inside],
        groups_holdout=study.patients.groups[~inside],
    )
    report = auditor.audit(decode_latents(study.generator, W))
    values = (report.auc.low, report.auc.value, report.tpr.value, report.p_value)
    return dict(zip(FOUND, values, strict=True)) | {"verdict": str(report.verdict)}


def stated(name: str) -> float:
    """The mu of a row of the table; infinity where nothing is promised."""
    found = re.search(r"mu=([\d.]+)", name)
    return float(found.group(1)) if found else inf
