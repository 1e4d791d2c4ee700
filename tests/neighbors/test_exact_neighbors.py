"""The answer is that of a float64 search, whatever float32 proposes."""

from __future__ import annotations

import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latentwalk.neighbors import ExactNeighbors, _exact, _index, _rows


def brute_force(references, X, k, weights=0.0, exclude=None):
    difference = X[:, None].astype(np.float64) - references[None].astype(np.float64)
    distances = (difference**2).sum(-1) - weights
    if exclude is not None:
        distances[np.arange(len(X))[exclude >= 0], exclude[exclude >= 0]] = np.inf
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, axis=1), order


@pytest.fixture(params=["faiss", "sklearn"])
def backend(request, monkeypatch):
    if request.param == "sklearn":
        monkeypatch.setattr(_index, "import_faiss", lambda: None)
    return request.param


@pytest.mark.parametrize("offset", [0.0, 30.0, 1e5])
@pytest.mark.parametrize("weighted", [False, True])
def test_agrees_with_float64_brute_force(backend, offset, weighted):
    rng = np.random.default_rng(0)
    references = rng.normal(offset, 1, (400, 24))
    X = np.concatenate([rng.normal(offset, 1, (60, 24)), references[:20]])
    weights = rng.normal(0, 10, 400) if weighted else None
    distances, indices = ExactNeighbors(references, weights=weights).kneighbors(X, 7)
    expected, order = brute_force(references, X, 7, 0 if weights is None else weights)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(distances if weighted else distances**2, expected, atol=1e-12)
    assert distances.dtype == np.float64


@pytest.mark.parametrize("seed", range(4))
def test_candidates_are_added_where_float32_cannot_tell_rows_apart(backend, seed):
    # 200 rows within 1e-7 of each other, far from the mean: float32 sees them as one row
    rng = np.random.default_rng(seed)
    blob = 100 + 1e-7 * rng.normal(size=(200, 16))
    references = np.concatenate([blob, -blob])
    X = blob[:10] + 1e-8
    distances, indices = ExactNeighbors(references).kneighbors(X, 3)
    expected, order = brute_force(references, X, 3)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(distances**2, expected, rtol=1e-12)


def test_first_candidates_alone_would_be_wrong(monkeypatch):
    monkeypatch.setattr(ExactNeighbors, "_reach", lambda self, queries, kth: -np.ones(len(kth)))
    rng = np.random.default_rng(0)
    blob = 100 + 1e-7 * rng.normal(size=(200, 16))
    references = np.concatenate([blob, -blob])
    indices = ExactNeighbors(references).kneighbors(blob[:10] + 1e-8, 3)[1]
    assert (indices != brute_force(references, blob[:10] + 1e-8, 3)[1]).any()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 60),
    d=st.integers(1, 5),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 1e25]),
    values=st.integers(1, 4),
)
def test_ties_and_duplicates_go_to_the_lowest_row(seed, n, d, scale, values):
    rng = np.random.default_rng(seed)
    references = rng.integers(0, values, (n, d)) * scale
    k = int(rng.integers(1, n))
    exclude = np.arange(n)
    distances, indices = ExactNeighbors(references).kneighbors(references, k, exclude=exclude)
    expected, order = brute_force(references, references, k, exclude=exclude)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(distances, np.sqrt(expected), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-40, 1e-20, 1e20, 1e60])
def test_queries_out_of_float32_range(backend, scale):
    references = np.random.default_rng(0).normal(size=(50, 3))
    X = np.random.default_rng(1).normal(size=(5, 3)) * scale
    expected, order = brute_force(references, X, 2)
    distances, indices = ExactNeighbors(references).kneighbors(X, 2)
    np.testing.assert_allclose(distances**2, expected, rtol=1e-12)
    np.testing.assert_array_equal(indices, order)


def test_exact_duplicates_are_at_zero_and_exclusion_is_by_row(backend):
    references = np.random.default_rng(0).normal(30, 1, (100, 512)).astype(np.float32)
    references[7] = references[3]
    neighbors = ExactNeighbors(references)
    distances, indices = neighbors.kneighbors(references)
    assert (distances == 0).all()
    assert indices[7, 0] == 3
    distances, indices = neighbors.kneighbors(references, exclude=np.arange(100))
    assert (indices[:, 0] != np.arange(100)).all()
    assert (distances[:, 0] == 0).sum() == 2
    assert (indices[3, 0], indices[7, 0]) == (7, 3)


def test_minus_one_excludes_nothing():
    references = np.arange(4.0)[:, None]
    indices = ExactNeighbors(references).kneighbors(references, exclude=[-1, 1, -1, 3])[1]
    np.testing.assert_array_equal(indices[:, 0], [0, 0, 2, 2])


def test_power_distance_may_be_negative_and_prefers_heavy_sites(backend):
    distances, indices = ExactNeighbors([[0.0], [10.0]], weights=[0.0, 95.0]).kneighbors([[1.0]])
    assert (distances[0, 0], indices[0, 0]) == (-14.0, 1)


