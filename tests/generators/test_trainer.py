from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import numpy as np
import pytest
import torch
from latentwalk import StyleGAN2Trainer
from latentwalk.datasets import load_image_folder
from latentwalk.generators import NetworkSize, _trainer
from latentwalk.generators._sizes import resolve_size
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config, SynthesisLayer
from latentwalk.generators._training import _draws, _stylegan2_step
from latentwalk.generators._training._augment import N_DRAWS, augment
from latentwalk.generators._training._checkpoints import read_checkpoint
from latentwalk.generators._training._discriminator import Discriminator, minibatch_deviation
from latentwalk.generators._training._history import Clock
from latentwalk.generators._training._interrupts import deferred_interrupt
from latentwalk.generators._training._memorisation import HeldOut, MemorisationTest, coarse
from latentwalk.generators._training._state import TrainingOptions, TrainingState
from latentwalk.generators._training._step import train_step
from latentwalk.metrics import frechet_distance, kernel_distance
from PIL import Image
from sklearn.utils.estimator_checks import parametrize_with_checks

from expected_failures import DRAWS_OTHER_WIDTHS, fixed_width

TINY = NetworkSize(latent_dim=8, channel_base=64, channel_max=8)
SMALL = {"discriminator": "stylegan2", "batch_size": 4, "size": TINY, "device": "cpu"}


