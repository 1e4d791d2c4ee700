"""Attribute disclosure: of members beyond anybody, and not where the release tells all alike."""

import numpy as np
import pytest
from latentwalk.auditing import PrivacyAuditor


def population(n, rng):
    y = rng.integers(0, 2, n)
    return rng.normal(size=(n, 10)) + 1.5 * y[:, None] * (np.arange(10) == 0), np.where(y, "b", "a")


def test_averages_of_a_class_disclose_the_label_of_their_members():
    rng = np.random.default_rng(0)
    (X, y), (H, y_out) = population(300, rng), population(300, rng)
    groups = [np.flatnonzero(y == v)[: 2 * 60].reshape(-1, 2) for v in ("a", "b")]
    release = np.concatenate([X[g].mean(axis=1) for g in groups])
    labels = np.repeat(["a", "b"], 60)
    auditor = PrivacyAuditor(random_state=0).fit(X, X_holdout=H)
    found = auditor.audit(release, attributes={"label": (labels, y, y_out)}).attributes[0]
    assert found.name == "label"
    assert found.members_right > found.holdout_right + 0.05
    assert found.p_value <= 0.01 and found.auc.low > 0.5


def test_a_release_that_tells_about_everybody_discloses_nothing_of_members():
    p_values = []
    for run in range(20):
        rng = np.random.default_rng(run)
        (X, y), (H, y_out), (S, y_syn) = (population(120, rng) for _ in range(3))
        auditor = PrivacyAuditor(random_state=0).fit(X, X_holdout=H)
        found = auditor.audit(S, attributes={"label": (y_syn, y, y_out)}).attributes[0]
        assert found.members_right > 0.55  # useful, for all alike
        p_values.append(found.p_value)
    assert sum(p <= 0.05 for p in p_values) <= 4


def test_bad_input_is_named():
    rng = np.random.default_rng(0)
    (X, y), (H, y_out) = population(30, rng), population(30, rng)
    auditor = PrivacyAuditor().fit(X, X_holdout=H)
    for given, message in [
        ((["a"] * 9, y, y_out), "has a single value in the release"),
        ((y[:9], y, y_out[1:]), r"attributes\['label'\]\[2\] has shape"),
        ((y[:9], y), "has 2 parts; expected three"),
    ]:
        with pytest.raises(ValueError, match=message):
            auditor.audit(X[:9], attributes={"label": given})
    with pytest.raises(ValueError, match="without X_holdout"):
        PrivacyAuditor().fit(X).audit(X[:9], attributes={"label": (y[:9], y, y_out)})