@pytest.mark.parametrize("chunk_bytes", [1, 2000])
def test_answer_does_not_depend_on_chunks(backend, monkeypatch, chunk_bytes):
    rng = np.random.default_rng(0)
    references, X = rng.normal(size=(90, 6)), rng.normal(size=(40, 6))
    expected = ExactNeighbors(references).kneighbors(X, 4)
    monkeypatch.setattr(_rows, "CHUNK_BYTES", chunk_bytes)
    found = ExactNeighbors(references).kneighbors(X, 4)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_a_row_alone_has_the_same_answer():
    rng = np.random.default_rng(0)
    neighbors = ExactNeighbors(rng.normal(size=(300, 33)).astype(np.float32))
    X = rng.normal(size=(30, 33)).astype(np.float32)
    together = neighbors.kneighbors(X, 3)
    for row in range(0, 30, 7):
        alone = neighbors.kneighbors(X[row : row + 1], 3)
        np.testing.assert_array_equal(alone[0][0], together[0][row])


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.int64])
def test_dtypes_are_taken_as_they_are(dtype):
    references = np.random.default_rng(0).integers(0, 255, (60, 8)).astype(dtype)
    X = np.random.default_rng(1).integers(0, 255, (10, 8)).astype(dtype)
    distances, indices = ExactNeighbors(references).kneighbors(X, 2)
    expected, order = brute_force(references, X, 2)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(distances, np.sqrt(expected))


def test_memory_map_is_read_in_place(tmp_path):
    path = tmp_path / "features.npy"
    np.save(path, np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32))
    mapped = np.load(path, mmap_mode="r")
    neighbors = ExactNeighbors(mapped)
    assert np.shares_memory(neighbors.references, mapped)
    assert (neighbors.kneighbors(mapped)[0] == 0).all()


def test_pickle_round_trip(backend):
    references = np.random.default_rng(0).normal(size=(50, 4))
    neighbors = ExactNeighbors(references, weights=np.arange(50))
    copy = pickle.loads(pickle.dumps(neighbors))
    for found, expected in zip(
        copy.kneighbors(references), neighbors.kneighbors(references), strict=False
    ):
        np.testing.assert_array_equal(found, expected)


def test_missing_faiss_warns_once_and_falls_back(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    _index.import_faiss.cache_clear()
    try:
        with pytest.warns(UserWarning, match="faiss does not import"):
            first = ExactNeighbors(np.eye(3))
        np.testing.assert_array_equal(first.kneighbors(np.eye(3))[1][:, 0], [0, 1, 2])
        ExactNeighbors(np.eye(3))
    finally:
        _index.import_faiss.cache_clear()


def test_one_thread_on_macos_and_settings_restored(monkeypatch):
    faiss = pytest.importorskip("faiss")
    seen = []
    neighbors = ExactNeighbors(np.random.default_rng(0).normal(size=(40, 3)))
    search = neighbors._index._index.search

    class Spy:
        def search(self, X, k):
            seen.append(faiss.omp_get_max_threads())
            return search(X, k)

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)
    try:
        neighbors._index._index = Spy()
        monkeypatch.setattr(_index, "sys", SimpleNamespace(platform="darwin"))
        neighbors.kneighbors(np.zeros((1, 3)))
        assert (seen, faiss.omp_get_max_threads()) == ([1], 2)
    finally:
        faiss.omp_set_num_threads(before)


@pytest.mark.parametrize(
    ("references", "match"),
    [
        (np.zeros(3), r"references has shape \(3,\)"),
        (np.zeros((0, 3)), "at least one row"),
        (np.array([[np.nan]]), "references contains NaN"),
        (np.array([["a"]]), "references has dtype"),
    ],
)
def test_bad_references(references, match):
    with pytest.raises(ValueError, match=match):
        ExactNeighbors(references)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"X": np.zeros((2, 4))}, r"X has shape \(2, 4\); expected \(n_samples, 3\)"),
        ({"X": np.full((2, 3), np.inf)}, "X contains NaN"),
        ({"X": np.zeros((2, 3)), "n_neighbors": 0}, "expected 1 to 5"),
        ({"X": np.zeros((2, 3)), "n_neighbors": 5, "exclude": [0, 1]}, "expected 1 to 4"),
        ({"X": np.zeros((2, 3)), "exclude": [0]}, "exclude has shape"),
        ({"X": np.zeros((2, 3)), "exclude": [0.0, 1.0]}, "expected integers"),
        ({"X": np.zeros((2, 3)), "exclude": [0, 5]}, "expected -1 to 4"),
    ],
)
def test_bad_queries(arguments, match):
    neighbors = ExactNeighbors(np.arange(15.0).reshape(5, 3))
    with pytest.raises(ValueError, match=match):
        neighbors.kneighbors(**arguments)


@pytest.mark.parametrize("weights", [np.zeros(2), np.full(3, np.nan)])
def test_bad_weights(weights):
    with pytest.raises(ValueError, match="weights has"):
        ExactNeighbors(np.eye(3), weights=weights)


def test_few_extra_candidates_are_searched_for_ordinary_data(monkeypatch):
    rng = np.random.default_rng(0)
    neighbors = ExactNeighbors(rng.normal(size=(2000, 64)).astype(np.float32))
    asked = []
    propose = ExactNeighbors._propose
    monkeypatch.setattr(
        ExactNeighbors,
        "_propose",
        lambda self, queries, n: asked.append(n) or propose(self, queries, n),
    )
    neighbors.kneighbors(rng.normal(size=(50, 64)))
    assert asked == [1 + _exact.EXTRA_CANDIDATES]
