"""GuidedWalker: rows, checks, errors."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from latentwalk import Generator, GuidedWalker, IdentityClassifier, LabelClassifier
from latentwalk.walking import _optimise, _paths
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch import nn

SHAPE = (1, 8, 8)


def make_generator():
    torch.manual_seed(0)
    decoder = nn.Sequential(
        nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 64), nn.Tanh(), nn.Unflatten(1, SHAPE)
    )
    return Generator.from_module(decoder, w_dim=6, image_shape=SHAPE, precision="float32")


GENERATOR = make_generator()
X, W = GENERATOR.sample(24, random_state=0)
Y = np.array(["a", "b"]).repeat(12)
GROUPS = np.arange(24) // 2
PROTOTYPES = W.reshape(6, 4, 6).mean(axis=1).repeat(4, axis=0)
IDENTITY = IdentityClassifier(max_iter=8, width=8, augmentation=None, random_state=0).fit(X, GROUPS)
LABEL = LabelClassifier(max_iter=8, width=8, augmentation=None, random_state=0).fit(X, Y)


def make_walker(generator=GENERATOR, **parameters):
    defaults = {"n_points": 12, "max_iter": 10, "random_state": 0, "label_classifier": LABEL}
    return GuidedWalker(generator, IDENTITY, **(defaults | parameters))


@pytest.fixture
def no_retries(monkeypatch):
    """Paths over the bound are not walked again."""
    monkeypatch.setattr(_paths, "N_RETRIES", 0)


def on_path(walker, point, path):
    """Whether a point is one of a path's, ends excluded."""
    return (np.abs(walker.paths_[path, 1:-1] - point).max(axis=1) < 1e-6).any()


@pytest.mark.parametrize("objective", ["worst-point", "plan", "linear"])
@pytest.mark.parametrize("selection", ["safest", "uniform"])
def test_every_row_gets_a_distinct_inner_point_of_a_path_at_its_prototype(objective, selection):
    walker = make_walker(objective=objective, selection=selection)
    W_syn = walker.fit_transform(PROTOTYPES, Y)
    assert W_syn.shape == PROTOTYPES.shape and W_syn.dtype == np.float32
    assert len(np.unique(W_syn, axis=0)) == len(W_syn)
    for row, (point, path) in enumerate(zip(W_syn, walker.released_path_, strict=True)):
        ends = walker.prototypes_[walker.path_pairs_[path]]
        assert (ends == PROTOTYPES[row]).all(axis=1).any()
        assert walker.path_targets_[path] == Y[row]
        assert on_path(walker, point, path)
        assert not (ends == point).all(axis=1).any()


def test_a_prototype_is_at_the_end_of_two_paths_and_its_rows_are_on_both():
    walker = make_walker()
    walker.fit_transform(PROTOTYPES, Y)
    assert (np.bincount(walker.path_pairs_.ravel()) == 2).all()
    for prototype in np.unique(PROTOTYPES, axis=0):
        rows = (prototype == PROTOTYPES).all(axis=1)
        assert len(np.unique(walker.released_path_[rows])) == 2


def test_paths_hold_their_ends_and_the_figures_of_the_classifiers():
    walker = make_walker().fit(PROTOTYPES, Y, X_real=X)
    assert walker.paths_.shape == (6, 12, 6)
    np.testing.assert_array_equal(walker.paths_[:, [0, -1]], walker.prototypes_[walker.path_pairs_])
    images = GENERATOR.decode(torch.as_tensor(walker.paths_[1])).detach().numpy()
    np.testing.assert_allclose(
        walker.path_identity_[1], IDENTITY.predict_proba(images).max(axis=1), rtol=1e-5
    )
    code = list(LABEL.classes_).index(walker.path_targets_[1])
    np.testing.assert_allclose(
        walker.path_class_proba_[1], LABEL.predict_proba(images)[:, code], rtol=1e-5
    )
    gaps = np.sqrt(np.square(images[:, None] - X[None]).mean(axis=(2, 3, 4))).min(axis=1)
    np.testing.assert_allclose(walker.path_distance_[1], gaps, atol=1e-6)