@parametrize_with_checks(
    [StyleGAN2Trainer(max_iter=1, **SMALL)],
    expected_failed_checks=lambda estimator: fixed_width(
        DRAWS_OTHER_WIDTHS, "it trains on images alone; 2-D rows do not tell their shape"
    ),
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
        discriminator="stylegan2",
        max_iter=400,
        batch_size=16,
        size=NetworkSize(latent_dim=8, channel_base=128, channel_max=16),
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


def test_the_history_of_a_resumed_run_is_that_of_an_uninterrupted_one(images, tmp_path):
    """Stops between two means, and between two snapshots."""

    def means(X):
        return np.stack([X.mean((1, 2, 3)), X.std((1, 2, 3))], axis=1)

    settings = {"random_state": 0, "checkpoint_interval": 20, "features": means, **SMALL}
    whole = StyleGAN2Trainer(max_iter=75, **settings).fit(images).history_
    for max_iter in (31, 55, 75):
        trainer = StyleGAN2Trainer(max_iter=max_iter, checkpoint=tmp_path / "run.pt", **settings)
        resumed = trainer.fit(images).history_
    assert list(resumed) == list(whole)
    assert resumed["step"].tolist() == [50, 75]
    assert resumed["snapshot_step"].tolist() == [20, 40, 60, 75]
    for name, column in whole.items():
        np.testing.assert_array_equal(resumed[name], column, err_msg=name)


@pytest.fixture
def interrupts():
    """The handler that Python has at a terminal; a shell's background jobs ignore interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_ends_the_step_and_keeps_what_was_done(images, tmp_path, monkeypatch):
    """The signal comes between the two updates of a step, where a save would not be exact."""
    update = _stylegan2_step._discriminator_step
    settings = {"max_iter": 8, "random_state": 0, **SMALL}

    def interrupted(state, *batches):
        if state.step == 5:
            signal.raise_signal(signal.SIGINT)
        return update(state, *batches)

    monkeypatch.setattr(_stylegan2_step, "_discriminator_step", interrupted)
    trainer = StyleGAN2Trainer(checkpoint=tmp_path / "run.pt", **settings)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(images)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    kept = read_checkpoint(tmp_path / "run.pt", torch.device("cpu"))["state"]
    assert kept["step"] == 6
    monkeypatch.undo()
    assert trainer.fit(images).generator_ == StyleGAN2Trainer(**settings).fit(images).generator_


@pytest.mark.usefixtures("interrupts")
def test_a_second_interrupt_is_immediate():
    with pytest.raises(KeyboardInterrupt), deferred_interrupt() as interrupted:
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


TRAIN_FOR_LONG = """
import sys
import numpy as np
from latentwalk import StyleGAN2Trainer
from latentwalk.generators import NetworkSize

X = np.random.default_rng(0).integers(0, 256, (12, 1, 8, 8), dtype=np.uint8)
StyleGAN2Trainer(
    discriminator="stylegan2",
    size=NetworkSize(8, 64, 8), batch_size=4, device="cpu", random_state=0, max_iter=10**6,
    checkpoint=sys.argv[1], checkpoint_interval=2,
).fit(X)
"""


def test_a_terminated_process_keeps_its_steps(tmp_path):
    """What a scheduler sends, to a real process: it saves, and its exit status says why."""
    path = tmp_path / "run.pt"
    process = subprocess.Popen([sys.executable, "-c", TRAIN_FOR_LONG, str(path)])
    try:
        deadline = monotonic() + 120
        while not path.exists() and monotonic() < deadline:
            sleep(0.05)
        before = read_checkpoint(path, torch.device("cpu"))["state"]["step"]
        sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 128 + signal.SIGTERM
    finally:
        process.kill()
    assert read_checkpoint(path, torch.device("cpu"))["state"]["step"] > before
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]


def test_a_killed_process_leaves_a_whole_checkpoint(tmp_path):
    path = tmp_path / "run.pt"
    process = subprocess.Popen([sys.executable, "-c", TRAIN_FOR_LONG, str(path)])
    try:
        deadline = monotonic() + 120
        while not path.exists() and monotonic() < deadline:
            sleep(0.05)
        sleep(0.3)
    finally:
        process.kill()
    process.wait(timeout=60)
    assert read_checkpoint(path, torch.device("cpu"))["state"]["step"] >= 2


def test_a_run_ends_when_its_time_is_over(images):
    trainer = StyleGAN2Trainer(max_iter=10**9, max_time=0.2, checkpoint_interval=10**6, **SMALL)
    n_done = trainer.fit(images).n_iter_
    assert 1 <= n_done < 10**6
    assert trainer.history_["step"][-1] == n_done


def test_a_long_run_is_told_after_a_few_steps():
    clock = Clock(10**9, None)
    clock.tick()
    sleep(0.01)
    with pytest.warns(UserWarning, match=r"training will take about \d+ hours .*pass max_time"):
        assert not any(clock.tick() for _ in range(5))


@pytest.mark.parametrize(
    ("size", "device", "resolution", "channels"),
    [
        ("auto", "cpu", 64, (128, 128, 64, 32, 16)),
        ("auto", "cuda", 64, (256, 256, 256, 128, 64)),
        ("auto", "cuda", 256, (512, 512, 512, 512, 256, 128, 64)),
        ("small", "cuda", 256, (128, 128, 128, 128, 64, 32, 16)),
        ("official", "cpu", 8, (512, 512)),
    ],
)
def test_named_widths(size, device, resolution, channels):
    assert resolve_size(size, resolution, device).channels(resolution) == channels


def test_widths_without_a_channel_are_refused(images):
    size = NetworkSize(latent_dim=8, channel_base=7, channel_max=8)
    with pytest.raises(ValueError, match=r"channel_base=7 leaves no channel .* at least 8"):
        StyleGAN2Trainer(max_iter=1, **SMALL | {"size": size}).fit(images)
    with pytest.raises(ValueError, match="latent_dim=0; expected a positive integer"):
        NetworkSize(latent_dim=0)


def test_labels_of_any_kind_are_classes(images):
    words = np.array(["benign", "malignant", "unsure"])[np.arange(12) % 3]
    named = StyleGAN2Trainer(max_iter=2, random_state=0, **SMALL).fit(images, words)
    numbered = StyleGAN2Trainer(max_iter=2, random_state=0, **SMALL).fit(images, np.arange(12) % 3)
    assert named.classes_.tolist() == ["benign", "malignant", "unsure"]
    assert named.generator_ == numbered.generator_


def test_fits_at_the_same_time_have_the_weights_of_their_seed(images):
    def fit(_):
        return StyleGAN2Trainer(max_iter=1, random_state=0, **SMALL).fit(images).generator_

    expected = fit(0)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(fit, range(8)))
    assert all(generator == expected for generator in found)


def test_a_resumed_progress_bar_starts_where_the_run_was(images, tmp_path, capsys):
    part = {"random_state": 0, "checkpoint": tmp_path / "run.pt", "verbose": True, **SMALL}
    StyleGAN2Trainer(max_iter=3, **part).fit(images)
    capsys.readouterr()
    StyleGAN2Trainer(max_iter=4, **part).fit(images)
    shown = capsys.readouterr().err
    assert "4/4" in shown
    assert "0/4" not in shown


def test_training_in_another_thread(images):
    trainer = StyleGAN2Trainer(max_iter=1, random_state=0, **SMALL)
    thread = threading.Thread(target=trainer.fit, args=(images,))
    thread.start()
    thread.join()
    assert trainer.n_iter_ == 1


@pytest.fixture
def full_disk():
    """Files end at 20 kB, as on a disk without more space; a checkpoint has more."""
    resource = pytest.importorskip("resource", reason="the system has no limits on files")
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_the_old_checkpoint_whole(images, tmp_path, request):
    path = tmp_path / "run.pt"
    settings = {"checkpoint": path, "random_state": 0, **SMALL}
    StyleGAN2Trainer(max_iter=2, **settings).fit(images)
    before = path.read_bytes()
    request.getfixturevalue("full_disk")
    with pytest.raises(OSError, match=r"checkpoint .* could not be written .* as it was"):
        StyleGAN2Trainer(max_iter=3, **settings).fit(images)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]


def test_a_full_disk_leaves_the_old_weights_file_whole(images, tmp_path, request):
    wide = {"size": NetworkSize(latent_dim=8, channel_base=512, channel_max=64)}
    generator = StyleGAN2Trainer(max_iter=1, **SMALL | wide).fit(images).generator_
    saved = generator.save(tmp_path / "network.safetensors")
    request.getfixturevalue("full_disk")
    with pytest.raises(OSError, match=r"the weights file .* could not be written"):
        generator.save(saved.path)
    saved.check()
    assert [p.name for p in tmp_path.iterdir()] == ["network.safetensors"]


def test_places_that_cannot_be_written_are_found_before_the_training(images, tmp_path):
    (tmp_path / "file").write_text("")
    trainer = StyleGAN2Trainer(max_iter=10**9, checkpoint=tmp_path, **SMALL)
    with pytest.raises(OSError, match="not a file that can be written"):
        trainer.fit(images)
    with pytest.raises(OSError, match=r"folder of checkpoint .* cannot be made"):
        trainer.set_params(checkpoint=tmp_path / "file" / "run.pt").fit(images)
    with pytest.raises(OSError):
        trainer.set_params(checkpoint=None, sample_sheets=tmp_path / "file").fit(images)
    StyleGAN2Trainer(max_iter=1, checkpoint=tmp_path / "new" / "run.pt", **SMALL).fit(images)
    assert (tmp_path / "new" / "run.pt").exists()


def gradients(images, n_parts, conditional, r1_interval, monkeypatch):
    """Of both networks in one step, with augmentation, before anything has drifted apart."""
    options = TrainingOptions(
        discriminator="stylegan2",
        batch_size=16,
        n_parts=n_parts,
        learning_rate=1e-3,
        r1_gamma=1.0,
        r1_interval=r1_interval,
        ema_images=100,
        ada_target=None,
        ada_images=1000,
        mirror=True,
        precision="float32",
        keep_best=False,
    )
    config = StyleGAN2Config((8, 8), 1, z_dim=8, w_dim=8, c_dim=3 if conditional else 0)
    state = TrainingState(config, options, torch.device("cpu"), seed=0)
    state.augment_p, state.step = 0.7, 1  # without R1 where the interval is not 1
    with monkeypatch.context() as patch:
        # after an update by Adam, rounding of a gradient near zero would be as large as any
        patch.setattr(torch.optim.Adam, "step", lambda self: None)
        log = train_step(state, images, torch.arange(12) % 3 if conditional else None)
    networks = {"g": state.generator, "d": state.discriminator}
    found = {f"{k}.{n}": p.grad for k, m in networks.items() for n, p in m.named_parameters()}
    return found, log, state.generator.mapping.w_avg


@pytest.mark.parametrize("r1_interval", [1, 100], ids=["r1", "loss"])
@pytest.mark.parametrize("conditional", [False, True], ids=["one class", "classes"])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(
    images, conditional, r1_interval, monkeypatch
):
    whole, log, w_avg = gradients(images, 1, conditional, r1_interval, monkeypatch)
    for n_parts in (2, 4):
        parts, again, mean = gradients(images, n_parts, conditional, r1_interval, monkeypatch)
        for name, gradient in whole.items():
            if gradient is not None:
                torch.testing.assert_close(parts[name], gradient, rtol=1e-4, atol=1e-5, msg=name)
        assert again == pytest.approx(log, rel=1e-4, abs=1e-6)
        torch.testing.assert_close(mean, w_avg)
    assert whole["d.conv.weight"].abs().max() > 1e-3


@pytest.mark.parametrize(("batch_size", "n_parts"), [(16, 3), (16, 8), (6, 6), (4, 2)])
def test_parts_that_would_give_another_result_are_refused(images, batch_size, n_parts):
    settings = SMALL | {"batch_size": batch_size, "gradient_accumulation": n_parts}
    with pytest.raises(ValueError, match=r"gradient_accumulation=.*expected one of \[1"):
        StyleGAN2Trainer(max_iter=1, **settings).fit(images)


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
    assert trainer.classes_.tolist() == [0, 1, 2]
    losses = {"loss_generator", "loss_discriminator", "r1"}
    assert set(trainer.history_) == losses | {"step", "real_sign", "augment_p"}


def test_mean_latent_is_tracked(images):
    trainer = StyleGAN2Trainer(max_iter=20, random_state=0, **SMALL).fit(images)
    assert trainer.generator_.module("cpu").mapping.w_avg.abs().sum() > 0


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((4, 1, 8, 12)), None, "square whose side is a power of two"),
        (np.zeros((4, 1, 24, 24)), None, r"to 32x32, as load_image_folder\(folder, size=32\)"),
        (np.zeros((1, 1, 8, 8)), None, "X has 1 image; a generator needs at least 2"),
        (np.zeros((4, 8, 8)), None, "channel axis"),
        (np.full((4, 1, 8, 8), np.nan), None, "NaN"),
        (np.full((4, 1, 8, 8), 200.0), None, "divide by 255"),
        ([np.zeros((1, 8, 8)), np.zeros((1, 16, 16))], None, "images of several sizes"),
        (np.zeros((4, 1, 8, 8)), [0, 0, 0, 1], "1 of the 2 classes of y have one image"),
        (np.zeros((4, 1, 8, 8)), ["ann", "bob", "cy", "di"], "Subject ids are groups"),
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
        other = NetworkSize(latent_dim=9, channel_base=64, channel_max=8)
        StyleGAN2Trainer(max_iter=1, checkpoint=path, **SMALL | {"size": other}).fit(images)
    for name, value in {"batch_size": 8, "mirror": True}.items():
        with pytest.raises(ValueError, match=rf"{name}=.* where this fit has {value}"):
            StyleGAN2Trainer(max_iter=2, checkpoint=path, **SMALL | {name: value}).fit(images)
    with pytest.raises(ValueError, match="c_dim=0 where this fit has 2"):
        StyleGAN2Trainer(max_iter=2, checkpoint=path, **SMALL).fit(images, np.arange(12) % 2)
    machine = {"precision": "float32", "gradient_accumulation": 1}
    assert StyleGAN2Trainer(max_iter=2, checkpoint=path, **SMALL | machine).fit(images).n_iter_ == 2
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="not a checkpoint of this trainer"):
        StyleGAN2Trainer(max_iter=1, checkpoint=path, **SMALL).fit(images)


def test_a_checkpoint_belongs_to_its_images_labels_and_seed(images, tmp_path):
    """After a changed split the network of patients who are now held out would be returned."""
    path = tmp_path / "run.pt"
    settings = {"checkpoint": path, "max_iter": 2, **SMALL}
    y = np.arange(12) % 2
    first = StyleGAN2Trainer(random_state=0, **settings).fit(images, y).generator_
    for X, labels in [(images[::-1], y), (images[:10], y[:10]), (images, 1 - y)]:
        with pytest.raises(ValueError, match="other images or labels"):
            StyleGAN2Trainer(random_state=0, **settings).fit(X, labels)
    with pytest.raises(ValueError, match="another random_state"):
        StyleGAN2Trainer(random_state=1, **settings).fit(images, y)
    assert StyleGAN2Trainer(**settings).fit(images, y).generator_ == first


def test_a_damaged_checkpoint_is_refused_whatever_the_damage(images, tmp_path):
    path = tmp_path / "run.pt"
    settings = {"checkpoint": path, "random_state": 0, **SMALL}
    StyleGAN2Trainer(max_iter=1, **settings).fit(images)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for place in rng.integers(len(content), size=60):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        with pytest.raises(ValueError, match=r"checkpoint .*(is damaged|is not a checkpoint)"):
            read_checkpoint(path, torch.device("cpu"))
    for length in rng.integers(len(content), size=60):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"checkpoint .*(is damaged|is not a checkpoint)"):
            read_checkpoint(path, torch.device("cpu"))
    path.write_bytes(content)
    assert StyleGAN2Trainer(max_iter=2, **settings).fit(images).n_iter_ == 2


def test_augmentation_changes_every_image_and_passes_gradients():
    x = torch.rand(6, 3, 16, 16, requires_grad=True)
    draws = torch.rand(6, N_DRAWS, generator=torch.Generator().manual_seed(0))
    assert augment(x, 0.0, draws) is x
    out = augment(x, 1.0, draws)
    assert out.shape == x.shape
    assert ((out - x).abs().amax((1, 2, 3)) > 0.01).all()
    out.sum().backward()
    assert (x.grad.abs().sum((1, 2, 3)) > 0).all()


def test_augmentation_follows_a_discriminator_that_is_too_sure(images, monkeypatch):
    monkeypatch.setattr(_trainer, "ADA_TARGET", None)
    never = StyleGAN2Trainer(max_iter=50, random_state=0, **SMALL).fit(images)
    assert never.history_["augment_p"].max() == 0
    monkeypatch.setattr(_trainer, "ADA_TARGET", -0.99)
    monkeypatch.setattr(_trainer, "ADA_IMAGES", 400)
    always = StyleGAN2Trainer(max_iter=100, random_state=1, **SMALL).fit(images)
    assert always.history_["augment_p"][-1] > 0.5


def test_a_copying_generator_is_noticed_and_one_that_copies_nobody_is_not():
    rng = np.random.default_rng(0)
    members, others, fresh = rng.uniform(size=(3, 60, 1, 8, 8)).astype(np.float32)
    test = MemorisationTest(members, HeldOut(others, np.arange(60), np.arange(60)))
    assert test.p_value(coarse(members)) < 1e-6
    assert test.p_value(coarse(fresh)) > 0.05
    assert test.p_value(coarse(others)) > 0.5


def test_coarse_pixels_are_means_of_blocks():
    images = np.arange(2 * 16 * 16, dtype=np.float32).reshape(2, 1, 16, 16) / 1000
    found = coarse(images)
    assert found.shape == (2, 64)
    assert found[1, 9] == pytest.approx(images[1, 0, 2:4, 2:4].mean())


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
    assert np.isnan(trainer.history_["frechet_distance"]).all()


def test_fidelity_of_the_samples_is_in_the_history(images):
    """Two features, and as many samples as images: the figures can be worked out beside it."""
    y = np.arange(12) % 3

    def means(X):
        return np.stack([X.mean((1, 2, 3)), X.std((1, 2, 3))], axis=1)

    trainer = StyleGAN2Trainer(
        max_iter=4, checkpoint_interval=2, features=means, random_state=0, **SMALL
    ).fit(images, y)
    samples, _ = trainer.generator_.sample(12, y, random_state=np.random.RandomState(0))
    found, real = means(samples), means(images / 255)
    history = trainer.history_
    assert history["snapshot_step"].tolist() == [2, 4]
    assert history["frechet_distance"][-1] == pytest.approx(frechet_distance(found, real), rel=1e-3)
    assert history["kernel_distance"][-1] == pytest.approx(kernel_distance(found, real), rel=1e-3)
    assert np.isnan(history["memorisation_p"]).all()


def test_features_that_cannot_be_made_are_found_before_the_training(images):
    trainer = StyleGAN2Trainer(max_iter=10**9, features="nothing", **SMALL)
    with pytest.raises(ValueError, match="features='nothing'"):
        trainer.fit(images)
    with pytest.raises(ValueError, match="CallableFeatures gave features of shape"):
        trainer.set_params(features=lambda X: X[:1]).fit(images)


def test_every_column_of_the_history_has_a_row_for_each_step(images):
    """The last rows are of one step, which has no R1."""
    history = StyleGAN2Trainer(max_iter=52, **SMALL).fit(images).history_
    assert {len(column) for column in history.values()} == {2}
    assert np.isnan(history["r1"]).tolist() == [False, True]


class SortedRows:
    """Bytes that are read by increasing row numbers alone, as HDF5 datasets are."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.ndim = array, array.shape, array.dtype, 4
        self.largest = 0

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        assert isinstance(rows, slice) or (np.diff(rows) > 0).all()
        self.largest = max(self.largest, len(self.array[rows]))
        return self.array[rows]

    def __array__(self, *args, **options):
        raise AssertionError("the whole was read")


def test_bytes_outside_of_memory_are_read_by_the_batch(images):
    many = np.concatenate([images] * 10)
    settings = {"max_iter": 3, "checkpoint_interval": 2, "random_state": 0, **SMALL}
    rows, val = SortedRows(many), SortedRows(images[:8])
    sizes = {"features": "pixels", "checkpoint": None}
    on_disk = StyleGAN2Trainer(**settings, **sizes).fit(rows, X_val=val)
    in_memory = StyleGAN2Trainer(**settings, **sizes).fit(many, X_val=images[:8])
    assert on_disk.generator_ == in_memory.generator_
    assert on_disk.history_["frechet_distance"][-1] == in_memory.history_["frechet_distance"][-1]
    assert rows.largest <= 64


def test_a_folder_trains_as_its_array_does(images, tmp_path):
    for row, image in enumerate(images):
        place = tmp_path / "images" / ("b" if row % 2 else "a") / f"{row:02d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(place)
    data = load_image_folder(tmp_path / "images", size=8, levels=("label",))
    settings = {"max_iter": 3, "random_state": 0, **SMALL}
    found = StyleGAN2Trainer(**settings).fit(data.images, data.target)
    order = [*range(0, 12, 2), *range(1, 12, 2)]
    expected = StyleGAN2Trainer(**settings).fit(images[order], np.repeat([0, 1], 6))
    assert found.generator_ == expected.generator_
    rows = np.arange(4, 10)
    part = StyleGAN2Trainer(**settings).fit(data.images[rows])
    assert part.generator_ == StyleGAN2Trainer(**settings).fit(images[order][rows]).generator_


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


def test_noise_is_drawn_anew_for_every_image_in_training(images):
    trainer = StyleGAN2Trainer(max_iter=1, random_state=0, **SMALL)
    state = trainer._start(images, 0, "stylegan2", seed=0)
    for name, parameter in state.generator.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.fill_(1.0)
    batch, other = (_draws.draw_latents(state, None) for _ in range(2))
    image, _ = _draws.generate(state, batch)
    assert not torch.equal(image, _draws.generate(state, batch._replace(noise=other.noise))[0])
    one = batch._replace(z=batch.z[:1].expand_as(batch.z))
    alike, _ = _draws.generate(state, one)
    assert not torch.equal(alike[0], alike[1])


def test_noise_of_ones_own_that_is_the_constant_one_gives_its_images():
    config = StyleGAN2Config(channels=(8, 8, 4), img_channels=1, z_dim=8, w_dim=8)
    network = StyleGAN2(config)
    layers = [m for m in network.modules() if isinstance(m, SynthesisLayer)]
    for layer in layers:
        layer.noise_strength.data.fill_(0.7)
    ws = torch.randn(2, config.num_ws, 8, generator=torch.Generator().manual_seed(0))
    noise = torch.cat([layer.noise_const.flatten() for layer in layers]).expand(2, -1)
    assert noise.shape[1] == sum(network.synthesis.noise_sizes)
    torch.testing.assert_close(network.synthesis(ws, noise), network.synthesis(ws, "const"))
    assert not torch.allclose(network.synthesis(ws, noise), network.synthesis(ws, "none"))
