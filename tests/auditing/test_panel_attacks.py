"""The panel's views, its scores, the search that they share and the learned attacker."""

import numpy as np
import pytest
from latentwalk.auditing import ATTACKS
from latentwalk.auditing._attacks._base import NeighborSearch
from latentwalk.auditing._attacks._learned import draw_folds, learned_scores
from latentwalk.auditing._attacks._panels import FULL, PANELS, QUICK
from latentwalk.auditing._attacks._views import (
    centred,
    contrast,
    high_pass,
    plain,
    turns,
    whitened,
)
from latentwalk.neighbors import ExactNeighbors
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

SHAPE = (1, 16, 16)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def images(rng):
    """Rows of images in which neighbouring pixels are alike."""
    smooth = gaussian_filter(rng.random((60, 1, 20, 20)), (0, 0, 1, 1))[..., 2:-2, 2:-2]
    return (smooth / smooth.max()).reshape(60, -1)


def embedded(view, rows, real=None):
    return view.embed(None, rows if real is None else real)(rows)


def test_contrast_does_not_see_brightness_and_contrast(images):
    view = contrast("pixels", SHAPE)
    darker = 0.7 * images + 0.1
    np.testing.assert_allclose(embedded(view, darker), embedded(view, images), atol=1e-6)
    assert np.linalg.norm(darker - images, axis=1).min() > 0.1


def test_high_pass_finds_the_texture_of_one_image_in_another(images):
    low = gaussian_filter(images.reshape(-1, 16, 16), (0, 3, 3)).reshape(images.shape)
    mixed = images - low + np.roll(low, 1, axis=0)
    view = high_pass("pixels", SHAPE)
    found = ExactNeighbors(embedded(view, mixed)).kneighbors(embedded(view, images))[1][:, 0]
    assert (found == np.arange(60)).mean() > 0.95


def test_flips_and_turns_are_all_of_a_square_and_those_that_keep_another_shape(images):
    versions = [version(images) for version in turns(SHAPE)]
    assert len({rows[0].tobytes() for rows in [images, *versions]}) == 8
    oblong = np.arange(12.0).reshape(1, 12)
    assert len({v(oblong).tobytes() for v in turns((1, 3, 4))} | {oblong.tobytes()}) == 4


def test_a_turned_image_is_its_own_version(images):
    turned = np.rot90(images.reshape(-1, *SHAPE), axes=(2, 3)).reshape(60, -1)
    distances = [np.abs(version(images) - turned).max() for version in turns(SHAPE)]
    assert min(distances) == 0


@pytest.mark.parametrize("view", [centred("s"), whitened("s", 4)], ids=lambda v: v.name)
def test_what_a_view_learns_treats_real_records_alike(view, rng):
    real, release = rng.normal(size=(40, 6)), rng.normal(size=(5, 6))
    shuffled = real[rng.permutation(40)]
    one, other = (view.embed(None, rows)(release) for rows in (real, shuffled))
    np.testing.assert_allclose(one @ one.T, other @ other.T, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-6)


def test_whitening_is_fitted_on_the_reference_where_it_is_large_enough(rng):
    real, release = rng.normal(size=(40, 6)), rng.normal(size=(5, 6))
    large = rng.normal(size=(64, 6)) * [9, 1, 1, 1, 1, 1]
    view = whitened("s", 4)

    def angles(reference):
        rows = view.embed(reference, real)(release)
        return rows @ rows.T

    assert not np.allclose(angles(large), angles(None))
    np.testing.assert_allclose(angles(large[:8]), angles(None), atol=1e-5)


def test_a_wide_space_is_shortened_before_it_is_whitened(rng):
    wide = rng.normal(size=(30, 9000)).astype(np.float32)
    assert embedded(whitened("s", 4), wide).shape == (30, 4)


def test_means_of_subjects_have_length_one_where_rows_have(rng):
    rows, starts = rng.normal(size=(5, 3)), np.array([0, 2])
    np.testing.assert_allclose(plain("s").mean(rows, starts)[0], rows[:2].mean(axis=0))
    directions = centred("s").mean(rows, starts)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-6)


def test_a_whitened_view_finds_the_members_of_averages(rng):
    scales = np.linspace(8, 1, 24)
    members, others = rng.normal(size=(2, 200, 24)) * scales
    release = members.reshape(100, 2, 24).mean(axis=1)
    real = np.concatenate([members, others])
    aucs = []
    for view in (plain("s"), whitened("s", 24)):
        embed = view.embed(None, real)
        scores = ATTACKS["nearest"]().fit(embed(release)).score_samples(embed(real))
        aucs.append(roc_auc_score(np.arange(400) < 200, scores))
    assert aucs[1] > aucs[0] + 0.1


def test_a_search_is_shared_and_gives_what_each_would_find(rng):
    release, real = rng.normal(size=(70, 3)), rng.normal(size=(20, 3))
    search = NeighborSearch(release)
    for name in ("relative nearest", "few nearest", "nearest"):
        alone = ATTACKS[name]().fit(release).score_samples(real)
        shared = ATTACKS[name]().fit(release, search=search).score_samples(real)
        np.testing.assert_array_equal(shared, alone)
    assert search.kneighbors(real, 3)[0].base is search.kneighbors(real, 9)[0].base
    assert search.kneighbors(real + 1)[0].min() != search.kneighbors(real)[0].min()