def test_released_figures_are_those_of_the_released_rows():
    walker = make_walker()
    W_syn = walker.fit_transform(PROTOTYPES, Y, X_real=X)
    images = GENERATOR.decode(torch.as_tensor(W_syn)).detach().numpy()
    np.testing.assert_allclose(
        walker.released_identity_, IDENTITY.predict_proba(images).max(axis=1), rtol=1e-4
    )
    codes = np.searchsorted(LABEL.classes_, Y)
    np.testing.assert_allclose(
        walker.released_class_proba_, LABEL.predict_proba(images)[np.arange(24), codes], rtol=1e-4
    )
    gaps = np.sqrt(np.square(images[:, None] - X[None]).mean(axis=(2, 3, 4))).min(axis=1)
    np.testing.assert_allclose(walker.released_distance_, gaps, atol=1e-6)


def test_the_released_points_are_the_safest_and_not_the_farthest_from_real_images():
    safest, even = make_walker(), make_walker(selection="uniform")
    released = safest.fit_transform(PROTOTYPES, Y)
    even.fit_transform(PROTOTYPES, Y)
    assert safest.released_identity_.mean() < 0.98 * even.released_identity_.mean()
    with_real = make_walker().fit_transform(PROTOTYPES, Y, X_real=X)
    np.testing.assert_array_equal(with_real, released)


def test_a_path_without_points_within_the_bounds_borrows_from_its_class(no_retries):
    free = make_walker().fit(PROTOTYPES, Y)
    highest = np.sort(free.path_identity_[:, 1:-1].min(axis=1))
    walker = make_walker(max_identity=float(highest[-2:].mean()))
    walker.fit_transform(PROTOTYPES, Y)
    closed = np.flatnonzero(walker.rejected_[:, 1:-1].all(axis=1))
    assert len(closed) == 1 and closed[0] not in walker.released_path_
    np.testing.assert_array_equal(walker.path_targets_[walker.released_path_], Y)


def test_newly_drawn_points_are_held_to_the_bounds(no_retries):
    free = make_walker().fit(PROTOTYPES, Y)
    bound = float(np.quantile(free.path_identity_[:, 1:-1], 0.7))
    walker = make_walker(max_identity=bound).fit(PROTOTYPES, Y)
    points, _ = walker.sample(60)
    on_grid = (np.abs(points[:, None] - walker.paths_.reshape(1, -1, 6)).max(axis=2) < 1e-6).any(1)
    assert (~on_grid).sum() > 15
    assert walker.measure(points).identity.max() <= bound * (1 + 1e-5)


def test_the_walk_lowers_the_highest_identity_posterior_of_the_inner_points():
    straight = make_walker(objective="linear").fit(PROTOTYPES, Y)
    walked = make_walker(max_iter=100, identity_weight=10, class_weight=10).fit(PROTOTYPES, Y)
    assert walked.path_identity_[:, 1:-1].max() < straight.path_identity_[:, 1:-1].max()
    assert walked.path_identity_.mean() < 0.9 * straight.path_identity_.mean()


def test_groups_larger_than_their_paths_get_more_checked_points():
    rows = PROTOTYPES[::4].repeat(30, axis=0)
    walker = make_walker(label_classifier=None, max_identity=0.9)
    W_syn = walker.fit_transform(rows)
    assert len(np.unique(W_syn, axis=0)) == len(rows) > walker.paths_[:, 1:-1, 0].size
    assert (walker.released_identity_ <= 0.9).all()


def test_points_over_max_identity_are_never_released(no_retries):
    free = make_walker()
    free.fit_transform(PROTOTYPES, Y)
    bound = float(np.quantile(free.path_identity_[:, 1:-1], 0.6))
    walker = make_walker(max_identity=bound)
    W_syn = walker.fit_transform(PROTOTYPES, Y)
    images = GENERATOR.decode(torch.as_tensor(W_syn)).detach().numpy()
    assert IDENTITY.predict_proba(images).max() <= bound * (1 + 1e-5)
    assert walker.rejected_.any() and walker.n_rejected_["identity"] == walker.rejected_.sum()
    assert not walker.rejected_[:, [0, -1]].any()


def test_a_path_over_the_bound_is_walked_again(monkeypatch):
    again = make_walker(max_identity=0.3, max_iter=20).fit(PROTOTYPES, Y)
    monkeypatch.setattr(_paths, "N_RETRIES", 0)
    once = make_walker(max_identity=0.3, max_iter=20).fit(PROTOTYPES, Y)
    assert once.rejected_.any()
    assert again.rejected_.sum() < once.rejected_.sum()


