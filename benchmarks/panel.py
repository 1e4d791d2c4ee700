"""The panel against a red team, on releases that leak nothing, and its time.

    python benchmarks/panel.py                                    # all parts, embedded images
    python benchmarks/panel.py --part level --runs 200
    python benchmarks/panel.py --part redteam --data images.npz   # x, and pid and y if there are
    python benchmarks/panel.py --part redteam --data xrays.npz --network sharp.safetensors

redteam: the releases of `red_team.py`: the rate of an ordinary attacker at 1 % false positives, and
what the quick and the full panel say. level: releases that leak nothing: the share of runs that
reject, whose bound on exposed members is over zero, that find a copy, whose controls fire. power:
runs that find noisy copies of 1 % of the members. time: CPU seconds against an audit of the nearest
distances alone, for 1,000 members, 600 held-out and 1,000 synthetic images of 64 pixels.

With --out every row is written as a line of JSON when it is done. The rows that are in the file
already are printed and not computed again: a run that was killed goes on with the same command.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from latentwalk import PrivacyAuditor
from latentwalk.auditing import Panel
from latentwalk.datasets import fetch_dermoscopy
from latentwalk.metrics import Verdict
from scipy.ndimage import gaussian_filter
from scipy.stats import binomtest

import red_team
from common import load_npz, resize

PANELS = ("quick", "full")
PARTS = ("redteam", "level", "power", "time")
Row = dict[str, Any]
Task = tuple[Row, Callable[[], Row]]  # what names a row, and what computes the rest of it
# what an audit was before there were panels: one distance in each space as it is
ONE_DISTANCE = Panel("one distance", (), ("nearest",), ("nearest",), is_closed=True, is_plain=True)


def redteam(arguments: argparse.Namespace) -> Iterator[Task]:
    """A row for each release and panel."""
    fitted: dict[tuple[int, str], PrivacyAuditor] = {}
    for sets, attacked in attacked_releases(arguments):
        if not any(part in attacked.name for part in arguments.only):
            continue
        for panel in arguments.panels:
            name = {"release": attacked.name, "panel": panel}
            yield name, partial(attack, sets, attacked, panel, arguments.features, fitted)


def attack(
    sets: red_team.Sets,
    attacked: red_team.Attacked,
    panel: str,
    features: str,
    fitted: dict[tuple[int, str], PrivacyAuditor],
) -> Row:
    """What a panel finds in a release; auditors of other sets are forgotten."""
    auditor = fitted.get((id(sets), panel)) or sets.auditor(panel, features)
    for key in [key for key in fitted if key[0] != id(sets)]:
        del fitted[key]
    fitted[id(sets), panel] = auditor
    begun = time.process_time()
    report = auditor.audit(attacked.release)
    rate = report.n_copies / attacked.n_copies if attacked.n_copies else report.tpr.value
    found = report.verdict in (Verdict.LEAK, Verdict.SIGNAL)
    return {
        "named attacker": attacked.attacker,
        "its rate": attacked.rate,
        "verdict": str(report.verdict),
        "exposed": report.n_exposed_lower,
        "copies": report.n_copies,
        "rate": rate,
        "rate low": report.tpr.low,
        "AUC": report.auc.value,
        "p": report.p_value,
        "found by": report.headline.title,
        "reached": bool(found and rate >= attacked.rate / 2),
        "seconds": time.process_time() - begun,
    }


def attacked_releases(
    arguments: argparse.Namespace,
) -> Iterator[tuple[red_team.Sets, red_team.Attacked]]:
    """The releases of the red team, those of one auditor in a row."""
    if arguments.network is not None:
        yield from red_team.walks(
            arguments.data, arguments.network, arguments.cache, arguments.max_iter
        )
        return
    sets = red_team.sets_of(arguments.data, arguments.most)
    averaged = red_team.averaged(sets, arguments.k, arguments.components, arguments.width)
    for releases in (red_team.disguised(sets), averaged):
        yield from ((sets, attacked) for attacked in releases)
    yield from red_team.subject_means()


def normal(rng: np.random.Generator, n: int, d: int = 12) -> np.ndarray:
    return rng.normal(size=(n, d))


def modes(rng: np.random.Generator, n: int) -> np.ndarray:
    """Five modes of a population."""
    centres = np.random.default_rng(0).normal(size=(5, 12))
    return centres[rng.integers(5, size=n)] + 0.3 * rng.normal(size=(n, 12))


def clusters(rng: np.random.Generator, n: int) -> np.ndarray:
    """Eight clusters far from each other."""
    centres = 5 * np.random.default_rng(1).normal(size=(8, 10))
    return centres[rng.integers(8, size=n)] + rng.normal(size=(n, 10))


def textures(rng: np.random.Generator, n: int) -> np.ndarray:
    """Images of 12 pixels in which neighbouring pixels are alike."""
    smooth = gaussian_filter(rng.normal(size=(n, 1, 12, 12)), (0, 0, 1, 1))
    return np.clip(128 + 160 * smooth, 0, 255).astype(np.uint8)


Sample = Callable[[np.random.Generator, int], np.ndarray]
# of real people, of the release, and the number of subjects
LEAK_FREE: dict[str, tuple[Sample, Sample, int]] = {
    "perfect": (normal, normal, 150),
    "shrunk": (normal, lambda rng, n: 0.5 * normal(rng, n), 150),
    "few modes": (normal, modes, 150),
    "clustered": (clusters, clusters, 150),
    "ties": (*[lambda rng, n: rng.poisson(2, size=(n, 14)).astype(float)] * 2, 150),
    "heavy tails": (*[lambda rng, n: rng.standard_t(2, size=(n, 8))] * 2, 150),
    "unequal images": (normal, normal, 100),
    "50 subjects": (normal, normal, 50),
    "images": (textures, textures, 100),
    "more images": (textures, textures, 280),
}


def leak_free(kind: str, run: int) -> tuple[dict[str, Any], np.ndarray]:
    """Arguments of `fit`, and a release. Every second run has a reference."""
    people, release, n = LEAK_FREE[kind]
    rng = np.random.default_rng([list(LEAK_FREE).index(kind), run])
    names = ("X", "X_holdout") if run % 2 else ("X", "X_holdout", "X_reference")
    sets: dict[str, Any] = {}
    for place, name in enumerate(names):
        codes = np.arange(n)
        if kind == "unequal images":
            codes = codes.repeat(rng.integers(1, 6, n))
        rows = people(rng, n)[codes]
        sets[name] = rows if len(codes) == n else rows + 0.4 * rng.normal(size=rows.shape)
        sets[name.replace("X", "groups")] = place * n + codes
    return sets, release(rng, n)


def level(arguments: argparse.Namespace) -> Iterator[Task]:
    """A row for each kind of release that leaks nothing, and each panel."""
    for panel in arguments.panels:
        for kind in arguments.kinds or LEAK_FREE:
            name = {"kind": kind, "panel": panel, "runs": arguments.runs}
            yield name, partial(false_alarms, kind, panel, arguments.runs)


def false_alarms(kind: str, panel: str, runs: int) -> Row:
    """Shares of runs, and a 95 % interval of the share that rejects."""
    found = []
    for run in range(runs):
        sets, release = leak_free(kind, run)
        auditor = PrivacyAuditor(panel=panel, random_state=run).fit(**sets)
        report = auditor.audit(release)
        fired = any(not control.passed for control in auditor.controls_)
        over = report.n_exposed_lower > 0
        found.append((report.p_value <= 0.05, over, report.n_copies > 0, fired))
    names = ("rejects", "bound over", "copies", "controls fire")
    shares = dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))
    rejects = binomtest(int(np.sum(found, axis=0)[0]), runs).proportion_ci()
    return shares | {"low": float(rejects.low), "high": float(rejects.high)}


def power(arguments: argparse.Namespace) -> Iterator[Task]:
    """A row for each panel: noisy copies of 10 of 1,000 members among 1,000 records."""
    runs = min(arguments.runs, 20)
    for panel in arguments.panels:
        yield {"panel": panel, "runs": runs}, partial(noisy_copies, panel, runs)


def noisy_copies(panel: str, runs: int) -> Row:
    """Shares of runs that find them, and the mean bound on exposed members."""
    found = []
    for run in range(runs):
        rng = np.random.default_rng([9, run])
        members, holdout, release = (normal(rng, 1000, 8) for _ in range(3))
        release[:10] = members[:10] + 0.02 * rng.normal(size=(10, 8))
        auditor = PrivacyAuditor(panel=panel, random_state=run)
        report = auditor.fit(members, X_holdout=holdout).audit(release)
        word = report.verdict in (Verdict.LEAK, Verdict.SIGNAL)
        found.append((word, report.p_value <= 0.05, report.n_exposed_lower))
    names = ("LEAK or SIGNAL", "rejects", "mean bound")
    return dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))


def timed(arguments: argparse.Namespace) -> Iterator[Task]:
    """CPU seconds of fit and audit, and their ratio to those of one distance."""
    images = square(arguments.data, 64)
    rng = np.random.default_rng(0)
    # few data sets have 2,600 images: the same ones, moved and with noise
    tiled = images[np.arange(2600) % len(images)]
    moved = np.roll(tiled, 3, axis=3) + rng.integers(-9, 9, tiled.shape)
    rows = np.where(np.arange(2600)[:, None, None, None] < len(images), tiled, moved)
    sets = np.split(np.clip(rows, 0, 255).astype(np.uint8), (1000, 1600))
    PrivacyAuditor(["pixels", "lpips"]).fit(sets[0][:60], X_holdout=sets[1][:60])  # loads LPIPS
    base = cache(lambda: cpu_seconds(ONE_DISTANCE, sets))
    yield {"panel": ONE_DISTANCE.name}, lambda: timing(base(), base())
    for panel in arguments.panels:
        yield {"panel": panel}, lambda panel=panel: timing(cpu_seconds(panel, sets), base())


def cpu_seconds(panel: str | Panel, sets: list[np.ndarray]) -> tuple[float, float]:
    """CPU seconds of fit and of audit."""
    members, holdout, release = sets
    auditor = PrivacyAuditor(["pixels", "lpips"], panel=panel, random_state=0)
    begun = time.process_time()
    auditor.fit(members, X_holdout=holdout)
    fitted = time.process_time()
    auditor.audit(release)
    return fitted - begun, time.process_time() - fitted


def timing(found: tuple[float, float], base: tuple[float, float]) -> Row:
    return {"fit": found[0], "audit": found[1], "ratio": sum(found) / sum(base)}


def square(data: str | None, size: int) -> np.ndarray:
    if data is not None:
        return load_npz(data, size)[0]
    return resize(fetch_dermoscopy().images, size)


def show(part: str, tasks: Iterator[Task], out: Path | None) -> None:
    """Print rows as they come, and add them to the file; what is there is not computed again."""
    is_first, done = True, {}
    if out is not None and out.exists():
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        done = {json.dumps(row["name"]): row["found"] for row in rows if row["part"] == part}
    for name, compute in tasks:
        key = json.dumps(name)
        found = done[key] if key in done else compute()
        if out is not None and key not in done:
            with out.open("a") as file:
                file.write(json.dumps({"part": part, "name": name, "found": found}) + "\n")
        row = name | found
        widths = {name: max(len(name), 28 if isinstance(v, str) else 8) for name, v in row.items()}
        if is_first:
            print("  ".join(f"{name:{widths[name]}}" for name in row))
        cells = [f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()]
        print(
            "  ".join(f"{c:{w}}" for c, w in zip(cells, widths.values(), strict=True)), flush=True
        )
        is_first = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--panels", choices=PANELS, nargs="+", default=PANELS)
    parser.add_argument("--data", help="npz with x (images), pid (subjects), y (classes)")
    parser.add_argument("--network", help="a sharp network for --data: only its walks")
    parser.add_argument("--cache", help="folder for the inversions of --network")
    parser.add_argument("--max-iter", type=int, default=20, help="of these inversions")
    parser.add_argument("--features", default="auto", help="feature space of the red team")
    parser.add_argument("--most", type=int, default=800, help="images of a set in the red team")
    parser.add_argument("--k", type=int, nargs="+", default=(5, 20), help="of averages and walks")
    parser.add_argument("--components", type=int, default=64, help="of their generator")
    parser.add_argument("--width", type=int, default=32, help="of their attacker's view")
    parser.add_argument("--only", nargs="+", default=[""], help="releases with this in their name")
    parser.add_argument("--runs", type=int, default=200, help="of each leak-free kind")
    parser.add_argument("--kinds", choices=LEAK_FREE, nargs="+", help="only these leak-free kinds")
    parser.add_argument("--out", type=Path, help="a file for the rows, JSON lines")
    arguments = parser.parse_args()
    if arguments.network is not None and arguments.data is None:
        parser.error("--network needs --data, the images that it was trained on")
    parts = {"redteam": redteam, "level": level, "power": power, "time": timed}
    for part in arguments.part:
        show(part, parts[part](arguments), arguments.out)


if __name__ == "__main__":
    main()
