"""Canaries through a whole pipeline: include at random, run once, score, bound epsilon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from latentwalk.auditing._attacks._base import ATTACKS
from latentwalk.auditing._attacks._panels import PANELS
from latentwalk.auditing._attacks._views import View
from latentwalk.auditing._auditor import PrivacyAuditor
from latentwalk.auditing._checks import check_apart, check_like, check_records, check_subjects
from latentwalk.auditing._spaces import extract, resolve_spaces
from latentwalk.features import PixelFeatures
from latentwalk.metrics import OneRunAudit, one_run_audit, row_keys
from latentwalk.utils import check_targets

AS_IT_IS = "as it is"
Run = Callable[[NDArray[Any], NDArray[Any] | None, NDArray[Any] | None], ArrayLike]


def canary_audit(
    run: Run,
    X: ArrayLike,
    X_canary: ArrayLike,
    *,
    n_positive: int,
    n_negative: int,
    y: ArrayLike | None = None,
    y_canary: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    groups_canary: ArrayLike | None = None,
    X_reference: ArrayLike | None = None,
    features: Any = "pixels",
    view: str = "whitened 32",
    attack: str = "nearest",
    delta: float = 0.0,
    confidence: float = 0.95,
    random_state: Any = None,
) -> OneRunAudit:
    """Run a whole pipeline once with canaries, and bound its epsilon from below.

    A fair coin is tossed for each canary. Those with heads join the members, in shuffled rows.
    The pipeline runs once on these rows, an attack scores all canaries on the release alone, and
    its surest guesses are counted (Steinke, Nasr and Jagielski). No other figure of this package
    bounds epsilon.

    Parameters
    ----------
    run : callable
        ``run(X, y, groups)`` trains everything on these rows, from the generator on, and returns
        the release. `y` and `groups` are None where not given. The bound does not cover anything
        that saw the canaries before.
    X : array-like of shape (n_samples, ...)
        The other members: images or features.
    X_canary : array-like of shape (n_canaries, ...)
        Records of other subjects, one of each, which nothing was trained on.
    n_positive, n_negative : int
        How many canaries are guessed to be in, and how many to be out: see
        `~latentwalk.metrics.one_run_audit`.
    y, y_canary : array-like of shape (n_samples,), (n_canaries,), default=None
        Labels, both or neither.
    groups, groups_canary : array-like of shape (n_samples,), (n_canaries,), default=None
        Subject ids, both or neither.
    X_reference : array-like of shape (n_reference, ...), default=None
        Records of further subjects, for attacks that need them.
    features : default="pixels"
        One feature space, see `PrivacyAuditor`.
    view : str, default="whitened 32"
        What the attack looks at: "as it is", or a view of the full panel such as "whitened 32",
        "cosine", "contrast" or "high-pass, flips and turns" (those two of pixels). Whitening is
        learnt from the reference or from all canaries, whatever their coins. Choose before the run:
        the best of several is not covered by the confidence.
    attack : str, default="nearest"
        A name in `ATTACKS` that needs no more than the release and the reference.
    delta, confidence : float
        The delta and the confidence of the bound.
    random_state : int, RandomState or None, default=None
        Tosses the coins and shuffles the rows. None takes the operating system's entropy, which
        cannot be repeated.

    Returns
    -------
    result : OneRunAudit
        Lower bounds on epsilon and on the mu of Gaussian differential privacy, and the counts that
        they come from.

    Raises
    ------
    ValueError
        When canaries share a subject or a record with the members, the reference or each other,
        for an attack that is unknown or needs more, or more guesses than canaries.

    References
    ----------
    T. Steinke, M. Nasr and M. Jagielski, "Privacy auditing with one (1) training run",
    NeurIPS 2023. S. Mahloujifar, L. Melis and K. Chaudhuri, "Auditing f-differential privacy in one
    run", ICML 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from latentwalk.auditing import canary_audit
    >>> rng = np.random.default_rng(0)
    >>> def run(X, y, groups):  # in place of a generator, its training and the walk
    ...     return X + 0.1 * rng.normal(size=X.shape)
    >>> X, X_canary = rng.normal(size=(200, 8)), rng.normal(size=(400, 8))
    >>> found = canary_audit(run, X, X_canary, n_positive=50, n_negative=50, random_state=0)
    >>> found.n_correct, round(found.epsilon_lower, 2)
    (100, 3.49)
    """
    sets = _check_sets(X, X_canary, X_reference)
    members, canaries = sets["X"], sets["X_canary"]
    n, m = len(members), len(canaries)
    ids = {"X": groups, "X_canary": groups_canary}
    codes = check_subjects(ids, {"X": n, "X_canary": m})["X_canary"]
    if len(np.unique(codes)) < m:
        raise ValueError("groups_canary names a subject twice; give one record of each")
    labels = _check_labels(check_targets(y, n), check_targets(y_canary, m, name="y_canary"))
    _check_attack(attack, "X_reference" in sets)
    if min(n_positive, n_negative) < 0 or n_positive + n_negative > m:
        raise ValueError(
            f"n_positive={n_positive} and n_negative={n_negative}; expected 0 or more each, "
            f"together at most the {m} canaries"
        )
    spaces = resolve_spaces(features, members.shape[1:])
    if len(spaces) > 1:
        raise ValueError(f"features names {list(spaces)}; canaries are scored in one space")
    (space,) = spaces.items()
    seen = _find_view(view, space, members.shape[1:])
    rng = np.random.RandomState() if random_state is None else check_random_state(random_state)
    included = rng.uniform(size=m) < 0.5
    rows = rng.permutation(n + int(included.sum()))
    release = run(
        np.concatenate([members, canaries[included]])[rows],
        _joined(*labels, included, rows),
        _joined(groups, groups_canary, included, rows),
    )
    sets["X_syn"] = check_like(release, members.shape[1:], "the release of run")
    return one_run_audit(
        _scores(attack, seen, spaces, sets),
        included,
        n_positive=n_positive,
        n_negative=n_negative,
        delta=delta,
        confidence=confidence,
    )


def _check_sets(X: ArrayLike, X_canary: ArrayLike, X_reference: Any) -> dict[str, NDArray[Any]]:
    members = check_records(PrivacyAuditor(), X, reset=True)
    sets = {"X": members, "X_canary": check_like(X_canary, members.shape[1:], "X_canary")}
    if X_reference is not None:
        sets["X_reference"] = check_like(X_reference, members.shape[1:], "X_reference")
    keys = {name: row_keys(rows) for name, rows in sets.items()}
    check_apart(keys)
    if len(np.unique(keys["X_canary"])) < len(keys["X_canary"]):
        raise ValueError("X_canary holds a record twice; give one record of each subject")
    return sets


def _check_labels(y: Any, y_canary: Any) -> tuple[Any, Any]:
    if (y is None) != (y_canary is None):
        raise ValueError("y and y_canary belong together; one of them is None")
    return y, y_canary


def _check_attack(attack: str, has_reference: bool) -> None:
    able = sorted(name for name, one in ATTACKS.items() if not (one.needs or one.sees_records))
    if attack not in able:
        raise ValueError(f"attack={attack!r}; expected one that needs the release alone: {able}")
    if ATTACKS[attack].needs_reference and not has_reference:
        raise ValueError(f"the attack {attack!r} needs X_reference: records of further subjects")


def _joined(
    of_members: Any, of_canaries: Any, included: NDArray[np.bool_], rows: NDArray[np.intp]
) -> NDArray[Any] | None:
    """Values of the members and of the included canaries, in shuffled rows."""
    if of_members is None:
        return None
    return np.concatenate([np.asarray(of_members), np.asarray(of_canaries)[included]])[rows]


def _find_view(name: str, space: tuple[str, Any], shape: tuple[int, ...]) -> View:
    """The view of a space that has this name; raises for another one."""
    of_pixels = len(shape) == 3 and isinstance(space[1], PixelFeatures)
    images = (shape[0], shape[1], shape[2]) if of_pixels else None
    views = {
        view.name.removeprefix(space[0]).removeprefix(", ") or AS_IT_IS: view
        for view in PANELS["full"].views(space[0], images)
    }
    if name not in views:
        raise ValueError(f"view={name!r}; expected one of {list(views)} for {space[0]}")
    return views[name]


def _scores(
    attack: str, view: View, spaces: dict[str, Any], sets: dict[str, NDArray[Any]]
) -> NDArray[np.float64]:
    """The canaries' scores, from the release and the reference alone: the best over versions."""
    rows = {name: extract(spaces, X, name)[view.space] for name, X in sets.items() if name != "X"}
    reference, canaries = rows.get("X_reference"), rows["X_canary"]
    embed = view.embed(reference, canaries)
    fitted = ATTACKS[attack]().fit(
        embed(rows["X_syn"]), None if reference is None else embed(reference)
    )
    versions = [canaries, *(version(canaries) for version in view.versions)]
    scores: NDArray[np.float64] = np.max([fitted.score_samples(embed(v)) for v in versions], axis=0)
    return scores
