"""How many patients an audit needs, against simulated audits without a leak."""

import numpy as np
import pytest
from latentwalk.metrics import chance_of_no_evidence, patients_needed, tpr_at_fpr


@pytest.mark.parametrize(("n", "m"), [(242, 145), (516, 310), (1000, 600)])
def test_the_chance_is_that_of_simulated_audits(n, m):
    rng = np.random.default_rng(0)
    highs = [tpr_at_fpr(rng.normal(size=n), rng.normal(size=m)).high for _ in range(300)]
    simulated = np.mean(np.array(highs) <= 0.05)
    chance = chance_of_no_evidence(n, m)
    assert chance == pytest.approx(simulated, abs=4 * np.sqrt(0.25 / 300))


def test_more_is_needed_for_less_tolerance_more_power_and_more_attacks():
    base = patients_needed(0.05)
    assert patients_needed(0.03).n_members > base.n_members
    assert patients_needed(0.05, power=0.95).n_members > base.n_members
    assert patients_needed(0.05, n_attacks=10).n_members > base.n_members
    assert patients_needed(0.2).n_holdout >= 299  # for a false-positive rate of 1 %
    with pytest.raises(ValueError, match=r"tolerance=0\.01 cannot be ruled out"):
        patients_needed(0.01)
