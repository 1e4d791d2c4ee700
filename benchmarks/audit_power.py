"""Size, power and coverage of the audit beside common rules, on releases whose leak is known.

A case makes members, held-out records and a release, in which a known number of members lie as
near-copies. For each rule the table has the share of runs in which it cries; for the audit also
the share of runs whose lower bound exceeds the number of members that were leaked, its two
directions by themselves, and the share of runs that its controls call INVALID, where a case has
reference records.

    python benchmarks/audit_power.py --runs 100
    python benchmarks/audit_power.py --runs 40 --cases "biased split" "selected (hole)"
    python benchmarks/audit_power.py --runs 100 --data images.npz   # real records: x and pid
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from latentwalk import PrivacyAuditor
from latentwalk.metrics import exact_test, exposure, n_exposed_lower, share_test, subject_minima
from latentwalk.neighbors import ExactNeighbors
from scipy.stats import binomtest, mannwhitneyu
from sklearn.decomposition import PCA

N, D, NOISE = 1000, 8, 0.02


class Case(NamedTuple):
    members: np.ndarray
    holdout: np.ndarray
    release: np.ndarray
    n_leaked: int
    images: tuple[int, int] = (1, 1)
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

    return Case(repeat(300, 5), repeat(300, 2), repeat(600, 1), 0, (5, 2))


def selected(rng: np.random.Generator) -> Case:
    case = simulated(rng)
    distances = ExactNeighbors(case.members).kneighbors(case.release)[0][:, 0]
    return case._replace(release=case.release[distances > np.quantile(distances, 0.05)])


def controlled(rng: np.random.Generator, scale: float = 1.0, shift: float = 0.0) -> Case:
    """A release that leaks nothing; held-out records are wider or elsewhere than members."""
    case = simulated(rng)
    reference = rng.normal(size=(N, D))
    return case._replace(holdout=scale * case.holdout + shift, reference=reference)


def real(features: np.ndarray, codes: np.ndarray, leak: float) -> Callable[..., Case]:
    """Members, held-out subjects and a release of third subjects, one image of each."""

    def make(rng: np.random.Generator) -> Case:
        order = rng.permutation(len(codes))
        first = order[np.unique(codes[order], return_index=True)[1]]
        members, holdout, release = np.array_split(features[rng.permutation(first)], 3)
        n_leaked = round(leak * len(members))
        spread = features.std()
        copies = members[:n_leaked] + NOISE * spread * rng.normal(size=members[:n_leaked].shape)
        return Case(members, holdout, np.concatenate([release, copies]), n_leaked)

    return make


def cries(case: Case, rng: np.random.Generator) -> dict[str, float]:
    """Which rules find a leak, at 5 % where they have a level."""
    seed = int(rng.integers(2**31))
    t, h = exposure(case.members, case.release), exposure(case.holdout, case.release)
    q = min(case.images)
    n_draws = 5 if max(case.images) > 1 else 1
    by_subject = [
        subject_minima(
            e, np.arange(len(e)) // images, n_images=q, n_draws=n_draws, random_state=seed
        )
        for e, images in zip((t, h), case.images, strict=True)
    ]
    to_members = ExactNeighbors(case.members)
    s_t, h_t = (to_members.kneighbors(rows)[0][:, 0] for rows in (case.release, case.holdout))
    s_h = ExactNeighbors(case.holdout).kneighbors(case.release)[0][:, 0]
    expected = len(t) / (len(t) + len(h))
    kept = [
        rows[np.arange(len(rows)) % images < q]  # as many images of each subject
        for rows, images in zip((case.members, case.holdout), case.images, strict=True)
    ]
    nearest = ExactNeighbors(np.concatenate(kept)).kneighbors(case.release)[1][:, 0] // q
    is_member = np.arange(sum(map(len, kept)) // q) < len(kept[0]) // q
    # the interval that the common rule takes: synthetic records as independent draws
    share = binomtest(int((s_t < s_h).sum()), len(s_t), expected, alternative="greater").pvalue
    test = exact_test(*by_subject)
    return {
        "audit": test.p_value <= 0.05,
        "near": test.p_near <= 0.05,
        "far": test.p_far <= 0.05,
        "INVALID": is_invalid(case, seed),
        "bound over": n_exposed_lower(*by_subject) > case.n_leaked,
        "share, permuted": share_test(
            nearest, is_member, n_permutations=199, random_state=seed
        ).p_value
        <= 0.05,
        "share, binomial": share <= 0.05,
        "C_T": mannwhitneyu(s_t, h_t, alternative="less").pvalue <= 0.05,
        "mean minimum": s_t.mean() < h_t.mean(),
        "5th percentile": np.quantile(s_t, 0.05) < np.quantile(h_t, 0.05),
    }


def is_invalid(case: Case, seed: int) -> float:
    """Whether a control fails; NaN for a case without reference records."""
    if case.reference is None:
        return float("nan")
    auditor = PrivacyAuditor(random_state=seed)
    auditor.fit(case.members, X_holdout=case.holdout, X_reference=case.reference)
    return any(not control.passed for control in auditor.controls_)


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
        with np.load(data) as file:
            x, pid = file["x"], file["pid"]
        features = PCA(32, random_state=0).fit_transform(x.reshape(len(x), -1) / 255.0)
        codes = np.unique(pid, return_inverse=True)[1]
        for share in (0.0, 0.02, 0.05, 0.1):
            found[f"real, leak {share:.0%}"] = real(features, codes, share)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--data", help="npz with x (images) and pid (subjects)")
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