def test_a_class_without_points_within_the_bounds_is_an_error(no_retries):
    walker = make_walker(max_identity=1e-3)
    with pytest.raises(ValueError, match=r"24 points are missing .*max_identity=0.001"):
        walker.fit_transform(PROTOTYPES, Y)
    with pytest.raises(ValueError, match=r"no point of class [ab] is within max_identity"):
        walker.transform(PROTOTYPES)


def test_near_duplicates_of_real_images_are_rejected_and_counted():
    walker = make_walker(objective="linear", duplicate_distance=0.02)
    planted = GENERATOR.decode(
        torch.as_tensor(make_walker(objective="linear").fit(PROTOTYPES, Y).paths_[2, 5][None])
    )
    walker.fit_transform(PROTOTYPES, Y, X_real=np.concatenate([X, planted.numpy()]))
    assert walker.rejected_[2, 5]
    assert walker.n_rejected_["duplicate"] == (walker.path_distance_[:, 1:-1] <= 0.02).sum() > 0
    assert (walker.released_distance_ > 0.02).all()


def test_sample_gives_new_points_of_the_classes_in_their_shares():
    walker = make_walker(max_identity=0.95)
    released = walker.fit_transform(PROTOTYPES, Y)
    points, labels = walker.sample(90)
    assert points.shape == (90, 6) and (labels == "a").sum() == 45
    assert len(np.unique(np.concatenate([points, released]), axis=0)) == 90 + 24
    images = GENERATOR.decode(torch.as_tensor(points)).detach().numpy()
    assert IDENTITY.predict_proba(images).max() <= 0.95 + 1e-5


def test_sample_asks_for_the_real_images_when_checked_points_run_out():
    walker = make_walker().fit(PROTOTYPES, Y, X_real=X)
    walker.sample(20)
    with pytest.raises(ValueError, match="pass the real images again as X_real"):
        walker.sample(100)
    assert len(walker.sample(100, X_real=X)[0]) == 100


def test_the_fitted_walker_keeps_no_real_image():
    blob = pickle.dumps(make_walker().fit(PROTOTYPES, Y, X_real=X))
    assert X[3].tobytes()[:64] not in blob
    assert len(blob) < 200_000


def test_a_pickled_walker_goes_on_as_before():
    walker = make_walker().fit(PROTOTYPES, Y)
    again = pickle.loads(pickle.dumps(walker))
    np.testing.assert_array_equal(again.sample(30)[0], walker.sample(30)[0])
    np.testing.assert_array_equal(again.transform(W), walker.transform(W))


def test_runs_repeat_and_do_not_depend_on_the_batch(monkeypatch):
    monkeypatch.setattr(_optimise, "TOLERANCE", 1e-2)
    first = make_walker(max_iter=40).fit(PROTOTYPES, Y)
    second = make_walker(max_iter=40).fit(PROTOTYPES, Y)
    np.testing.assert_array_equal(first.paths_, second.paths_)
    small = make_walker(GENERATOR.using(batch_size=4), max_iter=40).fit(PROTOTYPES, Y)
    np.testing.assert_allclose(small.paths_, first.paths_, atol=1e-4)


def test_guides_stay_as_they_were():
    module = LABEL.module_
    before = [p.clone() for p in module.parameters()]
    module.train()
    make_walker().fit(PROTOTYPES, Y)
    assert module.training and all(p.requires_grad for p in module.parameters())
    module.eval()
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


def test_unfitted_guides_are_cloned_and_fitted_on_the_real_images():
    identity = IdentityClassifier(max_iter=1, width=8, random_state=0)
    walker = GuidedWalker(GENERATOR, identity, clone(LABEL), n_points=5, max_iter=1)
    with pytest.warns(UserWarning, match=r"recognises \d+% of the real images \(chance: 8.3%\)"):
        walker.fit(PROTOTYPES, Y, X_real=X, groups=GROUPS)
    assert not hasattr(identity, "module_")
    np.testing.assert_array_equal(walker.identity_classifier_.classes_, np.unique(GROUPS))
    np.testing.assert_array_equal(walker.label_classifier_.classes_, ["a", "b"])


