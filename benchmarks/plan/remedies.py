"""Remedies for a walk that is found, as functions of latents; none of them decodes anything."""

from __future__ import annotations

import numpy as np
from latentwalk import KSameAggregator
from latentwalk.aggregation import ShellNormalizer
from latentwalk.walking._paths import lay_paths
from latentwalk.walking._prototypes import find_prototypes
from latentwalk.walking._selection import slot_paths
from scipy.special import logsumexp

N_POINTS = 50
N_COMPONENTS = 16


def to_shell(prototypes, generator):
    """Prototypes put back to the median norm of the generator's own latents, in deviations."""
    return ShellNormalizer(generator).fit_transform(prototypes)


def spread_points(prototypes, labels, generator, k, seed):
    """For each row a draw around its prototype, with the spread of cells of generator samples.

    The cells are those of k-same on as many samples as there are rows: public, whoever they are.
    """
    own = generator.sample(len(labels), random_state=seed)[1]
    cells = KSameAggregator(k=k, random_state=seed).fit(own)
    residuals = own - cells.prototypes_[cells.labels_]
    noise = np.random.RandomState(seed).normal(size=(len(labels), len(residuals)))
    draws = noise @ residuals / np.sqrt(len(residuals))
    return (prototypes[labels] + draws).astype(np.float32)


def straight_points(prototypes, labels, codes, seed, score=None):
    """For each row a point of a straight path that touches the row's prototype.

    The points of a path are evenly spaced, or those of the lowest `score`.
    """
    found, rows = joined(prototypes, labels, codes)
    paths = lay_paths(found, N_POINTS, np.random.RandomState(seed))
    slots = slot_paths(rows, paths.pairs)[0]
    points = np.empty((len(labels), prototypes.shape[1]), np.float32)
    for path in np.unique(slots):
        inner, mine = paths.points[path, 1:-1], np.flatnonzero(slots == path)
        if score is None:
            chosen = np.linspace(0, len(inner) - 1, len(mine) + 2).round().astype(int)[1:-1]
        else:
            chosen = np.argsort(score(inner), kind="stable")[: len(mine)]
        points[mine] = inner[np.resize(chosen, len(mine))]
    return points


def pair_points(prototypes, labels, codes, seed, score=None, n_candidates=20):
    """For each row a point between its prototype and any other one of the class.

    One random point, or of several that with the lowest `score`.
    """
    rng = np.random.RandomState(seed)
    n = 1 if score is None else n_candidates
    partners = np.empty((len(labels), n), np.intp)
    prototype_codes = np.zeros(len(prototypes), np.intp)
    prototype_codes[labels] = codes
    for row, prototype in enumerate(labels):
        others = np.flatnonzero(prototype_codes == prototype_codes[prototype])
        partners[row] = rng.choice(others[others != prototype], n)
    times = rng.uniform(0.1, 0.9, (len(labels), n, 1))
    own = prototypes[labels][:, None]
    points = own + times * (prototypes[partners] - own)
    if score is None:
        return points[:, 0].astype(np.float32)
    scores = score(points.reshape(-1, points.shape[2])).reshape(len(labels), n)
    return points[np.arange(len(labels)), scores.argmin(axis=1)].astype(np.float32)


def joined(prototypes, labels, codes):
    """The prototypes as the walker finds them, and that of each row."""
    names = [str(code) for code in np.unique(codes)]
    found = find_prototypes(prototypes[labels], codes, names)
    return found, found.labels


def member_ratio(W_members, W_public, generator):
    """A function: |log of the density of members over that of others|, kernels in whitened W.

    The statistic of DOMIAS (arXiv:2302.12580), and so what an attacker would look for. It is 0
    where a latent says nothing about who was a member.
    """
    own = generator.sample(2000, random_state=0)[1]
    mean = own.mean(axis=0)
    _, scale, axes = np.linalg.svd(own - mean, full_matrices=False)
    project = axes[:N_COMPONENTS].T / scale[:N_COMPONENTS] * np.sqrt(len(own))
    members, public = (W_members - mean) @ project, (W_public - mean) @ project
    gaps = np.linalg.norm(public[:, None] - public, axis=2)
    np.fill_diagonal(gaps, np.inf)
    width = np.median(gaps.min(axis=1))

    def log_density(points, centres):
        squares = np.square(points[:, None] - centres).sum(axis=2)
        return logsumexp(-squares / (2 * width**2), axis=1) - np.log(len(centres))

    def score(latents):
        points = (latents - mean) @ project
        return np.abs(log_density(points, members) - log_density(points, public))

    return score
