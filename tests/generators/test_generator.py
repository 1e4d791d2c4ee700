from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from latentwalk import GANDecoder, Generator, load_generator
from latentwalk.generators import _sources, decode_latents
from latentwalk.generators._stylegan2 import StyleGAN2, StyleGAN2Config
from sklearn.base import clone
from torch import nn

CONFIG = StyleGAN2Config(channels=(8, 8), img_channels=1, z_dim=5, w_dim=7)


def make_network(config: StyleGAN2Config = CONFIG) -> StyleGAN2:
    torch.manual_seed(0)
    network = StyleGAN2(config)
    nn.init.normal_(network.mapping.w_avg)
    return network


@pytest.fixture
def saved(tmp_path) -> Generator:
    return Generator.from_stylegan2(make_network()).save(tmp_path / "network.safetensors")


def test_attributes(saved):
    assert saved.image_shape == (1, 8, 8)
    assert (saved.z_dim, saved.w_dim, saved.num_ws, saved.n_classes) == (5, 7, 4, 0)
    spaces = [saved.using(latent_space=space) for space in ("w", "w+", "z")]
    assert [generator.n_latent_features for generator in spaces] == [7, 28, 5]
    assert repr(saved).startswith("Generator('network.safetensors', 1x8x8, w_dim=7")


def test_saving_keeps_the_images(saved):
    held = Generator.from_stylegan2(make_network())
    X, W = held.sample(3, random_state=0)
    X_saved, W_saved = saved.sample(3, random_state=0)
    np.testing.assert_allclose(W, W_saved, atol=1e-6)
    np.testing.assert_allclose(X, X_saved, atol=1e-6)


def test_half_precision_halves_the_file_and_hardly_moves_the_images(saved, tmp_path):
    half = saved.save(tmp_path / "half.safetensors", dtype="float16")
    full_size = (tmp_path / "network.safetensors").stat().st_size
    assert (tmp_path / "half.safetensors").stat().st_size < 0.75 * full_size
    np.testing.assert_allclose(
        half.sample(3, random_state=0)[0], saved.sample(3, random_state=0)[0], atol=5e-3
    )


def test_images_are_in_the_unit_range_and_follow_the_network(saved):
    w = torch.randn(4, 7) * 5
    with torch.no_grad():
        raw = saved.module("cpu").synthesis(w[:, None].expand(-1, 4, -1))
    assert raw.abs().max() > 1
    torch.testing.assert_close(saved.synthesis(w), (raw.clamp(-1, 1) + 1) / 2)


def test_extended_latents_differ_by_row(saved):
    w = torch.randn(2, 7)
    extended = w[:, None].expand(-1, 4, -1).clone()
    wide = saved.using(latent_space="w+")
    torch.testing.assert_close(wide.decode(extended.flatten(1)), saved.synthesis(w))
    extended[:, -1] += 1
    assert not torch.allclose(wide.decode(extended.flatten(1)), saved.synthesis(w))


def test_z_goes_through_the_mapping(saved):
    z = torch.randn(2, 5)
    decoded = saved.using(latent_space="z").decode(z)
    torch.testing.assert_close(decoded, saved.synthesis(saved.mapping(z)))


def test_truncation_draws_towards_the_mean_latent(saved):
    z = torch.randn(2, 5)
    w_avg = saved.module("cpu").mapping.w_avg
    torch.testing.assert_close(saved.mapping(z, truncation_psi=0.0), w_avg.expand(2, -1))
    halfway = (saved.mapping(z) + w_avg) / 2
    torch.testing.assert_close(saved.mapping(z, truncation_psi=0.5), halfway)


def test_synthesis_is_differentiable_and_the_network_frozen(saved):
    w = torch.zeros(1, 7, requires_grad=True)
    saved.synthesis(w).sum().backward()
    assert w.grad.abs().sum() > 0
    network = saved.module("cpu")
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


def test_moments_are_those_of_the_mapping(saved):
    w = saved.mapping(torch.randn(20000, 5)).detach().numpy()
    mean, std = saved.latent_moments
    np.testing.assert_allclose(mean, w.mean(0), atol=0.05)
    np.testing.assert_allclose(std, w.std(0), atol=0.05)
    wide = saved.using(latent_space="w+")
    np.testing.assert_array_equal(wide.latent_moments, np.tile([mean, std], 4))
    np.testing.assert_array_equal(
        saved.using(latent_space="z").latent_moments, [np.zeros(5), np.ones(5)]
    )