def test_frozen_guides_survive_a_clone_and_bare_modules_are_guides():
    frozen = GuidedWalker(GENERATOR, FrozenEstimator(IDENTITY), n_points=5, max_iter=2)
    plain = GuidedWalker(GENERATOR, IDENTITY.module_, n_points=5, max_iter=2)
    for walker in (clone(frozen), plain):
        walker.set_params(random_state=0).fit(PROTOTYPES)
    np.testing.assert_array_equal(plain.path_identity_.shape, (6, 5))
    assert frozen.get_params()["identity_classifier"].estimator is IDENTITY


def test_no_guide_is_an_error_that_says_what_to_pass():
    with pytest.raises(ValueError, match=r"protects nobody\. Pass a fitted identity_classifier"):
        GuidedWalker(GENERATOR).fit(PROTOTYPES)


def test_an_unfitted_guide_without_real_images_is_an_error():
    with pytest.raises(ValueError, match=r"identity_classifier is not fitted.*X_real"):
        GuidedWalker(GENERATOR, IdentityClassifier()).fit(PROTOTYPES)


def test_labels_without_a_label_guide_and_the_reverse_warn_once():
    with pytest.warns(UserWarning, match="without a label_classifier") as caught:
        make_walker(label_classifier=None).fit(PROTOTYPES, Y)
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="without y"):
        make_walker().fit(PROTOTYPES)


def test_a_guide_for_other_images_names_both_shapes():
    other = IdentityClassifier(max_iter=1, width=4).fit(np.zeros((4, 1, 16, 16), np.uint8))
    with pytest.raises(ValueError, match=r"\(1, 16, 16\), but the generator makes \(1, 8, 8\)"):
        GuidedWalker(GENERATOR, other).fit(PROTOTYPES)


def test_three_channel_guides_take_one_channel_three_times():
    rgb = IdentityClassifier(max_iter=1, width=4).fit(X.repeat(3, axis=1))
    assert GuidedWalker(GENERATOR, rgb, n_points=4, max_iter=1).fit(PROTOTYPES).paths_.ndim == 3


def test_a_class_that_the_label_guide_never_saw_is_named():
    with pytest.raises(ValueError, match=r"never saw: \['c'\]"):
        make_walker().fit(PROTOTYPES, np.where(Y == "b", "c", Y))
    ids = [f"patient {i}" for i in range(24)]
    with pytest.raises(ValueError, match=r"never saw: 24; it knows 2\."):
        make_walker().fit(PROTOTYPES, ids)


def test_one_prototype_in_a_class_is_an_error_with_a_way_out():
    rows = PROTOTYPES.copy()
    rows[12:] = rows[12]
    with pytest.raises(ValueError, match=r"class b has one prototype \(12 rows\).*smaller k"):
        make_walker().fit(rows, Y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_points": 2}, "n_points"),
        ({"objective": "best"}, "objective"),
        ({"max_iter": -1}, "max_iter"),
    ],
)
def test_bad_parameters_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        make_walker(**settings).fit(PROTOTYPES, Y)


def test_bad_arrays_are_named():
    with pytest.raises(ValueError, match="W has 5 features; latents of this generator have 6"):
        make_walker().fit(PROTOTYPES[:, :5], Y)
    with pytest.raises(ValueError, match=r"y has shape \(3,\)"):
        make_walker().fit(PROTOTYPES, Y[:3])
    with pytest.raises(ValueError, match="X_real has images of shape"):
        make_walker().fit(PROTOTYPES, Y, X_real=np.zeros((3, 1, 9, 8)))
    with pytest.raises(ValueError, match="groups has 3 entries; expected 24"):
        make_walker().fit(PROTOTYPES, Y, X_real=X, groups=[1, 2, 3])
    with pytest.raises(ValueError, match="n_samples=0"):
        make_walker().fit(PROTOTYPES, Y).sample(0)


def test_a_bound_that_was_not_set_is_not_to_be_raised():
    walker = make_walker(duplicate_distance=1.0)
    with pytest.raises(ValueError, match=r"within duplicate_distance=1\.0\. Take") as error:
        walker.fit_transform(PROTOTYPES, Y, X_real=X)
    assert "max_identity" not in str(error.value) and "larger n_points" in str(error.value)


