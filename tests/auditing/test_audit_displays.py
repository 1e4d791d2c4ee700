"""The audit's displays draw what the report says."""

import matplotlib
import numpy as np
import pytest
from latentwalk.auditing import PrivacyAuditor
from latentwalk.inspection import AttackROCDisplay, ExposureDisplay, NearestMatchDisplay

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def audited():
    X = np.random.default_rng(0).random((150, 3, 6, 6))
    auditor = PrivacyAuditor(random_state=0)
    auditor.fit(X[:60], X_holdout=X[60:120], X_reference=X[130:])
    return auditor, X


def test_exposures(audited):
    auditor, X = audited
    display = ExposureDisplay.from_estimator(auditor, X[120:])
    members, _, sham = (p.get_data().values for p in display.ax_.patches)
    assert sum(members) == pytest.approx(1) and sum(sham) == pytest.approx(1)
    assert (sham == auditor.audit(X[120:]).spaces[0].sham_counts).all() and (sham != members).any()
    without = PrivacyAuditor(random_state=0).fit(X[:60], X_holdout=X[60:120])
    assert len(ExposureDisplay.from_estimator(without, X[120:]).ax_.patches) == 2
    with pytest.raises(ValueError, match="space='lpips'"):
        ExposureDisplay.from_estimator(auditor, X[120:], space="lpips")
    with pytest.raises(ValueError, match="without X_holdout"):
        ExposureDisplay.from_estimator(PrivacyAuditor().fit(X), X[:3])


def test_roc(audited):
    auditor, X = audited
    display = AttackROCDisplay.from_estimator(auditor, X[:60] * 0.999)
    x, y = display.ax_.lines[1].get_data()
    assert y[0] > 0.9 and x[0] == 0.001
    region = display.ax_.collections[0].get_paths()[0].vertices
    found = auditor.audit(X[:60] * 0.999).spaces[0]
    at_fpr = region[np.isclose(region[:, 0], 0.1), 1]
    index = display.fprs.index(0.1)
    assert [at_fpr.min(), at_fpr.max()] == pytest.approx(
        [found.roc_low[index], found.roc_high[index]]
    )
    assert found.roc_low[index] < y[index] <= found.roc_high[index]
    with pytest.raises(ValueError, match="without X_holdout"):
        AttackROCDisplay.from_estimator(PrivacyAuditor().fit(X), X[:3])


def test_matches(audited):
    auditor, X = audited
    display = NearestMatchDisplay.from_estimator(auditor, X[[3, 130]], X[:60], n_matches=2)
    shown = [ax.images[0].get_array() for ax in display.axes_[:, 0]]
    np.testing.assert_array_equal(shown[0], shown[1])
    assert display.axes_[0, 0].get_title() == "0"
