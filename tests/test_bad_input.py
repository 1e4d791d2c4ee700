"""Bad input through the public names: a clear error, before any long work.

"Before long work" is tested by making the long work impossible: no network is ever called.
"""

from __future__ import annotations

import numpy as np
import pytest
from latentwalk import (
    GANDecoder,
    GANInverter,
    Generator,
    GuidedWalker,
    IdentityClassifier,
    KSameAggregator,
    LabelClassifier,
    PrivacyAuditor,
    StyleGAN2Trainer,
    TrainOnSynthetic,
    check_pipeline,
    load_generator,
    split_patients,
    write_release,
)
from latentwalk.aggregation import DPKSameAggregator, ShellNormalizer
from latentwalk.datasets import dermoscopy_generator_path
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import Pipeline
from torch import nn

from conftest import make_decoder

SHAPE = (1, 8, 8)
N = 40
GENERATOR = Generator.from_module(make_decoder(), w_dim=6, image_shape=SHAPE)
LONG = 10**9  # steps: a test that starts to train or to optimise never ends


def guide(n_classes: int = N) -> IdentityClassifier:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, n_classes))
    return IdentityClassifier.from_module(net, range(n_classes), image_shape=SHAPE)


def labelled_walker() -> GuidedWalker:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    label = LabelClassifier.from_module(net, ["common", "rare"], image_shape=SHAPE)
    return GuidedWalker(GENERATOR, guide(), label, max_iter=LONG)


def make_pipe(**changes) -> Pipeline:
    steps = [
        ("invert", GANInverter(GENERATOR, encoder_iter=LONG)),
        ("ksame", KSameAggregator(k=5)),
        ("walk", GuidedWalker(GENERATOR, guide(), max_iter=LONG)),
        ("decode", GANDecoder(GENERATOR)),
    ]
    return Pipeline(steps).set_params(**changes)


@pytest.fixture
def X():
    return np.random.default_rng(0).uniform(size=(N, *SHAPE)).astype(np.float32)


def with_nan(X):
    return np.where(np.arange(8) == 3, np.nan, X)


BAD_IMAGES = {
    "rank": (lambda X: X[:, 0], r"\(40, 8, 8\)"),
    "channels last": (lambda X: X.transpose(0, 2, 3, 1), r"channels come first"),
    "channels": (lambda X: X.repeat(3, 1), r"\(3, 8, 8\)"),
    "NaN": (with_nan, "NaN"),
    "bytes as floats": (lambda X: X * 255, "divide by 255"),
    "negative": (lambda X: 2 * X - 1, r"values in \[-"),
    "wide integers": (lambda X: (255 * X).astype(int), "dtype int64"),
    "none": (lambda X: X[:0], "at least 1"),
}

TAKE_IMAGES = {
    "GANInverter": lambda X: GANInverter(GENERATOR, encoder_iter=LONG).fit(X),
    "IdentityClassifier": lambda X: IdentityClassifier(image_shape=SHAPE, max_iter=LONG).fit(X),
    "LabelClassifier": lambda X: LabelClassifier(image_shape=SHAPE, max_iter=LONG).fit(
        X, np.arange(len(X)) % 2
    ),
    "GuidedWalker": lambda X: make_pipe()["walk"].fit(np.random.normal(size=(N, 6)), X_real=X),  # noqa: NPY002
    "check_pipeline": lambda X: check_pipeline(make_pipe(), X),
    "Pipeline": lambda X: make_pipe().fit_transform(X),
}


@pytest.mark.parametrize("bad", BAD_IMAGES)
@pytest.mark.parametrize("taker", TAKE_IMAGES)
def test_images(taker, bad, X):
    spoil, message = BAD_IMAGES[bad]
    with pytest.raises(ValueError, match=message):
        TAKE_IMAGES[taker](spoil(X))


ANY_SHAPE = {
    "PrivacyAuditor": lambda X: PrivacyAuditor().fit(X),
    "held out": lambda X: PrivacyAuditor().fit(
        np.random.default_rng(1).uniform(size=(N, *SHAPE)), X_holdout=X
    ),
    "StyleGAN2Trainer": lambda X: StyleGAN2Trainer(max_iter=LONG).fit(X),
    "write_release": lambda X: write_release("nowhere", X),
}