def test_a_subject_at_several_prototypes_of_its_class_is_an_error():
    subjects = np.arange(24) // 4
    assert make_walker().fit(PROTOTYPES, Y, groups=subjects).paths_.ndim == 3
    subjects[[0, 4]] = 99  # at two prototypes of class a
    with pytest.raises(ValueError, match=r"1 subjects have rows .*\(class a: 1\).*ksame__groups"):
        make_walker().fit(PROTOTYPES, Y, groups=subjects)
    two_classes = np.arange(24) // 4
    two_classes[[0, 12]] = 99
    make_walker().fit(PROTOTYPES, Y, groups=two_classes)


def test_groups_of_other_real_images_say_nothing_about_the_rows():
    real, ids = X.repeat(2, axis=0), GROUPS.repeat(2)
    assert make_walker().fit(PROTOTYPES, Y, X_real=real, groups=ids).paths_.ndim == 3
    with pytest.raises(ValueError, match="groups has 48 entries; expected 24, one for each"):
        make_walker().fit(PROTOTYPES, Y, groups=ids)


def test_a_prototype_of_two_classes_is_an_error():
    rows = PROTOTYPES.copy()
    rows[12] = rows[0]
    with pytest.raises(ValueError, match=r"1 prototypes in W .*\(class a, class b\)"):
        make_walker().fit(rows, Y)


def test_swapped_guides_are_an_error():
    classes = IdentityClassifier.from_module(LABEL.module_, ["a", "b"])
    with pytest.raises(ValueError, match=r"identity_classifier knows 2 classes.*those of y"):
        GuidedWalker(GENERATOR, classes, LABEL).fit(PROTOTYPES, Y)
    with pytest.raises(ValueError, match=r"identity_classifier knows 2 classes.*those of y"):
        GuidedWalker(GENERATOR, LABEL, IDENTITY).fit(PROTOTYPES, Y)
    with pytest.raises(ValueError, match="label_classifier knows the subjects of groups"):
        GuidedWalker(GENERATOR, LABEL, IDENTITY).fit(PROTOTYPES, GROUPS, groups=GROUPS)


def test_an_identity_guide_that_recognises_next_to_nobody_warns_with_its_figure():
    torch.manual_seed(0)
    blind = IdentityClassifier.from_module(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 12)), range(12)
    )
    rate = blind.score(X, GROUPS)
    assert rate < 0.2 < IDENTITY.score(X, GROUPS)
    with pytest.warns(UserWarning, match=f"recognises {rate:.0%} of the real images"):
        GuidedWalker(GENERATOR, blind, max_iter=1).fit(PROTOTYPES, X_real=X, groups=GROUPS)
    # trained on other subjects: nothing can be said
    others = GROUPS + 100
    GuidedWalker(GENERATOR, blind, max_iter=1).fit(PROTOTYPES, X_real=X, groups=others)


def test_the_walker_says_which_spaces_guided_it_and_which_private_things_it_used():
    walker = make_walker().fit(PROTOTYPES, Y)
    assert walker.guided_spaces_ == ()
    assert walker.private_sources_ == ("identity_classifier", "label_classifier")
    seeing = IdentityClassifier(backbone="lpips", max_iter=1, random_state=0).fit(X, GROUPS)
    walker = GuidedWalker(GENERATOR, FrozenEstimator(seeing), n_points=4, max_iter=0)
    walker.fit(PROTOTYPES, X_real=X)
    assert walker.guided_spaces_ == ("lpips", "pixels")
    assert walker.private_sources_ == ("X_real", "identity_classifier")


def test_steps_are_those_of_the_objective_unless_max_iter_says_how_many():
    def n_iter(**parameters):
        return make_walker(**({"max_iter": "auto"} | parameters)).fit(PROTOTYPES, Y).n_iter_

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_optimise, "TOLERANCE", -np.inf)
        assert n_iter() == 20 and n_iter(max_iter=3) == 3
        assert n_iter(objective="plan") == 100
        assert n_iter(objective="linear") == 0 == n_iter(max_iter=0)
        plan = GuidedWalker(GENERATOR, IDENTITY, objective="plan", n_points=5)
        assert plan.fit(PROTOTYPES).n_iter_ == 25
