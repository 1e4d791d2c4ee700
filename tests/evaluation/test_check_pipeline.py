"""Everything that is known beforehand, in one error."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import sklearn
import torch
from latentwalk import (
    GANDecoder,
    GANInverter,
    Generator,
    GuidedWalker,
    IdentityClassifier,
    KSameAggregator,
    LabelClassifier,
    check_pipeline,
    load_generator,
)
from latentwalk.datasets import dermoscopy_generator_path
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from conftest import make_decoder

SHAPE = (1, 8, 8)
GENERATOR = Generator.from_module(make_decoder(), w_dim=6, image_shape=SHAPE)
OTHER = Generator.from_module(make_decoder(seed=1), w_dim=6, image_shape=SHAPE)


def net(n_classes: int, image_shape: tuple[int, int, int] = SHAPE) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(image_shape)), n_classes))


def real_images() -> np.ndarray:
    """Two images of each of 20 patients."""
    return np.random.default_rng(0).uniform(size=(40, *SHAPE))


def identity(image_shape=SHAPE):
    """A guide that recognises the real images, or takes images of another shape."""
    module = net(20, image_shape)
    if image_shape == SHAPE:
        centres = torch.tensor(real_images().reshape(20, 2, -1).mean(1), dtype=torch.float32)
        with torch.no_grad():
            module[1].weight.copy_(centres)
            module[1].bias.copy_(-(centres**2).sum(1) / 2)
    return IdentityClassifier.from_module(module, range(20), image_shape=image_shape)


def label(classes=(0, 1)):
    return LabelClassifier.from_module(net(len(classes)), classes, image_shape=SHAPE)


def make_pipe(**changes) -> Pipeline:
    steps = {
        "invert": GANInverter(GENERATOR),
        "ksame": KSameAggregator(k=5),
        "walk": GuidedWalker(GENERATOR, identity_classifier=identity(), label_classifier=label()),
        "decode": GANDecoder(GENERATOR),
    }
    pipe = Pipeline(list(steps.items()))
    return pipe.set_params(**changes)


@pytest.fixture
def balanced():
    """20 patients with two images each, 10 in each class."""
    patient = np.repeat(np.arange(20), 2)
    return {"X": real_images(), "y": patient % 2, "groups": patient}


def problems(pipe, X, y=None, groups=None, **fit_params) -> list[str]:
    with pytest.raises(ValueError, match="check_pipeline found") as error:
        check_pipeline(pipe, X, y, groups, **fit_params)
    first, *lines = str(error.value).splitlines()
    assert first.startswith(f"check_pipeline found {len(lines)} problem")
    return lines


def test_a_pipeline_in_order_passes(balanced):
    X, groups = balanced["X"], balanced["groups"]
    params = {"ksame__groups": groups, "walk__X_real": X, "walk__groups": groups}
    assert check_pipeline(make_pipe(), **balanced, **params) is None
    frozen = FrozenEstimator(identity())
    assert check_pipeline(make_pipe(walk__identity_classifier=frozen), **balanced) is None
    own = Pipeline([("own", "passthrough"), *make_pipe().steps])
    assert check_pipeline(own, **balanced) is None


def test_what_is_no_array_is_named(balanced):
    assert problems(make_pipe(), "scans/")[0].startswith("1. X has dtype")
    (found,) = problems(make_pipe(), balanced["X"], balanced["y"], walk__X_real=5)
    assert found == "1. walk__X_real is a int; expected a row for each row of X"
    own = Pipeline([("own", FunctionTransformer()), *make_pipe().steps])
    assert check_pipeline(own, balanced["X"], balanced["y"], own__verbose=True) is None


def test_nothing_is_changed(balanced):
    pipe = make_pipe()
    before = {name: dict(vars(step)) for name, step in pipe.steps}
    check_pipeline(pipe, **balanced)
    assert {name: dict(vars(step)) for name, step in pipe.steps} == before


def test_all_problems_are_listed_at_once(balanced):
    pipe = make_pipe(
        ksame__k=6,
        decode__generator=OTHER,
        walk__identity_classifier=None,
        invert__max_iter=-3,
    )
    found = "\n".join(problems(pipe, balanced["X"] * 255, balanced["y"], balanced["groups"]))
    for part in (
        "divide by 255",
        "invert: The 'max_iter' parameter",
        "different generators",
        "class 0: 10",
        "12 are needed for the two groups of a path (k=6)",
        "walk: identity_classifier is None, and so is walk__X_real",
    ):
        assert part in found, part
    assert found.count("\n") == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros((40, 8, 8))}, "add the channel axis"),
        ({"X": np.zeros((40, 3, 8, 8))}, r"images of shape \(3, 8, 8\); expected \(1, 8, 8\)"),
        ({"X": np.full((40, *SHAPE), np.nan)}, "NaN"),
        ({"y": np.zeros(39)}, r"y has shape \(39,\)"),
        ({"groups": np.zeros(41)}, r"groups has shape \(41,\)"),
        ({"groups": [None] * 40}, "groups has 40 missing values"),
    ],
)
def test_arrays(balanced, change, message):
    with pytest.raises(ValueError, match=message):
        check_pipeline(make_pipe(), **(balanced | change))


def test_patients_are_counted_and_not_rows(balanced):
    pipe, X, y = make_pipe(), balanced["X"], balanced["y"]
    assert check_pipeline(pipe, X, y) is None
    few = balanced["groups"] // 4
    lines = problems(pipe, X, y, few)
    assert lines == [
        "1. too few subjects (class 0: 5, class 1: 5); 10 are needed for the two groups of a path "
        "(k=5)"
    ]
    assert problems(pipe, X, y, ksame__groups=few) == lines
    without_walk = Pipeline([step for step in pipe.steps if step[0] != "walk"])
    assert check_pipeline(without_walk, X, y, few) is None


def test_an_unfitted_guide_needs_the_real_images(balanced):
    pipe = make_pipe(walk__identity_classifier=IdentityClassifier())
    assert "pass the real images as walk__X_real" in problems(pipe, **balanced)[0]
    params = {"ksame__groups": balanced["groups"], "walk__X_real": balanced["X"]}
    assert check_pipeline(pipe, **balanced, **params) is None


def test_a_repulsion_stands_in_for_an_identity_guide(balanced):
    pipe = make_pipe(walk__identity_classifier=None, walk__repulsion=1.0, walk__selection="uniform")
    params = {"ksame__groups": balanced["groups"], "walk__X_real": balanced["X"]}
    assert check_pipeline(pipe, **balanced, **params) is None
    assert "repulsion=1.0 without walk__X_real" in problems(pipe, **balanced)[0]
    pipe.set_params(walk__selection="safest")
    assert "selection='uniform'" in problems(pipe, **balanced, **params)[0]


def test_a_guide_that_recognises_nobody_is_told_before_the_run(balanced):
    torch.manual_seed(0)
    blind = IdentityClassifier.from_module(net(20), range(20), image_shape=SHAPE)
    pipe = make_pipe(walk__identity_classifier=blind)
    with pytest.warns(UserWarning, match=r"identity_classifier recognises \d+% of the real images"):
        check_pipeline(pipe, **balanced)
    # of other patients nothing is known
    assert check_pipeline(pipe, **(balanced | {"groups": balanced["groups"] + 100})) is None


def test_guides_are_for_these_images_and_classes(balanced):
    wrong_size = make_pipe(walk__identity_classifier=identity((1, 16, 16)))
    assert "(1, 16, 16)" in problems(wrong_size, **balanced)[0]
    wrong_net = make_pipe(walk__identity_classifier=net(20, (1, 4, 4)))
    assert "does not take the generator's images" in problems(wrong_net, **balanced)[0]
    unknown = make_pipe(walk__label_classifier=label((0, 2)))
    assert "label_classifier never saw: [1]; it knows [0, 2]" in problems(unknown, **balanced)[0]


def test_fit_parameters_belong_to_steps_and_rows(balanced):
    lines = problems(make_pipe(), **balanced, wlak__X_real=balanced["X"], ksame__groups=[1, 2])
    assert "wlak__X_real is for a step 'wlak'; the steps are ['invert'" in lines[0]
    assert "ksame__groups has 2 rows; X has 40" in lines[1]


def test_weights_that_moved_or_changed(tmp_path):
    file = tmp_path / "network.safetensors"
    content = dermoscopy_generator_path().read_bytes()
    file.write_bytes(content)
    pipe = Pipeline([("decode", GANDecoder(load_generator(file)))])
    X = np.zeros((2, 3, 32, 32))
    assert check_pipeline(pipe, X) is None
    file.write_bytes(content[:-1] + b"\0\0")
    assert "SHA-256" in problems(pipe, X)[0]
    file.unlink()
    assert "relocate" in problems(pipe, X)[0]


def test_only_pipelines(balanced):
    with pytest.raises(TypeError, match=r"pipe is a GANDecoder; expected a sklearn\.pipeline"):
        check_pipeline(GANDecoder(GENERATOR), balanced["X"])


def test_steps_of_different_latent_spaces(balanced):
    pipe = make_pipe(decode__generator=GENERATOR.using(latent_space="w+"))
    (found,) = problems(pipe, **balanced)
    assert "different values of latent_space" in found
    assert "decode: 'w+'" in found
    elsewhere = GENERATOR.using(device="cpu", batch_size=3, precision="float32")
    check_pipeline(make_pipe(decode__generator=elsewhere), **balanced)


def test_the_patients_reach_every_step_that_counts_them(balanced):
    groups, X = balanced["groups"], balanced["X"]
    pipe = make_pipe()
    for given in (
        {"walk__groups": groups, "walk__X_real": X},  # ksame__groups was forgotten
        {"groups": groups, "walk__X_real": X},
    ):
        (found,) = problems(pipe, X, balanced["y"], **given)
        assert "ksame gets no patients" in found
        assert "a group of k=5 could be a single patient. Pass ksame__groups" in found
    params = {"ksame__groups": groups, "walk__groups": groups, "walk__X_real": X}
    assert check_pipeline(pipe, X, balanced["y"], **params) is None
    with sklearn.config_context(enable_metadata_routing=True):
        pipe["ksame"].set_fit_request(groups=True)
        pipe["walk"].set_fit_request(groups=True, X_real=True)
        assert check_pipeline(pipe, **balanced, X_real=X) is None
        pipe["ksame"].set_fit_request(groups=False)
        assert "ksame gets no patients" in problems(pipe, **balanced, X_real=X)[0]


def test_patients_that_contradict_each_other(balanced):
    groups = balanced["groups"]
    others = np.roll(groups, 1)
    X, y = balanced["X"], balanced["y"]
    (found,) = problems(make_pipe(), X, y, ksame__groups=groups, walk__groups=others)
    assert "ksame__groups and walk__groups divide the rows into different patients" in found
    named = np.array([f"p{g:03}" for g in groups])  # the same patients under other names
    same = {"ksame__groups": named, "walk__groups": groups}
    assert check_pipeline(make_pipe(), **balanced, **same) is None


def test_steps_in_another_order(balanced):
    steps = make_pipe().steps
    for order, message in (
        ((0, 2, 1, 3), "ksame stands after walk"),
        ((1, 0, 2, 3), "invert stands after ksame"),
        ((0, 1, 3, 2), "walk stands after decode"),
    ):
        (found,) = problems(Pipeline([steps[i] for i in order]), **balanced)
        assert message in found
        assert "GANInverter -> KSameAggregator -> GuidedWalker -> GANDecoder" in found


def test_images_are_no_rows_of_a_data_frame(balanced):
    pipe = make_pipe().set_output(transform="pandas")
    (found,) = problems(pipe, **balanced)
    assert "decode gives images of 4 dimensions, and set_output asks for pandas" in found
    pipe.set_params(decode__flatten=True)
    assert check_pipeline(pipe, **balanced) is None
    pipe.set_params(decode__flatten=False)["decode"].set_output(transform="default")
    assert check_pipeline(pipe, **balanced) is None


def test_guides_in_each_others_place(balanced):
    swapped = {"walk__identity_classifier": label(), "walk__label_classifier": identity()}
    frozen = {name: FrozenEstimator(guide) for name, guide in swapped.items()}
    for guides in (swapped, frozen):
        (found,) = problems(make_pipe(**guides), **balanced)
        assert "the guides look swapped" in found
    other = SimpleNamespace(classes_=np.array([0, 1]), module_=net(2))
    people = SimpleNamespace(classes_=np.array([f"p{i}" for i in range(20)]), module_=net(20))
    pipe = make_pipe(walk__identity_classifier=other, walk__label_classifier=people)
    assert "identity_classifier knows 2 classes" in problems(pipe, **balanced)[0]
    pipe = make_pipe(walk__identity_classifier=people, walk__label_classifier=other)
    assert check_pipeline(pipe, **balanced) is None


class CountedFiles:
    """Images on disk, that count how often one is read."""

    shape, dtype, ndim = (40, *SHAPE), np.dtype(np.uint8), 4

    def __init__(self):
        self.n_read = 0

    def __len__(self):
        return 40

    def __getitem__(self, rows):
        return self

    def __array__(self, dtype=None, copy=None):
        self.n_read += 40
        return np.round(real_images() * 255).astype(np.uint8)


def test_each_file_is_read_once(balanced):
    files = CountedFiles()
    groups = balanced["groups"]
    params = {"ksame__groups": groups, "walk__groups": groups, "walk__X_real": files}
    check_pipeline(make_pipe(), files, balanced["y"], groups, **params)
    assert files.n_read == 40


def test_equal_images_of_different_patients_are_told(balanced):
    balanced["X"][[3, 9]] = balanced["X"][[20, 31]]
    with pytest.warns(UserWarning, match=r"20 patients are 18 where equal images make one"):
        check_pipeline(make_pipe(), **balanced)
    balanced["X"][3] = balanced["X"][2]  # the same patient's
    balanced["X"][9] = balanced["X"][8]
    assert check_pipeline(make_pipe(), **balanced) is None
