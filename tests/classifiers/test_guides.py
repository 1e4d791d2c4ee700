"""The guides on images: what they learn, keep and refuse."""

from __future__ import annotations

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from latentwalk import IdentityClassifier, LabelClassifier
from latentwalk.classifiers._augment import AUGMENTATIONS, augment
from latentwalk.classifiers._backbone import LPIPSBackbone, Whiten
from latentwalk.classifiers._training import fit_temperature
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.metrics import balanced_accuracy_score
from torch import nn

DIGITS = load_digits()
X, Y = (DIGITS.images[:600, None] / 16).astype(np.float32), DIGITS.target[:600]
SUBJECTS = np.random.RandomState(0).rand(20, 3, 16, 16)


def shots(seed, n=20):
    """A noisy image of each subject."""
    noise = np.random.RandomState(seed).normal(scale=0.1, size=(n, 3, 16, 16))
    return (SUBJECTS[:n] + noise).clip(0, 1).astype(np.float32)


IDS = np.array([f"p{i:02d}" for i in range(20)])
TRAIN = np.concatenate([shots(i) for i in range(3)])


def quick(cls, **parameters):
    defaults = {"width": 8, "augmentation": None, "max_iter": 12, "random_state": 0}
    return cls(**(defaults | parameters))


def test_subjects_are_recognised_in_other_images_of_them():
    guide = quick(IdentityClassifier).fit(TRAIN, np.tile(IDS, 3))
    assert guide.score(shots(99), IDS) > 0.9
    assert guide.history_[-1]["loss"] < guide.history_[0]["loss"]
    assert len(guide.history_) == guide.n_iter_ == 12


def test_without_ids_every_image_is_its_own_subject():
    guide = quick(IdentityClassifier, max_iter=1).fit(shots(0))
    np.testing.assert_array_equal(guide.classes_, np.arange(20))


def test_as_many_subjects_as_images_is_no_reason_to_warn():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The number of unique classes")
        quick(IdentityClassifier, max_iter=1).fit(shots(0), IDS)


def test_classes_are_learnt_from_bytes_flat_rows_and_floats_alike():
    flat = quick(LabelClassifier, image_shape=(1, 8, 8), max_iter=8, width=16).fit(
        (X[:400] * 255).astype(np.uint8).reshape(400, -1), Y[:400]
    )
    assert flat.score(X[400:], Y[400:]) > 0.8
    bytes_ = (X[400:] * 255).astype(np.uint8)
    np.testing.assert_allclose(
        flat.predict_proba(bytes_), flat.predict_proba(bytes_ / 255.0), atol=1e-5
    )


def test_the_module_gives_the_logits_of_the_probabilities():
    guide = quick(LabelClassifier, max_iter=2).fit(X[:100], Y[:100])
    logits = guide.module_(torch.as_tensor(X[:5])).detach().numpy()
    np.testing.assert_allclose(
        log_softmax(logits.astype(float), axis=1), np.log(guide.predict_proba(X[:5])), rtol=1e-4
    )
    image = torch.as_tensor(X[:1]).requires_grad_()
    guide.module_(image).max().backward()
    assert image.grad.abs().sum() > 0


def test_fits_repeat_and_leave_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = quick(IdentityClassifier, max_iter=2, augmentation=AUGMENTATIONS).fit(TRAIN)
    second = quick(IdentityClassifier, max_iter=2, augmentation=AUGMENTATIONS).fit(TRAIN)
    np.testing.assert_array_equal(first.predict_proba(TRAIN), second.predict_proba(TRAIN))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("backbone", [None, "lpips"])
