"""Size and power of the exact test where subjects have unequal numbers of images, by draws.

The auditor makes one draw where all have the same number: "2 against 2" is to be read at 1.
Subjects are points; their images lie around them. In half of the cases one image each of five
members is in the release, nearly as it is.

    python benchmarks/unequal_images.py --runs 200
"""

from __future__ import annotations

import argparse

import numpy as np
from latentwalk.metrics import exact_test, exposure, subject_minima

D, N_SUBJECTS, N_SYNTHETIC, ALPHA = 8, 300, 600, 0.05
DRAWS = (1, 5, 25)
CASES = {"5 against 2": (5, 2), "2 against 2": (2, 2), "1 to 5 in both": (None, None)}


def images(rng, n_images):
    """Images and subject codes; None draws 1 to 5 images a subject."""
    counts = rng.integers(1, 6, N_SUBJECTS) if n_images is None else np.full(N_SUBJECTS, n_images)
    codes = np.repeat(np.arange(N_SUBJECTS), counts)
    centres = rng.normal(size=(N_SUBJECTS, D))
    return centres[codes] + 0.3 * rng.normal(size=(len(codes), D)), codes


def rejections(seed, n_images, n_leaked):
    """Whether the test rejects, for each number of draws."""
    rng = np.random.default_rng([7, seed])
    (X, codes), (X_out, codes_out) = (images(rng, n) for n in n_images)
    release = images(rng, 2)[0][:N_SYNTHETIC]
    leaked = np.searchsorted(codes, np.arange(n_leaked))
    release[:n_leaked] = X[leaked] + 0.02 * rng.normal(size=(n_leaked, D))
    n = min(np.bincount(codes).min(), np.bincount(codes_out).min())
    near, near_out = exposure(X, release), exposure(X_out, release)
    for draws in DRAWS:
        settings = {"n_images": n, "n_draws": draws}
        members = subject_minima(near, codes, random_state=seed, **settings)
        holdout = subject_minima(near_out, codes_out, random_state=seed + 10**6, **settings)
        yield exact_test(members, holdout).p_value <= ALPHA


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    args = parser.parse_args()
    print(f"{'images of a subject':20s}{'leaked':>8s}" + "".join(f"{d:>4d} draws" for d in DRAWS))
    for name, n_images in CASES.items():
        for n_leaked in (0, 5):
            found = [list(rejections(run, n_images, n_leaked)) for run in range(args.runs)]
            shares = "".join(f"{share:10.3f}" for share in np.mean(found, axis=0))
            print(f"{name:20s}{n_leaked:8d}{shares}", flush=True)


if __name__ == "__main__":
    main()