def test_deviations_can_be_divided_by():
    """A network that ignores most of z gives a feature of w that is constant."""
    network = make_network()
    with torch.no_grad():
        network.mapping.fc1.weight[0] = 0
    _, std = Generator.from_stylegan2(network).latent_moments
    assert std[0] == pytest.approx(1e-3 * std.max())


@pytest.mark.parametrize("latent_space", ["w", "w+", "z"])
def test_samples_are_the_images_of_their_latents(saved, latent_space):
    generator = saved.using(latent_space=latent_space)
    X, W = generator.sample(3, random_state=0)
    assert W.shape == (3, generator.n_latent_features)
    np.testing.assert_allclose(decode_latents(generator, W), X, atol=1e-6)
    np.testing.assert_allclose(saved.sample(3, random_state=0)[0], X, atol=1e-6)


def test_truncated_samples_have_no_z(saved):
    with pytest.raises(ValueError, match="cannot be truncated"):
        saved.using(latent_space="z").sample(2, truncation_psi=0.5)


def test_handles_of_other_spaces_are_others_and_those_that_run_elsewhere_are_not(saved):
    elsewhere = saved.using(device="cpu", precision="bfloat16", batch_size=3)
    assert elsewhere == saved and hash(elsewhere) == hash(saved)
    assert (elsewhere.precision, elsewhere.batch_size) == ("bfloat16", 3)
    assert elsewhere.device == torch.device("cpu")
    wide = elsewhere.using(latent_space="w+")
    assert wide != saved and joblib.hash(wide) != joblib.hash(elsewhere)
    again = pickle.loads(pickle.dumps(wide))
    assert again == wide
    assert (again.latent_space, again.precision, again.batch_size) == ("w+", "bfloat16", 3)
    assert "latent_space='w+'" in repr(wide)


def test_load_generator_takes_what_using_takes(saved):
    given = {"latent_space": "z", "device": "cpu", "precision": "float32", "batch_size": 2}
    generator = load_generator(saved.path, **given)
    assert {name: getattr(generator, name) for name in given} == {
        **given,
        "device": torch.device("cpu"),
    }


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"latent_space": "s"}, "latent_space='s'; expected one of"),
        ({"device": "toaster"}, "device='toaster'; expected a torch device"),
        ({"precision": "half"}, "precision='half'; expected 'auto', 'float32' or 'bfloat16'"),
        ({"batch_size": 0}, "batch_size=0; expected a positive integer or 'auto'"),
    ],
)
def test_wrong_uses_are_refused_at_once(saved, wrong, message):
    with pytest.raises(ValueError, match=message):
        saved.using(**wrong)


def test_arrays_are_not_decoded_as_tensors(saved):
    with pytest.raises(TypeError, match=r"ndarray; expected a torch\.Tensor.*decode_latents"):
        saved.decode(np.zeros((2, 7), np.float32))


def test_class_conditional_generators_need_classes(tmp_path):
    config = StyleGAN2Config(channels=(8, 8), img_channels=1, z_dim=5, w_dim=7, c_dim=3)
    generator = Generator.from_stylegan2(make_network(config))
    z = torch.randn(2, 5)
    with pytest.raises(ValueError, match="3 classes: pass y"):
        generator.mapping(z)
    for outside in ([0, 3], [-1, 0]):
        with pytest.raises(ValueError, match=r"outside 0\.\.2"):
            generator.mapping(z, outside)
    assert not torch.allclose(generator.mapping(z, [0, 0]), generator.mapping(z, [1, 1]))
    with pytest.raises(ValueError, match="does not say the class"):
        generator.using(latent_space="z")
    assert generator.sample(4, random_state=0)[0].shape == (4, 1, 8, 8)


def test_handles_do_not_change(saved):
    with pytest.raises(AttributeError, match="does not change"):
        saved.w_dim = 3
    with pytest.raises(AttributeError, match="does not change"):
        del saved.w_dim
    assert copy.deepcopy(saved) is saved
    assert clone(GANDecoder(saved)).generator is saved