@pytest.mark.parametrize("bad", ["rank", "NaN", "bytes as floats", "negative"])
@pytest.mark.parametrize("taker", ANY_SHAPE)
def test_images_of_any_shape(taker, bad, X, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spoil, message = BAD_IMAGES[bad]
    with pytest.raises(ValueError, match=message):
        ANY_SHAPE[taker](spoil(X))
    assert list(tmp_path.iterdir()) == []


LATENTS = np.random.default_rng(2).normal(size=(N, 6)).astype(np.float32)
SHORT = np.arange(N - 1)

OTHER_LENGTHS = {
    "KSameAggregator y": lambda X: KSameAggregator().fit(LATENTS, SHORT % 2),
    "KSameAggregator groups": lambda X: KSameAggregator().fit(LATENTS, groups=SHORT),
    "GuidedWalker y": lambda X: labelled_walker().fit(LATENTS, SHORT % 2),
    "GuidedWalker groups": lambda X: make_pipe()["walk"].fit(LATENTS, X_real=X, groups=SHORT),
    "IdentityClassifier": lambda X: IdentityClassifier(max_iter=LONG).fit(X, SHORT),
    "LabelClassifier": lambda X: LabelClassifier(max_iter=LONG).fit(X, SHORT % 2),
    "PrivacyAuditor": lambda X: PrivacyAuditor().fit(X, groups=SHORT),
    "split_patients y": lambda X: split_patients(X, SHORT % 2),
    "split_patients groups": lambda X: split_patients(X, groups=SHORT),
    "check_pipeline y": lambda X: check_pipeline(make_pipe(), X, SHORT % 2),
    "check_pipeline groups": lambda X: check_pipeline(make_pipe(), X, groups=SHORT),
    "TrainOnSynthetic": lambda X: TrainOnSynthetic(make_pipe(), RidgeClassifier()).fit(
        X, SHORT % 2
    ),
    "write_release": lambda X: write_release("nowhere", X, SHORT % 2),
}


@pytest.mark.parametrize("taker", OTHER_LENGTHS)
def test_labels_and_patients_of_another_length(taker, X, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"39|inconsistent"):
        OTHER_LENGTHS[taker](X)
    assert list(tmp_path.iterdir()) == []


def test_fewer_than_two_k_patients_in_a_class(X):
    y = np.where(np.arange(N) < 6, "rare", "common")
    with pytest.raises(ValueError, match=r"class rare: 6\); 10 are needed for the two groups"):
        check_pipeline(make_pipe(), X, y)
    prototypes = KSameAggregator(k=5).fit_transform(LATENTS, y)
    with pytest.raises(ValueError, match=r"rare has one prototype \(6 rows\)"):
        labelled_walker().fit(prototypes, y)


def test_fewer_than_k_patients_in_a_class(X):
    y = np.where(np.arange(N) < 6, "rare", "common")
    twice = np.arange(N) // 2  # three patients with two images each
    with pytest.raises(ValueError, match=r"rare.*3"):
        KSameAggregator(k=5).fit(LATENTS, y, groups=twice)


def test_a_walk_without_an_identity_guide(X):
    with pytest.raises(ValueError, match="identity guide"):
        GuidedWalker(GENERATOR).fit(LATENTS)
    with pytest.raises(ValueError, match="identity guide"):
        GuidedWalker(GENERATOR).fit(LATENTS, X_real=X)
    with pytest.raises(ValueError, match="X_real"):
        GuidedWalker(GENERATOR, IdentityClassifier()).fit(LATENTS)
    with pytest.raises(ValueError, match="identity guide"):
        check_pipeline(make_pipe(walk__identity_classifier=None), X)


@pytest.mark.parametrize(
    "taker",
    [
        KSameAggregator(),
        DPKSameAggregator(GENERATOR, noise=None, n_axes=2),
        ShellNormalizer(GENERATOR),
        GuidedWalker(GENERATOR, guide()),
        GANDecoder(GENERATOR),
    ],
    ids=lambda taker: type(taker).__name__,
)
def test_a_single_latent_is_refused_without_showing_it(taker):
    latent = np.full(6, 0.7182, np.float32)
    with pytest.raises(ValueError, match=r"has shape \(6,\); expected \(n_samples,") as caught:
        taker.fit(latent)
    assert "718" not in str(caught.value)


def test_members_and_held_out_share_a_patient(X):
    X_out = np.random.default_rng(3).uniform(size=(N, *SHAPE))
    ids = [f"patient-{i}" for i in range(2 * N - 1)]
    with pytest.raises(ValueError, match=r"1 .*subject|subject.* 1") as error:
        PrivacyAuditor().fit(
            X, X_holdout=X_out, groups=ids[:N], groups_holdout=[*ids[N:], "patient-7"]
        )
    assert "patient-7" not in str(error.value)


def test_members_and_held_out_share_an_image(X):
    X_out = np.random.default_rng(3).uniform(size=(N, *SHAPE)).astype(np.float32)
    X_out[5] = X[7]
    with pytest.raises(ValueError, match="1 records of X_holdout equal a record of X"):
        PrivacyAuditor().fit(X, X_holdout=X_out)


def test_weights_that_are_missing_moved_or_changed(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.safetensors"):
        load_generator(tmp_path / "absent.safetensors")
    old, new = tmp_path / "network.safetensors", tmp_path / "moved.safetensors"
    content = dermoscopy_generator_path().read_bytes()
    old.write_bytes(content)
    generator = load_generator(old)
    pipe = Pipeline([("decode", GANDecoder(generator))])
    old.rename(new)
    with pytest.raises(ValueError, match="relocate"):
        check_pipeline(pipe, np.zeros((2, 3, 32, 32)))
    assert generator.relocate(new) == generator
    new.write_bytes(content[:-4] + b"\1\2\3\4")
    with pytest.raises(ValueError, match="SHA-256"):
        generator.relocate(new)


@pytest.mark.parametrize("text", ["", "not a network", "PK\x03\x04"])
def test_files_that_are_no_networks(tmp_path, text):
    for name in ("network.pkl", "network.pt", "network.safetensors", "network.txt"):
        (tmp_path / name).write_text(text)
        with pytest.raises((ValueError, OSError), match="network"):
            load_generator(tmp_path / name)