def test_a_search_has_the_nearest_exactly_and_further_ones_as_an_exact_search_has(rng):
    release = 30 + rng.normal(size=(400, 40)).astype(np.float32)  # far from the origin
    real = np.concatenate([release[:5], 30 + rng.normal(size=(60, 40)).astype(np.float32)])
    found, exact = (
        search.kneighbors(real, 50) for search in (NeighborSearch(release), ExactNeighbors(release))
    )
    np.testing.assert_array_equal(found[0][:, 0], exact[0][:, 0])
    assert (found[0][:5, 0] == 0).all()
    np.testing.assert_allclose(found[0], exact[0], rtol=1e-4)
    assert (found[1] == exact[1]).mean() > 0.99
    assert all(len(set(row)) == 50 for row in found[1].tolist())
    # equally near rows: float32 may order them otherwise, and no row comes twice
    twice = NeighborSearch(np.repeat(release[:30], 2, axis=0)).kneighbors(real, 40)[1]
    assert all(len(set(row)) == 40 for row in twice.tolist())


@pytest.mark.parametrize("name", [name for name in ATTACKS if ATTACKS[name].decomposes])
def test_a_release_may_be_attacked_part_by_part(name, rng):
    release, real, reference = rng.normal(size=(3, 60, 3))
    whole = ATTACKS[name]().fit(release, reference).score_samples(real)
    parts = [ATTACKS[name]().fit(p, reference).score_samples(real) for p in np.split(release, 3)]
    np.testing.assert_array_equal(np.max(parts, axis=0), whole)


def test_a_copy_among_many_alike_is_relatively_near(rng):
    crowd = rng.normal(size=(200, 8)) * 0.1
    far = rng.normal(size=(1, 8)) * 0.1 + 5
    release = np.concatenate([crowd, far + 0.3])
    copied, by_chance = far, crowd.mean(axis=0, keepdims=True)
    real = np.concatenate([copied, by_chance])
    nearest = ATTACKS["nearest"]().fit(release).score_samples(real)
    relative = ATTACKS["relative nearest"]().fit(release).score_samples(real)
    assert nearest[0] < nearest[1]
    assert relative[0] > relative[1]


def test_a_synthetic_record_near_to_everybody_accuses_nobody(rng):
    real = rng.normal(size=(100, 8))
    real[0] = 4
    release = np.stack([np.zeros(8), np.full(8, 3.0)])
    scores = ATTACKS["outstanding"]().fit(release).score_samples(real)
    assert scores.argmax() == 0
    assert ATTACKS["nearest"]().fit(release).score_samples(real).argmax() != 0


def test_a_piece_of_a_member_is_found_anywhere_at_any_contrast(rng):
    members, others, made = rng.random((3, 12, 1, 24, 24))
    for i, image in enumerate(made):
        row, column = rng.integers(0, 16, 2)
        image[:, row : row + 8, column : column + 8] = 0.5 * members[i, :, 3:11, 6:14]
    attack = ATTACKS["parts"]().fit(made)
    found, chance = attack.score_samples(members), attack.score_samples(others)
    assert found.min() > chance.max()


def test_an_image_without_contrast_is_least_like_a_member(rng):
    images = rng.random((4, 1, 16, 16))
    images[0] = 0.5
    scores = ATTACKS["parts"]().fit(rng.random((6, 1, 16, 16))).score_samples(images)
    assert np.isfinite(scores).all()
    assert scores.argmin() == 0


def test_the_learned_attacker_joins_what_single_scores_see(rng):
    is_member = np.arange(400) < 200
    scores = rng.normal(size=(8, 400)) + 0.5 * is_member
    folds = draw_folds(np.zeros(400, dtype=int), 5, np.random.RandomState(0))
    predicted = learned_scores(scores, is_member[:, None], folds)[:, 0]
    single = max(roc_auc_score(is_member, score) for score in scores)
    assert roc_auc_score(is_member, predicted) > single + 0.1


def test_the_learned_attacker_does_not_know_those_whom_it_judges(rng):
    scores, labels = rng.normal(size=(3, 60)), rng.random((60, 2)) < 0.5
    strata = np.arange(60) % 2
    folds = draw_folds(strata, 5, np.random.RandomState(0))
    assert all(len(np.unique(folds[strata == s])) == 5 for s in (0, 1))
    judged = folds == 3
    changed = labels.copy()
    changed[judged] = ~labels[judged]
    one, other = (learned_scores(scores, t, folds) for t in (labels, changed))
    np.testing.assert_array_equal(one[judged], other[judged])
    assert not np.allclose(one[~judged], other[~judged])
    np.testing.assert_allclose(one[:, :1], learned_scores(scores, labels[:, :1], folds))


def test_every_attack_of_a_panel_is_registered():
    for panel in PANELS.values():
        assert {*panel.attacks, *panel.wide_attacks, *panel.record_attacks} <= set(ATTACKS)
    names = [{view.name for view in panel.views("pixels", SHAPE)} for panel in (QUICK, FULL)]
    assert names[0] < names[1]
    assert all(
        len(panel.views("lpips")) < len(panel.views("pixels", SHAPE)) for panel in (QUICK, FULL)
    )


def test_wide_views_and_versions_get_few_attacks():
    turned = contrast("pixels", SHAPE, turned=True)
    assert QUICK.attacks_in(turned, 256) == QUICK.wide_attacks
    assert QUICK.attacks_in(plain("lpips"), 30_000) == QUICK.wide_attacks
    assert QUICK.attacks_in(plain("lpips"), 512) == QUICK.attacks
