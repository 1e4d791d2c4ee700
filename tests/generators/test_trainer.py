from __future__ import annotations

import numpy as np
import pytest
import torch
from latentwalk import StyleGAN2Trainer
from latentwalk.generators import _trainer
from latentwalk.generators._augment import augment
from latentwalk.generators._discriminator import Discriminator, minibatch_deviation
from latentwalk.generators._snapshots import HeldOut, memorisation_p_value
from latentwalk.generators._stylegan2 import StyleGAN2Config
from sklearn.utils.estimator_checks import parametrize_with_checks

from expected_failures import DRAWS_OTHER_WIDTHS, fixed_width

SMALL = {"batch_size": 4, "latent_dim": 8, "channel_base": 64, "channel_max": 8, "device": "cpu"}


@parametrize_with_checks(
    [StyleGAN2Trainer(max_iter=1, **SMALL)],
    expected_failed_checks=lambda estimator: fixed_width(
        DRAWS_OTHER_WIDTHS, "it trains on images alone; 2-D rows do not tell their shape"
    ),
    xfail_strict=True,
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (12, 1, 8, 8), dtype=np.uint8)


def test_training_learns_the_images():
    """Left halves bright or right halves bright: samples must come near both, and not average."""
    rng = np.random.default_rng(0)
    X = np.full((64, 1, 8, 8), 0.1) + rng.uniform(0, 0.1, (64, 1, 8, 8))
    X[:32, :, :, :4] += 0.7
    X[32:, :, :, 4:] += 0.7
    trainer = StyleGAN2Trainer(
        max_iter=400,
        batch_size=16,
        latent_dim=8,
        channel_base=128,
        channel_max=16,
        ada_target=None,
        ema_images=1000,
        random_state=0,
        device="cpu",
    )
    samples, _ = trainer.fit(X).generator_.sample(200, random_state=0)
    means = np.stack([X[:32].mean(0), X[32:].mean(0)])
    errors = np.abs(samples[:, None] - means).mean((2, 3, 4))
    assert np.median(errors.min(1)) < 0.15
    assert 0.15 < (errors.argmin(1) == 0).mean() < 0.85


def test_auto_is_full_precision_where_bfloat16_has_no_instructions(images, monkeypatch):
    settings = {"max_iter": 3, "random_state": 0, **SMALL}
    full = StyleGAN2Trainer(precision="float32", **settings).fit(images)
    half = StyleGAN2Trainer(precision="bfloat16", **settings).fit(images)
    assert half.generator_ != full.generator_
    for known, same in [(False, full), (True, half)]:
        monkeypatch.setattr(
            torch.cpu, "_is_avx512_bf16_supported", lambda known=known: known, raising=False
        )
        assert StyleGAN2Trainer(**settings).fit(images).generator_ == same.generator_


def test_a_resumed_run_equals_an_uninterrupted_one(images, tmp_path):
    whole = StyleGAN2Trainer(max_iter=40, random_state=0, **SMALL).fit(images)
    part = {"random_state": 0, "checkpoint": tmp_path / "run.pt", **SMALL}
    StyleGAN2Trainer(max_iter=17, **part).fit(images)
    resumed = StyleGAN2Trainer(max_iter=40, **part).fit(images)
    assert resumed.n_iter_ == 40
    assert resumed.generator_ == whole.generator_


def test_an_interrupt_keeps_what_was_done(images, tmp_path, monkeypatch):
    step, done = _trainer.train_step, []

    def interrupted(state, x, labels):
        if state.step == 5:
            raise KeyboardInterrupt
        done.append(state.step)
        return step(state, x, labels)

    monkeypatch.setattr(_trainer, "train_step", interrupted)
    trainer = StyleGAN2Trainer(max_iter=8, random_state=0, checkpoint=tmp_path / "run.pt", **SMALL)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(images)
    monkeypatch.setattr(_trainer, "train_step", step)
    resumed = trainer.fit(images)
    assert (
        resumed.generator_
        == StyleGAN2Trainer(max_iter=8, random_state=0, **SMALL).fit(images).generator_
    )


def test_random_state_decides_the_run(images):
    first, again, other = (
        StyleGAN2Trainer(max_iter=2, random_state=s, **SMALL).fit(images).generator_
        for s in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_class_conditional_training(images):
    y = np.arange(12) % 3
    trainer = StyleGAN2Trainer(max_iter=20, random_state=0, **SMALL).fit(images, y)
    assert trainer.generator_.n_classes == 3
    losses = {"loss_generator", "loss_discriminator", "r1"}
    assert set(trainer.history_) == losses | {"step", "real_sign", "augment_p"}


def test_mean_latent_is_tracked(images):
    trainer = StyleGAN2Trainer(max_iter=20, random_state=0, **SMALL).fit(images)
    assert trainer.generator_.module("cpu").mapping.w_avg.abs().sum() > 0


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((4, 1, 8, 12)), None, "square whose side is a power of two"),
        (np.zeros((4, 1, 24, 24)), None, "resize or crop to"),
        (np.zeros((1, 1, 8, 8)), None, "X has 1 image; a generator needs at least 2"),
        (np.zeros((4, 8, 8)), None, "channel axis"),
        (np.full((4, 1, 8, 8), np.nan), None, "NaN"),
        (np.full((4, 1, 8, 8), 200.0), None, "divide by 255"),
        (np.zeros((4, 1, 8, 8)), [0, 0, 2, 2], "without gaps"),
        (np.zeros((4, 1, 8, 8)), ["a", "a", "b", "b"], "LabelEncoder"),
        (np.zeros((4, 1, 8, 8)), [0, 0, 0, 1], "class 1 of y has one image"),
        (np.zeros((4, 1, 8, 8)), [0, 0], r"y has shape \(2,\)"),
    ],
)
def test_bad_input(X, y, message):
    with pytest.raises(ValueError, match=message):
        StyleGAN2Trainer(max_iter=1, **SMALL).fit(X, y)