def test_fits_in_threads_equal_fits_one_after_another(backbone):
    def fit(seed):
        guide = quick(IdentityClassifier, max_iter=1, augmentation=AUGMENTATIONS, random_state=seed)
        guide.set_params(backbone=backbone).fit(TRAIN[:20], IDS)
        return guide.predict_proba(shots(7))

    fit(0)  # the first call in a process may round otherwise, in threads or not
    serial = [fit(seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        threaded = list(pool.map(fit, range(6)))
    np.testing.assert_array_equal(threaded, serial)
    assert len({proba.tobytes() for proba in serial}) == 6


def test_an_identity_guide_that_recognises_next_to_nobody_warns():
    with pytest.warns(UserWarning, match=r"recognises only \d+% of its training images"):
        quick(IdentityClassifier, max_iter=1, learning_rate=1e-9).fit(TRAIN, np.tile(IDS, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(IdentityClassifier).fit(TRAIN, np.tile(IDS, 3))


def test_balanced_weights_find_the_rare_class():
    rng = np.random.RandomState(0)
    y = np.repeat(["common", "rare"], [285, 15])
    features = rng.normal(size=(300, 2)) + 1.5 * (y == "rare")[:, None]
    rows = rng.permutation(300)
    recall = []
    for weight in (None, "balanced"):
        guide = quick(LabelClassifier, class_weight=weight, label_smoothing=0.0)
        guide.fit(features[rows], y[rows])
        recall.append(np.mean(guide.predict(features[y == "rare"]) == "rare"))
    assert recall[1] > recall[0] + 0.2


def test_weights_of_rows_decide_between_contradicting_rows():
    rng = np.random.RandomState(0)
    features = np.tile(rng.normal(size=(40, 2)), (2, 1))
    y = np.repeat(["a", "b"], 40)
    weights = np.r_[np.repeat([0.9, 0.1], 20), np.repeat([0.1, 0.9], 20)]
    guide = quick(LabelClassifier, max_iter=60, label_smoothing=0.0)
    guide.fit(features, y, sample_weight=weights)
    posteriors = guide.predict_proba(features[:40])[:, 0]
    assert posteriors[:20].mean() > 0.6 > 0.4 > posteriors[20:].mean()


def test_figures_on_held_out_images_are_printed_when_asked_for(capsys):
    y_val = np.where(Y[400:] == 3, 3, 5)  # one class is rare here, and the other hard
    guide = quick(LabelClassifier, max_iter=4, verbose=True)
    guide.fit(X[:200], np.where(Y[:200] == 3, 3, 5), X_val=X[400:], y_val=y_val)
    balanced = balanced_accuracy_score(y_val, guide.predict(X[400:]))
    assert guide.validation_balanced_accuracy_ == pytest.approx(balanced)
    printed = capsys.readouterr().out
    assert f"200 held-out rows, rank 1 {guide.validation_score_:.3f}" in printed
    assert f"balanced accuracy {balanced:.3f}, by chance 0.500" in printed


@pytest.mark.parametrize("labels", [[None] + [1] * 19, [np.nan] + ["a"] * 19])
def test_missing_labels_are_counted(labels):
    with pytest.raises(ValueError, match="y has 1 missing values"):
        quick(LabelClassifier, max_iter=1).fit(shots(0), labels)


def test_a_pickle_holds_numpy_state_and_predicts_the_same():
    guide = quick(LabelClassifier, max_iter=2).fit(X[:100], Y[:100])
    arrays = guide.__getstate__()["module_"].arrays
    assert all(isinstance(value, np.ndarray) for value in arrays.values())
    again = pickle.loads(pickle.dumps(guide))
    np.testing.assert_array_equal(again.predict_proba(X[:20]), guide.predict_proba(X[:20]))
    with pytest.raises(NotFittedError):
        clone(guide).predict(X[:2])


def test_validation_images_stop_keep_the_best_epoch_and_calibrate():
    noisy = np.where(np.random.RandomState(0).rand(200) < 0.4, (Y[:200] + 1) % 10, Y[:200])
    guide = quick(LabelClassifier, max_iter=60, patience=3, label_smoothing=0.0)
    guide.fit(X[:200], noisy, X_val=X[400:], y_val=Y[400:])
    losses = [epoch["validation_loss"] for epoch in guide.history_]
    assert len(losses) < 60 and len(losses) - 1 - int(np.argmin(losses)) == 3
    assert guide.temperature_ != 1
    picked = guide.predict_proba(X[400:])[np.arange(200), Y[400:]]
    assert -np.log(picked).mean() <= min(losses) + 1e-6
    assert guide.validation_score_ == guide.score(X[400:], Y[400:])


def test_the_temperature_minimises_the_log_loss():
    rng = np.random.RandomState(0)
    logits = rng.normal(size=(4000, 5))
    proba = np.exp(log_softmax(logits, axis=1))
    codes = np.array([rng.choice(5, p=p) for p in proba])
    assert abs(fit_temperature(3 * logits, codes) - 3) < 0.3


def test_warm_start_goes_on_where_the_last_fit_ended():
    guide = quick(LabelClassifier, max_iter=3, warm_start=True).fit(X[:300], Y[:300])
    once = guide.history_[-1]["loss"]
    guide.fit(X[:300], Y[:300])
    assert len(guide.history_) == 6 and guide.history_[3]["loss"] < guide.history_[0]["loss"]
    assert guide.history_[-1]["loss"] < once


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_each_augmentation_changes_images_and_keeps_the_range(kind):
    images = torch.as_tensor(shots(0))
    changed = augment(images, [kind], torch.Generator().manual_seed(0))
    assert changed.shape == images.shape
    assert changed.min() >= 0 and changed.max() <= 1
    assert not torch.allclose(changed, images, atol=1e-3)


def test_a_flip_is_exact_in_some_images_and_absent_in_the_others():
    images = torch.as_tensor(shots(0))
    changed = augment(images, ["flip"], torch.Generator().manual_seed(0))
    same = (changed - images).abs().amax(dim=(1, 2, 3)) < 1e-5
    flipped = (changed - images.flip(3)).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert (same ^ flipped).all() and same.any() and flipped.any()


def test_a_module_becomes_a_fitted_guide():
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    guide = LabelClassifier.from_module(module, ["x", "y", "z"], image_shape=(1, 8, 8))
    assert set(guide.predict(X[:50])) <= {"x", "y", "z"}
    assert guide.n_features_in_ == 64
    with pytest.raises(TypeError, match="module is a str"):
        LabelClassifier.from_module("net", ["x"])
    with pytest.raises(ValueError, match="2 distinct labels"):
        LabelClassifier.from_module(module, ["x", "y", "y"])


def test_bad_input_is_named_and_ids_are_not():
    guide = quick(IdentityClassifier, max_iter=1)
    with pytest.raises(ValueError, match=r"y has shape \(3,\); expected \(20,\)"):
        guide.fit(shots(0), IDS[:3])
    with pytest.raises(ValueError, match="float images are in"):
        guide.fit(shots(0) * 255, IDS)
    with pytest.raises(ValueError, match="NaN"):
        guide.fit(shots(0) * np.nan, IDS)
    with pytest.raises(ValueError, match=r"augmentation has \['blur'\]"):
        quick(IdentityClassifier, augmentation=("blur",)).fit(shots(0), IDS)
    with pytest.raises(ValueError, match="belong together"):
        guide.fit(shots(0), IDS, X_val=shots(1))
    with pytest.raises(ValueError, match="y_val has 1 rows of classes") as error:
        guide.fit(shots(0), IDS, X_val=shots(1), y_val=np.where(IDS == "p03", "secret", IDS))
    assert "secret" not in str(error.value)
    with pytest.raises(ValueError, match=r"images of shape \(3, 8, 8\); expected \(3, 16, 16\)"):
        guide.fit(shots(0), IDS).predict(np.zeros((2, 3, 8, 8)))


def flat_net():
    return nn.Sequential(nn.AvgPool2d(2), nn.Flatten())


@pytest.mark.parametrize("backbone", ["lpips", flat_net()])
def test_a_backbone_gives_the_features_and_is_not_trained(backbone):
    guide = quick(IdentityClassifier, backbone=backbone, max_iter=3, augmentation=("shift",))
    guide.fit(TRAIN, np.tile(IDS, 3))
    assert guide.score(shots(99), IDS) > 0.9
    frozen, whiten, head = list(guide.module_)[:3]
    assert not any(p.requires_grad for p in frozen.parameters())
    assert head.weight.shape == (20, whiten.components.shape[1])
    again = pickle.loads(pickle.dumps(guide))
    np.testing.assert_array_equal(again.predict_proba(TRAIN[:5]), guide.predict_proba(TRAIN[:5]))
    image = torch.as_tensor(TRAIN[:1]).requires_grad_()
    guide.module_(image).max().backward()
    assert image.grad.abs().sum() > 0


def test_a_backbone_stays_in_evaluation_mode_and_is_copied():
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten())
    mean = net[0].running_mean.clone()
    guide = quick(IdentityClassifier, backbone=net, max_iter=2).fit(TRAIN, np.tile(IDS, 3))
    assert torch.equal(guide.module_[0].module[0].running_mean, mean)
    assert net.training and all(p.requires_grad for p in net.parameters())


def test_whitened_features_have_variance_one_and_no_correlation():
    features = torch.randn(200, 30, generator=torch.Generator().manual_seed(0)) @ torch.diag(
        torch.logspace(-1, 1, 30)
    )
    white = Whiten(features)(features)
    assert white.shape == (200, 30)
    np.testing.assert_allclose(np.cov(white.T.numpy(), bias=True), np.eye(30), atol=1e-3)


def test_the_head_starts_at_the_class_means():
    guide = quick(IdentityClassifier, backbone="lpips", max_iter=1, learning_rate=1e-9)
    guide.fit(shots(0), IDS)
    assert guide.score(shots(5), IDS) > 0.9


def test_larger_images_cost_a_lpips_backbone_no_more():
    few, many = (LPIPSBackbone()(torch.rand(2, 1, side, side)).shape for side in (64, 200))
    assert few == many == (2, 31872)


def test_features_and_small_sets_pass_a_backbone_by():
    guide = quick(LabelClassifier, backbone="lpips", max_iter=1)
    assert guide.fit(X[:50].reshape(50, -1), Y[:50]).predict_proba(X[:2].reshape(2, -1)).ndim == 2
    for rows in (1, 2):
        alone = quick(IdentityClassifier, backbone="lpips", max_iter=1).fit(X[:rows])
        assert np.isfinite(alone.predict_proba(X[:3])).all()


def test_a_backbone_for_other_images_is_named():
    wants_rgb = nn.Conv2d(3, 4, 3)
    with pytest.raises(ValueError, match=r"backbone does not take images of shape \(1, 8, 8\)"):
        quick(LabelClassifier, backbone=wants_rgb).fit(X[:50], Y[:50])
    with pytest.raises(ValueError, match="expected a row of floats"):
        quick(IdentityClassifier, backbone=nn.Flatten(0, 1)).fit(TRAIN)
    with pytest.raises(ValueError, match="'backbone' parameter"):
        quick(LabelClassifier, backbone="vgg").fit(X[:50], Y[:50])
