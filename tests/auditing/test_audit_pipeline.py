"""The ladder of a fitted pipeline, the inversion gap, and what reports say of both."""

from dataclasses import replace

import latentwalk as lw
import numpy as np
import pytest
from latentwalk.auditing import audit_pipeline, audit_stages, inversion_gap
from latentwalk.auditing._pipeline import find_stages, reconstruction_errors, walk_latents
from sklearn.pipeline import Pipeline, make_pipeline

from conftest import make_decoder

# its guide is trained for two epochs
pytestmark = pytest.mark.filterwarnings("ignore:identity_classifier recognises")
STAGES = ["generator samples", "inversions", "prototypes", "linear walk", "guided walk", "release"]


class Inverter:
    """Knows the latents of every image that it was made with."""

    def __init__(self, generator, latents):
        self.generator, self.latents = generator, latents

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return np.stack([self.latents[row.tobytes()] for row in X])

    def inverse_transform(self, W):
        raise AssertionError("the decoder decodes")


@pytest.fixture(scope="module")
def run():
    """Members' latents are known exactly, held-out ones badly."""
    generator = lw.Generator.from_module(
        make_decoder(), w_dim=6, image_shape=(1, 8, 8), output_range=(-0.2, 0.2)
    )
    images, latents = generator.sample(240, random_state=0)
    rng = np.random.default_rng(0)
    latents[120:] += rng.normal(size=latents[120:].shape).astype(np.float32)
    known = {image.tobytes(): w for image, w in zip(images, latents, strict=True)}
    X, X_out = images[:120], images[120:]
    identity = lw.IdentityClassifier(max_iter=2, random_state=0).fit(X)
    pipe = Pipeline(
        [
            ("invert", Inverter(generator, known)),
            ("ksame", lw.KSameAggregator(k=10)),
            ("walk", lw.GuidedWalker(generator, identity, n_points=12, max_iter=5, random_state=0)),
            ("decode", lw.GANDecoder(generator)),
        ]
    )
    X_syn = pipe.fit_transform(X, walk__X_real=X)
    auditor = lw.PrivacyAuditor(random_state=0).fit(X, X_holdout=X_out)
    return auditor, pipe, X, X_syn, X_out


def test_the_ladder_of_a_pipeline(run):
    auditor, pipe, X, X_syn, X_out = run
    ladder = audit_pipeline(
        auditor, pipe, X, X_syn, X_holdout=X_out, guided_by="pixels", random_state=1
    )
    assert list(ladder) == STAGES
    assert [s.name for s in ladder["release"].ladder] == STAGES
    assert ladder["inversions"].verdict == "LEAK" and ladder["inversions"].tpr.value > 0.95
    assert ladder["generator samples"].n_exposed_lower == 0
    assert ladder["prototypes"].sets.n_synthetic == len(pipe["ksame"].prototypes_)
    assert [bool(r.guided_by) for r in ladder.values()] == [False] * 4 + [True] * 2
    plain = auditor.audit(X_syn, guided_by="pixels")
    assert replace(ladder["release"], ladder=(), inversion_gap=None) == plain
    assert plain.ladder == () and plain.inversion_gap is None


def test_straight_and_walked_points_are_at_the_same_places(run):
    walker = run[1]["walk"]
    straight, walked = walk_latents(walker, np.random.RandomState(0))
    assert len(straight) == len(walked) == 120
    assert not np.allclose(straight, walked)
    ends = walker.paths_[walker.released_path_][:, [0, -1]]
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    first, second = (np.linalg.norm(straight - ends[:, i], axis=1) for i in (0, 1))
    np.testing.assert_allclose(first + second, length, rtol=1e-4)
    inner = walker.paths_[walker.released_path_][:, 1:-1]
    place = (inner == walked[:, None]).all(axis=2)
    assert (place.sum(axis=1) == 1).all()
    np.testing.assert_allclose(first / length, (place.argmax(axis=1) + 1) / 11, rtol=1e-3)


def test_an_inversion_gap_is_found_and_said(run, tmp_path):
    auditor, pipe, X, X_syn, X_out = run
    ladder = audit_pipeline(auditor, pipe, X, X_syn, X_holdout=X_out, random_state=1)
    gap = ladder["release"].inversion_gap
    assert gap.test.p_near < 1e-6 and gap.test.p_far == 1 and gap.auc.value > 0.9
    assert gap.mean_members < 1e-3 < gap.mean_holdout
    ladder["release"].to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "is a membership signal" in page and "test tells them apart" in page
    assert all(f"<td>{name}</td>" in page for name in STAGES)
    assert "data:image" not in page and "Exposures" not in page and "$" not in page
    plain = ladder["release"].to_dict()
    assert plain["inversion_gap"]["test"]["p_near"] == gap.test.p_near and len(plain["ladder"]) == 6


def test_no_gap_where_errors_are_exchangeable(run):
    auditor = run[0]
    rng = np.random.default_rng(1)
    found = [inversion_gap(auditor, *rng.normal(size=(2, 120))) for _ in range(60)]
    assert sum(gap.test.p_value <= 0.05 for gap in found) <= 7
    worse = inversion_gap(auditor, rng.normal(3, 1, 120), rng.normal(0, 1, 120))
    assert worse.test.p_far < 1e-3 < worse.test.p_near and worse.auc.value < 0.1


def test_bad_input(run):
    auditor, pipe, X, X_syn, X_out = run
    alone = lw.PrivacyAuditor().fit(X)
    for given, message in [
        ((auditor, pipe, X_out, X_syn), "X is not the array of members"),
        ((auditor, pipe, X[::-1], X_syn), "X is not the array of members"),
        ((auditor, pipe[1:], X, X_syn), "one with a generator and inverse_transform first"),
        ((auditor, pipe[:3], X, X_syn), "decodes latents with a generator last"),
        ((alone, pipe, X, X_syn), "without X_holdout"),
    ]:
        with pytest.raises(ValueError, match=message):
            audit_pipeline(*given)
    with pytest.raises(ValueError, match="X_holdout is not the array of held-out"):
        audit_pipeline(auditor, pipe, X, X_syn, X_holdout=X)
    with pytest.raises(TypeError, match="pipe is a dict"):
        audit_pipeline(auditor, {"release": X_syn}, X, X_syn)
    with pytest.raises(ValueError, match=r"errors has shape \(3,\)"):
        audit_stages(auditor, {"release": X_syn}, reconstruction_errors=([1, 2, 3], [1, 2, 3]))
    with pytest.raises(ValueError, match="errors_holdout contains NaN"):
        inversion_gap(auditor, np.ones(120), np.full(120, np.nan))
    with pytest.raises(ValueError, match="without X_holdout"):
        inversion_gap(alone, np.ones(120), np.ones(120))


def test_stages_are_known_by_what_they_can_do(run):
    pipe = run[1]
    stages = find_stages(make_pipeline(pipe["invert"], "passthrough", pipe["decode"]))
    assert stages.inverter is pipe["invert"] and stages.decoder is pipe["decode"]
    assert stages.aggregator is None and stages.walker is None


def test_reconstruction_errors_of_bytes_are_those_of_floats(run):
    decoder = run[1]["decode"]
    W = np.random.default_rng(3).normal(size=(5, 6)).astype(np.float32)
    pixels = np.random.default_rng(4).integers(0, 256, (5, 1, 8, 8), dtype=np.uint8)
    by_hand = np.sqrt(((decoder.transform(W) - pixels / 255) ** 2).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(reconstruction_errors(decoder, pixels, W), by_hand, rtol=1e-5)