def test_a_checkpoint_of_another_configuration_is_refused(images, tmp_path):
    path = tmp_path / "run.pt"
    StyleGAN2Trainer(max_iter=1, checkpoint=path, **SMALL).fit(images)
    with pytest.raises(ValueError, match="another configuration"):
        StyleGAN2Trainer(max_iter=1, checkpoint=path, **SMALL | {"latent_dim": 9}).fit(images)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="not a checkpoint of this trainer"):
        StyleGAN2Trainer(max_iter=1, checkpoint=path, **SMALL).fit(images)


def test_augmentation_changes_every_image_and_passes_gradients():
    x = torch.rand(6, 3, 16, 16, requires_grad=True)
    assert augment(x, 0.0, torch.Generator()) is x
    out = augment(x, 1.0, torch.Generator().manual_seed(0))
    assert out.shape == x.shape
    assert ((out - x).abs().amax((1, 2, 3)) > 0.01).all()
    out.sum().backward()
    assert (x.grad.abs().sum((1, 2, 3)) > 0).all()


def test_augmentation_follows_a_discriminator_that_is_too_sure(images):
    never = StyleGAN2Trainer(max_iter=50, ada_target=None, random_state=0, **SMALL).fit(images)
    assert never.history_["augment_p"].max() == 0
    eager = {"ada_images": 400, "random_state": 0, **SMALL}
    always = StyleGAN2Trainer(max_iter=100, ada_target=-0.99, **eager).fit(images)
    assert always.history_["augment_p"][-1] > 0.5


def test_a_copying_generator_is_noticed_and_one_that_copies_nobody_is_not():
    rng = np.random.default_rng(0)
    members, others = rng.uniform(size=(2, 60, 1, 8, 8)).astype(np.float32)
    held_out = HeldOut(others, np.arange(60), np.arange(60))

    class Sampler:
        def __init__(self, samples):
            self.samples = samples

        def sample(self, n_samples, **_):
            return self.samples, None

    assert memorisation_p_value(Sampler(members), members, held_out) < 1e-6
    fresh = rng.uniform(size=(60, 1, 8, 8)).astype(np.float32)
    assert memorisation_p_value(Sampler(fresh), members, held_out) > 0.05
    assert memorisation_p_value(Sampler(others), members, held_out) > 0.5


def test_snapshots_write_sheets_and_test_against_calibration_images(images, tmp_path):
    trainer = StyleGAN2Trainer(
        max_iter=5, checkpoint_interval=2, sample_sheets=tmp_path / "sheets", **SMALL
    )
    trainer.fit(images[:8], groups=np.arange(8) // 2, X_val=images[8:], groups_val=[9, 9, 8, 8])
    sheets = sorted(p.name for p in (tmp_path / "sheets").iterdir())
    assert sheets == [f"samples-000000{step}.png" for step in (2, 4, 5)]
    assert trainer.history_["snapshot_step"].tolist() == [2, 4, 5]
    assert (
        (trainer.history_["memorisation_p"] > 0) & (trainer.history_["memorisation_p"] <= 1)
    ).all()
    with pytest.raises(ValueError, match="share 1 subjects"):
        trainer.fit(images[:8], groups=np.arange(8), X_val=images[8:], groups_val=[7, 8, 9, 9])


def test_images_on_disk_are_read_batch_by_batch(images, tmp_path):
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    settings = {"max_iter": 3, "random_state": 0, **SMALL}
    on_disk = StyleGAN2Trainer(**settings).fit(mapped)
    assert on_disk.generator_ == StyleGAN2Trainer(**settings).fit(images).generator_


def test_minibatch_deviation_sees_a_collapsed_batch():
    same = torch.ones(4, 2, 3, 3)
    varied = torch.randn(4, 2, 3, 3)
    assert minibatch_deviation(same)[:, -1].max() < 1e-3
    torch.testing.assert_close(
        minibatch_deviation(varied)[0, -1, 0, 0], varied.std(0, unbiased=False).mean()
    )


def test_discriminator_reads_the_class():
    config = StyleGAN2Config(channels=(8, 8), img_channels=1, z_dim=8, w_dim=8, c_dim=2)
    torch.manual_seed(0)
    discriminator, x = Discriminator(config), torch.randn(4, 1, 8, 8)
    first, second = (discriminator(x, torch.eye(2)[[c] * 4]) for c in (0, 1))
    assert first.shape == (4,)
    assert not torch.allclose(first, second)