def test_pickles_are_small_stable_and_load_elsewhere(saved, tmp_path):
    content = pickle.dumps(saved)
    assert len(content) < 1000
    assert pickle.loads(content) == saved
    assert joblib.hash(pickle.loads(content)) == joblib.hash(saved)
    (tmp_path / "handle.pickle").write_bytes(content)
    code = (
        "import pickle, sys; g = pickle.load(open(sys.argv[1], 'rb')); "
        "print(g.sample(1, random_state=0)[0].sum())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "handle.pickle")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(printed) == pytest.approx(
        float(saved.sample(1, random_state=0)[0].sum()), rel=1e-4
    )


def test_a_network_held_by_value_survives_pickling(decoder_generator):
    again = pickle.loads(pickle.dumps(decoder_generator))
    assert again == decoder_generator
    np.testing.assert_array_equal(
        again.sample(2, random_state=0)[0], decoder_generator.sample(2, random_state=0)[0]
    )


def test_a_moved_file_is_found_again_by_hash(saved, tmp_path):
    _sources.load_network.cache_clear()
    moved = tmp_path / "moved.safetensors"
    (tmp_path / "network.safetensors").rename(moved)
    with pytest.raises(FileNotFoundError, match="relocate"):
        saved.check()
    with pytest.raises(FileNotFoundError, match="relocate"):
        saved.sample(1)
    found = saved.relocate(moved)
    assert found == saved
    found.check()


def test_another_file_is_not_taken_for_it(saved, tmp_path):
    other = Generator.from_stylegan2(StyleGAN2(CONFIG)).save(tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="this generator has"):
        saved.relocate(other.path)
    (tmp_path / "other.safetensors").replace(tmp_path / "network.safetensors")
    with pytest.raises(ValueError, match="has changed"):
        saved.check()


def test_from_module_checks_the_shapes():
    decoder = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)))
    with pytest.raises(
        ValueError, match=r"returns images of shape \(2, 1, 8, 8\); expected \(2, 3, 8, 8\)"
    ):
        Generator.from_module(decoder, w_dim=4, image_shape=(3, 8, 8))
    with pytest.raises(ValueError, match=r"cannot take latents of shape \(2, 5\)"):
        Generator.from_module(decoder, w_dim=5, image_shape=(1, 8, 8))


def test_from_module_copies_the_module_and_scales_its_output():
    decoder = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)))
    generator = Generator.from_module(decoder, 4, (1, 8, 8), output_range=(0, 2))
    unbounded = Generator.from_module(decoder, 4, (1, 8, 8), output_range=None)
    w = torch.randn(3, 4)
    expected = decoder(w).detach()
    nn.init.zeros_(decoder[0].weight)
    torch.testing.assert_close(generator.synthesis(w), (expected / 2).clamp(0, 1))
    torch.testing.assert_close(unbounded.synthesis(w), expected)
    assert generator != unbounded


def test_wrong_latents_are_refused(saved):
    with pytest.raises(ValueError, match=r"expected \(n, 7\) or \(n, 4, 7\)"):
        saved.synthesis(torch.zeros(2, 6))
    with pytest.raises(ValueError, match=r"expected \(n, 28\) in 'w\+'"):
        saved.using(latent_space="w+").decode(torch.zeros(2, 7))


def test_only_stylegan2_is_saved(decoder_generator, tmp_path):
    with pytest.raises(TypeError, match="only StyleGAN2"):
        decoder_generator.save(tmp_path / "decoder.safetensors")


def test_files_that_are_no_generator_are_refused(tmp_path):
    path = tmp_path / "file.safetensors"
    path.write_bytes(b"\x00" * 100)
    with pytest.raises(ValueError, match=r"file\.safetensors"):
        load_generator(path)
    with pytest.raises(FileNotFoundError):
        load_generator(tmp_path / "missing.safetensors")


def test_a_handle_says_whom_it_was_trained_on_and_its_file_says_so_too(tmp_path):
    generator = Generator.from_stylegan2(make_network()).using(trained_on="others")
    saved = generator.save(tmp_path / "network.safetensors")
    assert saved.trained_on == "others"
    assert load_generator(tmp_path / "network.safetensors").trained_on == "others"
    assert pickle.loads(pickle.dumps(saved)).trained_on == "others"
    # who "these" are depends on the images at hand, so that the user has the last word
    told = load_generator(tmp_path / "network.safetensors", trained_on="these patients")
    assert told.trained_on == "these patients"
    assert told == saved
    with pytest.raises(ValueError, match="trained_on='nobody'; expected one of"):
        generator.using(trained_on="nobody")
