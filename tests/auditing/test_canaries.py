"""Canaries through a whole run: who is included, what is refused, and that the bound holds."""

import numpy as np
import pytest
from latentwalk.auditing import canary_audit

N_MEMBERS, N_CANARIES = 40, 200
GUESSES = {"n_positive": 60, "n_negative": 60}


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N_MEMBERS, 6)), rng.normal(size=(N_CANARIES, 6))


def test_a_copying_run_is_found_and_a_blind_one_is_not(sets):
    copied = canary_audit(lambda X, y, groups: X, *sets, **GUESSES, random_state=0)
    assert copied.n_correct == 120 and copied.epsilon_lower > 3
    others = np.random.default_rng(1).normal(size=(90, 6))
    blind = canary_audit(lambda X, y, groups: others, *sets, **GUESSES, random_state=0)
    assert 40 < blind.n_correct < 80 and blind.epsilon_lower == 0


def test_the_run_gets_members_and_the_canaries_with_heads_in_shuffled_rows(sets):
    X, X_canary = sets
    seen = {}

    def run(X_in, y, groups):
        seen.update(X=X_in, y=y, groups=groups)
        return X_in

    labels = [np.arange(N_MEMBERS), N_MEMBERS + np.arange(N_CANARIES)]
    ids = [np.char.add("p", part.astype(str)) for part in labels]
    canary_audit(
        run, X, X_canary, **GUESSES, y=labels[0], y_canary=labels[1], groups=ids[0],
        groups_canary=ids[1], random_state=0,
    )  # fmt: skip
    np.testing.assert_array_equal(seen["X"], np.concatenate([X, X_canary])[seen["y"]])
    assert (seen["groups"] == np.char.add("p", seen["y"].astype(str))).all()
    assert set(range(N_MEMBERS)) < set(seen["y"].tolist())
    n_included = len(seen["y"]) - N_MEMBERS
    assert 70 < n_included < 130 and (np.diff(seen["y"]) < 0).sum() > 20
    again = dict(seen)
    canary_audit(run, X, X_canary, **GUESSES, random_state=None)
    assert len(seen["X"]) != len(again["X"]) or (seen["X"] != again["X"]).any()


def test_the_bound_holds_for_a_mechanism_of_known_epsilon(sets):
    """Randomised response on who is in the data is exactly epsilon-private."""
    epsilon, (X, X_canary) = 1.0, sets
    universe = np.concatenate([X, X_canary])
    bounds = []
    for seed in range(40):
        rng = np.random.default_rng(seed)

        def run(X_in, y, groups, rng=rng):
            present = (universe[:, None] == X_in).all(axis=2).any(axis=1)
            truthful = rng.random(len(universe)) < 1 / (1 + np.exp(-epsilon))
            return universe[present == truthful]

        found = canary_audit(run, X, X_canary, n_positive=80, n_negative=80, random_state=seed)
        bounds.append(found.epsilon_lower)
    assert np.mean(np.array(bounds) > epsilon) <= 0.1 and np.median(bounds) > 0.3


def test_whitening_finds_canaries_in_averages_that_a_distance_does_not():
    """Averages of three, in a few strong directions that everybody shares."""
    scales = np.linspace(12, 1, 30)
    X, X_canary = (
        np.random.default_rng(s).normal(size=(n, 30)) * scales for s, n in ((0, 30), (1, 600))
    )

    def run(X_in, y, groups):
        return X_in[: len(X_in) // 3 * 3].reshape(-1, 3, 30).mean(axis=1)

    guesses = {"n_positive": 60, "n_negative": 60, "random_state": 0}
    whitened, plain = (
        canary_audit(run, X, X_canary, **guesses, view=view) for view in ("whitened 32", "as it is")
    )
    assert whitened.n_correct > plain.n_correct + 10
    assert whitened.mu_lower > plain.mu_lower


def test_versions_of_a_canary_are_looked_for():
    rng = np.random.default_rng(0)
    X, X_canary = rng.random((20, 1, 8, 8)), rng.random((200, 1, 8, 8))
    turned = [
        canary_audit(
            lambda X_in, y, groups: X_in[..., ::-1],
            X,
            X_canary,
            **GUESSES,
            view=view,
            random_state=0,
        )
        for view in ("contrast, flips and turns", "contrast")
    ]
    assert turned[0].n_correct == 120 and turned[1].n_correct < 90


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"view": "sharp"}, "view='sharp'; expected one of .*'whitened 32'"),
        ({"attack": "absent"}, "attack='absent'; expected one that"),
        ({"attack": "inversion residual"}, "needs the release alone"),
        ({"attack": "DOMIAS"}, "needs X_reference"),
        ({"n_negative": 500}, "at most the 200 canaries"),
        ({"n_positive": -1}, "expected 0 or more each"),
        ({"y": np.zeros(N_MEMBERS)}, "y and y_canary belong together"),
        ({"groups": np.arange(N_MEMBERS)}, "groups_canary is missing"),
        (
            {"groups": np.arange(N_MEMBERS), "groups_canary": np.arange(N_CANARIES)},
            "40 subjects are in groups and in groups_canary",
        ),
        (
            {"groups": np.arange(N_MEMBERS), "groups_canary": np.full(N_CANARIES, 99)},
            "names a subject twice",
        ),
        ({"X_reference": np.ones((4, 5))}, "X_reference has 5 features"),
    ],
)
def test_what_would_fail_after_the_run_fails_before(sets, given, message):
    def never(X, y, groups):
        raise AssertionError("it ran")

    with pytest.raises(ValueError, match=message):
        canary_audit(never, *sets, **(GUESSES | given))


def test_canaries_are_new_records(sets):
    X, X_canary = sets
    for canaries, message in [
        (np.concatenate([X_canary, X[:2]]), "2 records of X_canary equal a record of X"),
        (np.concatenate([X_canary, X_canary[:1]]), "holds a record twice"),
    ]:
        with pytest.raises(ValueError, match=message):
            canary_audit(lambda X, y, groups: X, X, canaries, **GUESSES)
