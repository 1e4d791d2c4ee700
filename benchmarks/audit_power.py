"""Size, power and coverage of the audit beside common rules, on releases whose leak is known.

A case makes members, held-out records and a release, in which a known number of members lie as
near-copies. For each rule the table has the share of runs in which it cries; for the audit also
the share of runs whose lower bound exceeds the number of members that were leaked, its two
directions by themselves, and the share of runs that its controls call INVALID.

    python benchmarks/audit_power.py --runs 100
    python benchmarks/audit_power.py --runs 40 --cases "biased split" "selected (hole)"
    python benchmarks/audit_power.py --runs 100 --data images.npz   # releases of real images
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from latentwalk import PrivacyAuditor
from latentwalk.auditing import AuditReport
from latentwalk.metrics import share_test
from latentwalk.neighbors import ExactNeighbors
from scipy.stats import binomtest, mannwhitneyu

from real_releases import real_cases

N, D, NOISE = 1000, 8, 0.02


class Case(NamedTuple):
    members: np.ndarray
    holdout: np.ndarray
    release: np.ndarray
    n_leaked: int
    codes: tuple[np.ndarray, np.ndarray] | None = None  # subjects; None: a record each
    reference: np.ndarray | None = None


def simulated(
    rng: np.random.Generator, n_leaked: int = 0, m: int = N, n_synthetic: int = N
) -> Case:
    members, holdout, release = (rng.normal(size=(size, D)) for size in (N, m, n_synthetic))
    release[:n_leaked] = members[:n_leaked] + NOISE * rng.normal(size=(n_leaked, D))
    return Case(members, holdout, release, n_leaked)


def shrunk(rng: np.random.Generator) -> Case:
    case = simulated(rng)
    return case._replace(release=0.5 * case.release)


def underfit(rng: np.random.Generator) -> Case:
    case = simulated(rng)
    centres = rng.normal(size=(20, D))
    return case._replace(release=centres[rng.integers(20, size=N)] + 0.3 * case.release)


def k_means_of(k: int) -> Callable[[np.random.Generator], Case]:
    """Means of k random members: what chance grouping, not k-same's nearest, gives."""

    def make(rng: np.random.Generator) -> Case:
        case = simulated(rng)
        groups = rng.permutation(N)[: N // k * k].reshape(-1, k)
        # each member gives a k-th of one record: the truth is not a number of copies
        return case._replace(release=case.members[groups].mean(axis=1), n_leaked=N)

    return make


def several_images(rng: np.random.Generator) -> Case:
    def repeat(n_subjects: int, n_images: int) -> np.ndarray:
        centres = rng.normal(size=(n_subjects, D)).repeat(n_images, axis=0)
        return centres + 0.3 * rng.normal(size=centres.shape)

    codes = tuple(np.arange(300).repeat(n_images) for n_images in (5, 2))
    return Case(repeat(300, 5), repeat(300, 2), repeat(600, 1), 0, codes)


def selected(rng: np.random.Generator) -> Case:
    case = simulated(rng)
    distances = ExactNeighbors(case.members).kneighbors(case.release)[0][:, 0]
    return case._replace(release=case.release[distances > np.quantile(distances, 0.05)])


def controlled(rng: np.random.Generator, scale: float = 1.0, shift: float = 0.0) -> Case:
    """A release that leaks nothing; held-out records are wider or elsewhere than members."""
    case = simulated(rng)
    reference = rng.normal(size=(N, D))
    return case._replace(holdout=scale * case.holdout + shift, reference=reference)


def cries(case: Case, rng: np.random.Generator) -> dict[str, float]:
    """Which rules find a leak, at 5 % where they have a level."""
    seed = int(rng.integers(2**31))
    codes = case.codes or (np.arange(len(case.members)), np.arange(len(case.holdout)))
    report = audited(case, codes, seed)
    q = min(np.bincount(c).min() for c in codes)
    to_members = ExactNeighbors(case.members)
    s_t, h_t = (to_members.kneighbors(rows)[0][:, 0] for rows in (case.release, case.holdout))
    s_h = ExactNeighbors(case.holdout).kneighbors(case.release)[0][:, 0]
    expected = len(case.members) / (len(case.members) + len(case.holdout))
    nearest, is_member = nearest_subject(case, codes, q)
    # the interval that the common rule takes: synthetic records as independent draws
    share = binomtest(int((s_t < s_h).sum()), len(s_t), expected, alternative="greater").pvalue
    return {
        "audit": report.p_value <= 0.05,
        "near": report.test.p_near <= 0.05,
        "far": report.test.p_far <= 0.05,
        "INVALID": any(not control.passed for control in report.controls),
        "bound over": report.n_exposed_lower > case.n_leaked,
        "share, permuted": share_test(
            nearest, is_member, n_permutations=199, random_state=seed
        ).p_value
        <= 0.05,
        "share, binomial": share <= 0.05,
        "C_T": mannwhitneyu(s_t, h_t, alternative="less").pvalue <= 0.05,
        "mean minimum": s_t.mean() < h_t.mean(),
        "5th percentile": np.quantile(s_t, 0.05) < np.quantile(h_t, 0.05),
    }


def audited(case: Case, codes: tuple[np.ndarray, np.ndarray], seed: int) -> AuditReport:
    """The report of the auditor, with the sham where there are reference records."""
    members, holdout = codes
    auditor = PrivacyAuditor(random_state=seed).fit(
        case.members,
        X_holdout=case.holdout,
        X_reference=case.reference,
        groups=members,
        groups_holdout=holdout + members.max() + 1,
        groups_reference=None
        if case.reference is None
        else np.arange(len(case.reference)) + members.max() + holdout.max() + 2,
    )
    return auditor.audit(case.release)


def nearest_subject(
    case: Case, codes: tuple[np.ndarray, np.ndarray], q: int
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest subject of each synthetic record, q images of each; which ones are members."""
    kept = [np.argsort(c, kind="stable")[first_rows(np.sort(c), q)] for c in codes]
    rows = np.concatenate([case.members[kept[0]], case.holdout[kept[1]]])
    n_members = len(kept[0]) // q
    nearest = ExactNeighbors(rows).kneighbors(case.release)[1][:, 0] // q
    return nearest, np.arange(len(rows) // q) < n_members


def first_rows(ordered: np.ndarray, q: int) -> np.ndarray:
    """Whether a row is among the first q of its subject."""
    starts = np.searchsorted(ordered, ordered)
    return np.arange(len(ordered)) - starts < q


def cases(data: str | None) -> dict[str, Callable[[np.random.Generator], Case]]:
    found: dict[str, Callable[[np.random.Generator], Case]] = {
        "perfect": simulated,
        "m = 250": lambda rng: simulated(rng, m=250),
        "n_syn = 100": lambda rng: simulated(rng, n_synthetic=100),
        "shrunk": shrunk,
        "underfit": underfit,
        "5 against 2 images": several_images,
        "selected (hole)": selected,
        "biased split": lambda rng: controlled(rng, scale=1.2),
    }
    for share in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1):
        found[f"leak {share:.1%}"] = lambda rng, s=share: simulated(rng, round(s * N))
    found["means of 5"] = k_means_of(5)
    found["fair split"] = controlled
    found["biased, 5 % wider"] = lambda rng: controlled(rng, scale=1.05)
    found["biased, shifted"] = lambda rng: controlled(rng, shift=0.1)
    if data:
        found = {
            name: lambda rng, make=make: Case(**make(rng))
            for name, make in real_cases(data).items()
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--data", help="npz with x (images) and pid (subjects): only its cases")
    parser.add_argument("--cases", nargs="+", help="only these")
    arguments = parser.parse_args()
    found = cases(arguments.data)
    unknown = set(arguments.cases or ()) - set(found)
    if unknown:
        parser.error(f"--cases {sorted(unknown)}; expected some of {list(found)}")
    chosen = [name for name in found if not arguments.cases or name in arguments.cases]
    for i, (name, make) in enumerate(found.items()):
        if name not in chosen:
            continue
        rngs = [np.random.default_rng([i, run]) for run in range(arguments.runs)]
        rows = [cries(make(rng), rng) for rng in rngs]
        if name == chosen[0]:
            print(f"{'case':22}" + "".join(f"{rule:>16}" for rule in rows[0]))
        means = [np.mean([row[rule] for row in rows]) for rule in rows[0]]
        print(f"{name:22}" + "".join(f"{mean:16.2f}" for mean in means), flush=True)


if __name__ == "__main__":
    main()
