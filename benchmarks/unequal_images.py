"""Size and power of the exact test where subjects have unequal numbers of images.

Beside the auditor's way, strata of subjects with about as many images, stands the simple one: as
many images from everybody as the subject with the fewest has, in one draw or in 25 whose p-values
are joined. Subjects are points; their images lie around them. In two of three cases one image each
of five or ten members is in the release, nearly as it is.

    python benchmarks/unequal_images.py --runs 200
"""

from __future__ import annotations

import argparse

import numpy as np
from latentwalk.auditing._draws import lay_draws
from latentwalk.metrics import exact_test, exposure, n_exposed_lower, subject_minima

D, N_SUBJECTS, N_SYNTHETIC, ALPHA = 8, 300, 600, 0.05
DRAWS = (1, 25)
CASES = {
    "5 against 2": (5, 2),
    "2 against 2": (2, 2),
    "1 to 5 in both": ("even", "even"),
    "mostly 1, up to 12": ("few", "few"),
}


def images(rng, n_images):
    """Images and subject codes; "even" is 1 to 5 images a subject, "few" mostly one."""
    if n_images == "few":
        counts = np.minimum(rng.geometric(0.6, N_SUBJECTS), 12)
    elif n_images == "even":
        counts = rng.integers(1, 6, N_SUBJECTS)
    else:
        counts = np.full(N_SUBJECTS, n_images)
    codes = np.repeat(np.arange(N_SUBJECTS), counts)
    centres = rng.normal(size=(N_SUBJECTS, D))
    return centres[codes] + 0.3 * rng.normal(size=(len(codes), D)), codes


def rejections(seed, n_images, n_leaked):
    """Whether the test rejects: in strata, and for each number of draws; is the bound over?"""
    rng = np.random.default_rng([7, seed])
    (X, codes), (X_out, codes_out) = (images(rng, n) for n in n_images)
    release = images(rng, 2)[0][:N_SYNTHETIC]
    leaked = np.searchsorted(codes, np.arange(n_leaked))
    release[:n_leaked] = X[leaked] + 0.02 * rng.normal(size=(n_leaked, D))
    n = min(np.bincount(codes).min(), np.bincount(codes_out).min())
    near, near_out = exposure(X, release), exposure(X_out, release)
    drawn = lay_draws(codes, codes_out, seed)
    values = drawn.align(drawn.smallest(np.concatenate([near, near_out])))
    t, h = values[:N_SUBJECTS], values[N_SUBJECTS:]
    yield exact_test(t, h, strata=drawn.strata).p_value <= ALPHA
    yield n_exposed_lower(t, h, alpha=ALPHA / 2, strata=drawn.strata) > n_leaked
    for draws in DRAWS:
        settings = {"n_images": n, "n_draws": draws}
        members = subject_minima(near, codes, random_state=seed, **settings)
        holdout = subject_minima(near_out, codes_out, random_state=seed + 10**6, **settings)
        yield exact_test(members, holdout).p_value <= ALPHA


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    args = parser.parse_args()
    heads = ["strata", "bound over", *(f"{draws} draws" for draws in DRAWS)]
    print(f"{'images of a subject':20s}{'leaked':>8s}" + "".join(f"{head:>12s}" for head in heads))
    for name, n_images in CASES.items():
        for n_leaked in (0, 5, 10):
            found = [list(rejections(run, n_images, n_leaked)) for run in range(args.runs)]
            shares = "".join(f"{share:12.3f}" for share in np.mean(found, axis=0))
            print(f"{name:20s}{n_leaked:8d}{shares}", flush=True)


if __name__ == "__main__":
    main()
