"""The releases that are compared: each is a function of a study, k and a seed."""

from __future__ import annotations

from functools import partial

import latentwalk as lw
import numpy as np
from benchmarks.plan.remedies import (
    member_ratio,
    pair_points,
    spread_points,
    straight_points,
    to_shell,
)

WALKS = {
    "PLAN as published": {"objective": "plan", "selection": "uniform"},
    "GuidedWalker": {},
}


def real(study, k, seed):
    return study.members.X / np.float32(255), study.members.y


def samples(study, k, seed):
    """The generator's own images, of no class when it knows none."""
    y, generator = study.members.y, study.generator
    classes = y if generator.n_classes else None
    return generator.sample(len(y), classes, random_state=seed)[0], y


def inversions(study, k, seed):
    return decode(study, study.W), study.members.y


def averages(study, k, seed):
    ksame = group(study, k, seed)
    return decode(study, ksame.prototypes_), ksame.prototype_targets_


def walk(study, k, seed, place=straight_points, *, shell=False, exchangeable=False):
    """A point for every member, straight between prototypes."""
    ksame = group(study, k, seed)
    prototypes, labels = ksame.prototypes_, ksame.labels_
    if shell:
        prototypes = to_shell(prototypes, study.generator)
    score = member_ratio(study.W, study.W_public, study.generator) if exchangeable else None
    codes = np.unique(study.members.y, return_inverse=True)[1]
    return decode(study, place(prototypes, labels, codes, seed, score=score)), study.members.y


def around(study, k, seed, *, shell=False):
    """A draw around the prototype of every member."""
    ksame = group(study, k, seed)
    prototypes = ksame.prototypes_
    if shell:
        prototypes = to_shell(prototypes, study.generator)
    latents = spread_points(prototypes, ksame.labels_, study.generator, k, seed)
    return decode(study, latents), study.members.y


def guided(study, k, seed, **settings):
    """The walker of the package, with guides of patients and of classes."""
    members = study.members
    identity = lw.IdentityClassifier(random_state=seed).fit(members.X, members.groups)
    label = lw.LabelClassifier(random_state=seed).fit(members.X, members.y)
    ksame = group(study, k, seed)
    walker = lw.GuidedWalker(study.generator, identity, label, random_state=seed, **settings)
    latents = walker.fit_transform(
        ksame.prototypes_[ksame.labels_], members.y, X_real=members.X, groups=members.groups
    )
    return decode(study, latents), members.y


def guaranteed(study, k, seed, *, mu):
    """Draws under a guarantee, which holds if the network never saw a member."""
    members, generator = study.members, study.generator
    aggregator = lw.DPKSameAggregator(generator, mu=mu, classes=np.unique(members.y))
    aggregator.fit(study.W, members.y, groups=members.groups)
    latents, labels = aggregator.sample(len(members.y), random_state=seed)
    return decode(study, latents), labels


def group(study, k, seed):
    members = study.members
    return lw.KSameAggregator(k=k, random_state=seed).fit(study.W, members.y, groups=members.groups)


def decode(study, latents):
    return lw.GANDecoder(study.generator).fit(study.W).transform(latents)


WITHOUT_K = {
    "real members": real,
    "inversions": inversions,
    "generator samples": samples,
    "guarantee, mu 0.68": partial(guaranteed, mu=0.68),
    "guarantee, mu 1": partial(guaranteed, mu=1.0),
}
WITH_K = {
    "k-same alone": averages,
    "straight walk": walk,
    "walk, exchangeable": partial(walk, exchangeable=True),
    "any pair, exchangeable": partial(walk, place=pair_points, exchangeable=True),
    "around, on the shell": partial(around, shell=True),
    "walk on the shell": partial(walk, shell=True),
    "around prototypes": around,
    "any pair": partial(walk, place=pair_points),
    "any pair on the shell": partial(walk, place=pair_points, shell=True),
    "any pair, shell, exch.": partial(walk, place=pair_points, shell=True, exchangeable=True),
    **{name: partial(guided, **settings) for name, settings in WALKS.items()},
}
GUIDED = tuple(WALKS)
