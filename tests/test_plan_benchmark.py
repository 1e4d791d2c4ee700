"""The benchmark of the paper's claims, on the images of a random decoder."""

import latentwalk as lw
import numpy as np
import pytest
from benchmarks.plan import releases
from benchmarks.plan.__main__ import parse, result_path, run, table
from benchmarks.plan.measures import Judge
from benchmarks.plan.releases import GUIDED, WITH_K, walk
from benchmarks.plan.remedies import member_ratio, spread_points
from benchmarks.plan.study import Cohort, Design, Study
from latentwalk import Generator
from latentwalk.utils import to_bytes

from conftest import make_decoder

SIZES = {"members": 60, "public": 20, "reference": 20, "holdout": 40}


@pytest.fixture(scope="module")
def study():
    decoder = make_decoder(image_shape=(1, 16, 16))
    generator = Generator.from_module(decoder, w_dim=6, image_shape=(1, 16, 16))
    cohorts, latents, first = {}, {}, 0
    for seed, (name, n) in enumerate(SIZES.items()):
        images, latents[name] = generator.sample(n, random_state=seed)
        cohorts[name] = Cohort(to_bytes(images), np.arange(n) % 2, first + np.arange(n))
        first += n
    return Study(generator, **cohorts, W=latents["members"], W_public=latents["public"])


@pytest.mark.parametrize("name", sorted(set(WITH_K) - {"k-same alone", *GUIDED}))
def test_a_walk_has_an_image_for_every_member_and_no_two_alike(study, name):
    images, labels = WITH_K[name](study, 5, 0)
    assert images.shape == study.members.X.shape
    assert (labels == study.members.y).all()
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)


def test_spread_around_prototypes_is_that_of_the_cells_of_samples(study):
    labels = np.zeros(500, np.intp)
    wide, narrow = (
        spread_points(np.zeros((1, 6), np.float32), labels, study.generator, k, 0).var()
        for k in (50, 2)
    )
    total = study.generator.sample(2000, random_state=1)[1].var(axis=0).mean()
    assert narrow < wide < 1.1 * total


def test_member_ratio_is_higher_at_members_than_at_others(study):
    shifted = study.W + 2 * study.W.std(axis=0)
    score = member_ratio(shifted, study.W_public, study.generator)
    middle = (shifted.mean(axis=0) + study.W_public.mean(axis=0)) / 2
    assert np.median(score(shifted)) > score(middle[None])[0]


def test_exchangeable_points_have_a_lower_member_ratio(study, monkeypatch):
    monkeypatch.setattr(releases, "decode", lambda _, latents: latents)
    score = member_ratio(study.W, study.W_public, study.generator)
    plain, chosen = (walk(study, 5, 0, exchangeable=flag)[0] for flag in (False, True))
    assert score(chosen).mean() < score(plain).mean()


def test_a_run_goes_on_where_it_stopped_and_ends_in_a_table(study, tmp_path, monkeypatch):
    names = ["real members", "straight walk"]
    args = parse(["--data", "-", "--k", "5", "--seeds", "0", "1", "--releases", *names])
    judge = Judge(study)
    rows = run(args, tmp_path, study, judge)
    assert result_path(args, tmp_path, "straight walk", 5, 1).exists()
    monkeypatch.setattr(judge, "measure", None)  # nothing is measured twice
    assert run(args, tmp_path, study, judge) == rows
    lines = table(rows)
    assert [line.split("  ")[0] for line in lines[1:]] == names
    assert "2 LEAK" in lines[1]


def test_a_given_network_is_refused_for_several_splits(capsys):
    with pytest.raises(SystemExit):
        parse(["--data", "-", "--splits", "0", "1"])
    assert "--train-on" in capsys.readouterr().err


@pytest.mark.parametrize(("trained_on", "seen"), [("members", 40), ("public", 16)])
def test_the_network_of_a_split_is_trained_on_what_is_asked(
    trained_on, seen, tmp_path, monkeypatch
):
    fitted = []

    def fit(self, X):
        fitted.append(len(X))
        raise KeyboardInterrupt

    monkeypatch.setattr(lw.StyleGAN2Trainer, "fit", fit)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (80, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", x=x, y=np.arange(80) % 2)
    asked = Design(trained_on=trained_on, shares=(0.5, 0.2, 0.1, 0.2))
    with pytest.raises(KeyboardInterrupt):
        asked.study(tmp_path / "images.npz", tmp_path / "out", 0)
    assert fitted == [seen]
