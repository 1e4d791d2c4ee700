"""Walking away from the nearest real images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from latentwalk import Generator, GuidedWalker
from latentwalk.neighbors import ExactNeighbors
from latentwalk.walking._repulsion import Anchors, make_repulsion
from torch import nn

from conftest import make_decoder

GENERATOR = Generator.from_module(
    make_decoder(), w_dim=6, image_shape=(1, 8, 8), precision="float32"
)
X, W = GENERATOR.sample(40, random_state=0)
PROTOTYPES = W[:24].reshape(8, 3, 6).mean(axis=1).repeat(3, axis=0)
torch.manual_seed(0)
GUIDE = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))


def make_walker(generator=GENERATOR, **parameters):
    defaults = {"n_points": 16, "max_iter": 40, "identity_weight": 10, "random_state": 0}
    return GuidedWalker(generator, GUIDE, **(defaults | parameters))


def nearest(walker):
    """Of the inner points to the real images, by definition."""
    inner = walker.paths_[:, 1:-1].reshape(-1, 6)
    images = GENERATOR.decode(torch.as_tensor(inner)).detach().numpy()
    gaps = np.sqrt(np.square(images[:, None] - X[None]).mean(axis=(2, 3, 4)))
    return gaps.min(axis=1)


@pytest.mark.parametrize("generator", [GENERATOR, GENERATOR.using(batch_size=8)])
def test_the_nearest_distance_rises(generator):
    without = nearest(make_walker(generator).fit(PROTOTYPES, X_real=X))
    away = nearest(make_walker(generator, repulsion=200.0).fit(PROTOTYPES, X_real=X))
    assert np.median(away) > 1.1 * np.median(without)
    assert np.percentile(away, 5) > 1.1 * np.percentile(without, 5)


def test_it_is_off_by_default():
    with_real = make_walker().fit(PROTOTYPES, X_real=X)
    np.testing.assert_array_equal(with_real.paths_, make_walker().fit(PROTOTYPES).paths_)


def test_paths_away_do_not_depend_on_their_batch():
    large, small = (
        make_walker(GENERATOR.using(batch_size=size), repulsion=50.0).fit(PROTOTYPES, X_real=X)
        for size in (64, 8)
    )
    np.testing.assert_allclose(large.paths_, small.paths_, atol=1e-4)


def test_the_hinge_is_one_on_a_real_image_and_zero_beyond_the_margin():
    flat = X.reshape(40, -1)
    repulsion = make_repulsion(ExactNeighbors(flat), 1.0)
    gaps = np.sqrt(np.square(flat[:, None] - flat[None]).mean(axis=2))
    gaps[np.diag_indices(40)] = np.inf
    margin = np.median(gaps.min(axis=1))
    np.testing.assert_allclose(repulsion.margin, margin, rtol=1e-5)
    images = torch.as_tensor(X[:3].copy())
    images[1] += margin / 4
    images[2] += 10 * margin
    images.requires_grad_()
    near = repulsion.nearest(images)
    assert near.shape == (3, 4)
    hinge = repulsion.hinge(images, near)
    np.testing.assert_allclose(hinge.detach(), [1, 0.75, 0], atol=1e-4)
    assert torch.autograd.grad(hinge.sum(), images)[0].isfinite().all()


def test_the_nearest_are_looked_up_again_in_every_fifth_evaluation():
    repulsion = make_repulsion(ExactNeighbors(X.reshape(40, -1)), 1.0)
    anchors = Anchors(repulsion, GENERATOR.decode)
    here, there = (torch.as_tensor(W[i : i + 2])[:, None] for i in (0, 20))
    paths = torch.tensor([3, 7])
    found = [anchors.of(paths, w, 64)[:, 0].tolist() for w in (here, *[there] * 5)]
    assert found == [[0, 1]] * 5 + [[20, 21]]


def test_a_repulsion_with_nothing_to_act_on_is_an_error():
    with pytest.raises(ValueError, match=r"repulsion=1\.0 without X_real: pass"):
        make_walker(repulsion=1.0).fit(PROTOTYPES)
    with pytest.raises(ValueError, match=r"repulsion=1\.0 with objective='plan'"):
        make_walker(repulsion=1.0, objective="plan").fit(PROTOTYPES, X_real=X)
    with pytest.raises(ValueError, match=r"X_real has 1 image; repulsion=1\.0"):
        make_walker(repulsion=1.0).fit(PROTOTYPES, X_real=X[:1])
    with pytest.raises(ValueError, match=r"equal to another one; repulsion=1\.0"):
        make_walker(repulsion=1.0).fit(PROTOTYPES, X_real=X[:5].repeat(2, axis=0))
    with pytest.raises(ValueError, match="'repulsion' parameter"):
        make_walker(repulsion=-1.0).fit(PROTOTYPES, X_real=X)


def unguided(**parameters):
    settings = {"n_points": 16, "max_iter": 40, "random_state": 0}
    settings |= {"repulsion": 200.0, "selection": "uniform"}
    return GuidedWalker(GENERATOR, **(settings | parameters))


def test_it_walks_without_an_identity_guide():
    straight = make_walker(objective="linear").fit(PROTOTYPES)
    walker = unguided()
    W_syn = walker.fit_transform(PROTOTYPES, X_real=X)
    assert np.median(nearest(walker)) > 1.1 * np.median(nearest(straight))
    assert len(np.unique(W_syn, axis=0)) == len(PROTOTYPES)
    assert not hasattr(walker, "path_identity_") and np.isnan(walker.released_identity_).all()
    assert (walker.released_distance_ > walker.duplicate_distance).all()
    assert walker.n_rejected_["identity"] == 0 and len(walker.sample(9, X_real=X)[0]) == 9


def test_unguided_new_rows_get_the_middle_of_a_path_not_its_end():
    walker = unguided().fit(PROTOTYPES, X_real=X)
    moments = [
        np.flatnonzero((walker.paths_ == row).all(axis=2).any(axis=0))[0]
        for row in walker.transform(PROTOTYPES)
    ]
    assert set(moments) <= {7, 8}


def test_unguided_nothing_can_be_bounded_or_ranked_by_a_posterior():
    with pytest.raises(ValueError, match=r"max_identity=0\.2 without an identity_classifier"):
        unguided(max_identity=0.2).fit(PROTOTYPES, X_real=X)
    with pytest.raises(ValueError, match="pass selection='uniform'"):
        unguided(selection="safest").fit(PROTOTYPES, X_real=X)
    with pytest.raises(ValueError, match=r"protects nobody.*repulsion=1\.0"):
        unguided(repulsion=0.0).fit(PROTOTYPES, X_real=X)
