"""PrivacyAuditor: what it finds, what it refuses, and that it is a scikit-learn estimator."""

import json
import pickle

import numpy as np
import pytest
from latentwalk.auditing import PrivacyAuditor
from latentwalk.auditing._draws import fewest_images
from latentwalk.metrics import (
    Verdict,
    exact_test,
    exposure,
    match_keys,
    n_exposed_lower,
    shift_test,
)
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

LEFT_OUT = "fit_transform compares each member with the others, never with itself"


@parametrize_with_checks(
    [PrivacyAuditor()],
    expected_failed_checks=lambda _: {
        "check_transformer_general": LEFT_OUT,
        "check_transformer_data_not_an_array": LEFT_OUT,
        "check_fit_score_takes_y": "it calls fit_predict without X_holdout, which that needs",
    },
)
def test_common_checks(estimator, check):
    check(estimator)


def normal(n, seed, d=6):
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.fixture(scope="module")
def auditor():
    return PrivacyAuditor(random_state=0).fit(normal(500, 0), X_holdout=normal(600, 1))


def test_a_release_of_others_gives_no_evidence(auditor):
    report = auditor.audit(normal(400, 2))
    assert report.verdict is Verdict.NO_EVIDENCE
    assert report.n_exposed_lower == 0 and report.n_duplicates == 0
    assert report.tpr.low <= report.tpr.value <= report.tpr.high <= 0.05
    assert 0.4 < report.auc.value < 0.6 and report.certified
    assert 0 < report.smallest_detectable_leak < 0.03


def test_noisy_copies_are_a_leak_and_every_flag_names_its_pair(auditor):
    members = normal(500, 0)
    release = np.concatenate([normal(400, 2), members[:50] + 0.01 * normal(50, 3)])
    report = auditor.audit(release)
    assert report.verdict is Verdict.LEAK
    assert 35 <= report.n_exposed_lower <= 50
    assert report.collision_rate >= 0.1
    table = auditor.set_output(transform="default").transform(release)
    np.testing.assert_array_equal(table[400:, 1], np.arange(50))
    assert (auditor.predict(release)[400:] == -1).all()
    assert (auditor.predict(release)[:400] == 1).mean() > 0.95
    assert auditor.score_samples(release)[400:].max() < 0.1


def test_few_near_records_are_a_signal(auditor):
    near = normal(500, 0)[:15] + 0.1 * normal(15, 8)
    report = auditor.audit(np.concatenate([normal(400, 2), near]))
    assert report.verdict is Verdict.SIGNAL and 1 <= report.n_exposed_lower <= 15
    assert report.n_copies == 0 and report.headline.title in report.reason


def test_an_exact_copy_is_a_leak(auditor):
    report = auditor.audit(np.concatenate([normal(400, 2), normal(500, 0)[:1]]))
    assert report.verdict is Verdict.LEAK and report.n_duplicates == report.n_copies == 1


def test_a_hole_around_the_members_is_seen(auditor):
    release = normal(4000, 2)
    kept = release[
        auditor.score_samples(release) > np.quantile(auditor.score_samples(release), 0.3)
    ]
    report = auditor.audit(kept)
    assert report.verdict is Verdict.SIGNAL
    found = report.find("nearest", "features").test
    assert found.p_far < 0.01 < found.p_near and report.p_value <= 0.01


def test_a_release_audited_only_where_it_was_selected_gets_no_clearance(auditor):
    report = auditor.audit(normal(400, 2), guided_by=["features"])
    assert report.verdict is Verdict.UNDERPOWERED and "guided" in report.reason
    with pytest.raises(ValueError, match="guided_by names"):
        auditor.audit(normal(400, 2), guided_by=["pixels"])


def test_few_held_out_are_underpowered():
    auditor = PrivacyAuditor(random_state=0).fit(normal(60, 3), X_holdout=normal(50, 4))
    report = auditor.audit(normal(50, 2))
    assert report.verdict is Verdict.UNDERPOWERED
    assert np.isnan(report.collision_rate) and not report.certified
    assert report.to_dict()["collision_rate"] is None


@pytest.mark.parametrize("with_reference", [True, False])
def test_a_wider_held_out_set_is_invalid(with_reference):
    reference = normal(400, 3, 16) if with_reference else None
    auditor = PrivacyAuditor(random_state=0).fit(
        normal(400, 0, 16), X_holdout=1.3 * normal(400, 1, 16), X_reference=reference
    )
    report = auditor.audit(normal(300, 2, 16))
    assert report.verdict is Verdict.INVALID
    assert [c.passed for c in report.controls] == [False] * (1 + with_reference)


def test_controls_hold_their_level():
    n_failed = 0
    for run in range(40):
        X = normal(260, run, 5)
        auditor = PrivacyAuditor(random_state=run).fit(
            X[:80], X_holdout=X[80:160], X_reference=X[160:]
        )
        n_failed += any(not c.passed for c in auditor.controls_)
    assert n_failed <= 3


def several_images(n_subjects, n_images, seed):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(n_subjects), n_images)
    return rng.normal(size=(n_subjects, 4))[codes] + 0.3 * rng.normal(size=(len(codes), 4)), codes


def test_subjects_are_the_units_whatever_their_numbers_of_images():
    X, groups = several_images(150, 5, 0)
    H, groups_holdout = several_images(150, 2, 1)
    rejected = 0
    for run in range(10):
        auditor = PrivacyAuditor(random_state=run).fit(
            X, X_holdout=H, groups=groups, groups_holdout=groups_holdout + 1000
        )
        report = auditor.audit(several_images(100, 1, 10 + run)[0])
        rejected += report.p_value <= 0.05
    assert (report.sets.n_members, report.sets.n_member_images) == (150, 750)
    assert report.sets.images_per_subject == 2 and report.sets.n_strata == 1
    assert rejected <= 2


@pytest.mark.parametrize(
    ("counts", "others", "expected"),
    [
        ([5] * 20, [2] * 20, [2]),
        ([1, 2, 3] * 10, [1, 2, 3] * 10, [1, 2, 3]),
        ([1] * 30 + [2] * 9 + [7] * 3, [1] * 30 + [2] * 9 + [9] * 3, [1, 2]),
        ([1] * 9 + [4] * 9 + [8] * 9, [1] * 9 + [3] * 9, [1, 3]),
        (list(range(60, 160)), list(range(61, 161)), None),
        ([3] * 9, [], [3]),
    ],
)
def test_strata_keep_images_and_hold_both_sets(counts, others, expected):
    found = fewest_images(np.array(counts), np.array(others, dtype=int))
    if expected is None:
        assert found[0] == 60 and len(found) == 5
        sizes = [np.histogram(c, [*found, 999])[0] for c in (counts, others)]
        assert np.min(sizes) >= 5
        drawn = found[np.searchsorted(found, counts, side="right") - 1]
        assert (drawn / counts).mean() > 0.85
    else:
        assert found.tolist() == expected


def test_a_copied_image_is_seen_among_the_others_of_its_subject():
    rng, n_found, n_rejected = np.random.default_rng(0), 0, 0
    for run in range(4):
        sets = [several_images(200, rng.integers(1, 6, 200), [run, i]) for i in range(3)]
        (X, groups), (H, groups_holdout), (release, _) = sets
        auditor = PrivacyAuditor(random_state=run)
        auditor.fit(X, X_holdout=H, groups=groups, groups_holdout=groups_holdout + 1000)
        n_rejected += auditor.audit(release).p_value <= 0.05
        copied = X[np.unique(groups, return_index=True)[1][:30]] + 1e-3
        report = auditor.audit(np.concatenate([release, copied]))
        assert report.sets.n_strata == 5
        assert report.n_exposed_lower <= 30
        n_found += report.n_exposed_lower >= 12
    assert n_found == 4 and n_rejected <= 1


def test_every_test_of_the_audit_keeps_to_the_strata():
    X, groups = several_images(120, np.repeat([1, 4], [20, 100]), 0)
    H, others = several_images(120, np.repeat([1, 4], [100, 20]), 1)
    R, release = (
        np.concatenate([normal(60, 2 + i, 4), X[groups < 8] + 1e-3 * (1 + i)]) for i in (0, 1)
    )
    auditor = PrivacyAuditor(random_state=0).fit(
        X,
        X_holdout=H,
        X_reference=R,
        groups=groups,
        groups_holdout=others + 1000,
        groups_reference=np.arange(len(R)) + 2000,
    )
    cohorts = auditor.cohorts_
    plan = cohorts.draws
    assert plan.n_images.tolist() == [1, 4]
    found, sham = (cohorts.by_subject(exposure(np.concatenate([X, H]), to)) for to in (release, R))
    report = auditor.audit(release)
    nearest = report.find("nearest", "features")
    within, pooled = (exact_test(*found, strata=strata) for strata in (plan.strata, None))
    assert nearest.test == within != pooled
    level = 0.05 / len(report.attacks)
    bound = n_exposed_lower(*found, alpha=level, strata=plan.strata)
    assert nearest.n_exposed_lower == bound
    together = np.concatenate([found[0], found[1]])[None]
    shift = shift_test(together, cohorts.is_member, strata=cohorts.strata)
    assert nearest.p_shift == pytest.approx(shift[0])
    assert sham[0].shape == (120,)


def test_without_held_out_records_it_describes():
    auditor = PrivacyAuditor().fit(normal(50, 0))
    report = auditor.audit(normal(20, 1))
    assert report.verdict is None and report.mean_minimum_distance > 0
    assert np.isnan(report.p_value) and report.n_exposed_lower is None
    assert not hasattr(auditor, "predict")
    json.dumps(report.to_dict(), allow_nan=False)


def test_one_synthetic_record(auditor):
    assert auditor.audit(normal(1, 5)).sets.n_synthetic == 1


def test_same_seed_same_report():
    reports = []
    for _ in range(2):
        auditor = PrivacyAuditor(random_state=3).fit(normal(80, 0), X_holdout=normal(90, 1))
        reports.append(auditor.audit(normal(30, 2)).to_dict())
    assert reports[0] == reports[1] == auditor.audit(normal(30, 2)).to_dict()


def test_sets_must_be_apart_and_no_id_is_named():
    X, H = normal(20, 0), normal(20, 1)
    ids = [f"secret{i}" for i in range(40)]
    with pytest.raises(ValueError, match="1 subjects are in groups") as error:
        PrivacyAuditor().fit(X, X_holdout=H, groups=ids[:20], groups_holdout=ids[19:39])
    assert "secret" not in str(error.value)
    for name in ("X_holdout", "X_reference"):
        others = {"X_holdout": H, name: np.concatenate([H[:5], X[:2]])}
        with pytest.raises(ValueError, match=f"records of {name} equal a record of X"):
            PrivacyAuditor().fit(X, **others)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X_holdout": np.full((5, 6), np.nan)}, "X_holdout contains NaN"),
        ({"X_holdout": np.ones((5, 4))}, "X_holdout has 4 features"),
        ({"X_holdout": normal(5, 1), "groups": np.arange(20)}, "groups_holdout is missing"),
        (
            {"X_holdout": normal(5, 1), "groups": np.arange(19), "groups_holdout": np.arange(5)},
            r"groups has shape \(19,\)",
        ),
        ({"groups_holdout": np.arange(5)}, "without X_holdout"),
    ],
)
def test_bad_input(given, message):
    with pytest.raises(ValueError, match=message):
        PrivacyAuditor().fit(normal(20, 0), **given)


def test_constant_features_and_nan_releases_are_refused(auditor):
    with pytest.raises(ValueError, match="constant in space 'features'"):
        PrivacyAuditor().fit(np.ones((5, 3)))
    with pytest.raises(ValueError, match="NaN"):
        auditor.audit(np.full((2, 6), np.nan))


@pytest.mark.parametrize("name", ["X_holdout", "X_reference"])
def test_other_sets_are_not_constant_either(name):
    with pytest.raises(ValueError, match=f"features of {name} are constant"):
        PrivacyAuditor().fit(
            normal(20, 0), **({"X_holdout": normal(20, 1)} | {name: np.ones((9, 6))})
        )


@pytest.mark.parametrize("kind", [str, float])
def test_ids_are_compared_by_value(kind):
    ids, others = np.arange(20), np.arange(19, 39).astype(kind)
    with pytest.raises(ValueError, match="1 subjects are in groups"):
        PrivacyAuditor().fit(
            normal(20, 0), X_holdout=normal(20, 1), groups=ids, groups_holdout=others
        )


def test_bad_input_is_refused_before_features_are_made():
    def never(X):
        raise AssertionError("features were made first")

    X, H, ids = images(20, 0), images(20, 1), np.arange(20)
    for given, message in [
        ({"X_holdout": np.concatenate([H, X[:1]])}, "1 records of X_holdout equal"),
        ({"X_holdout": H, "groups": ids[1:], "groups_holdout": ids + 20}, "groups has shape"),
        ({"X_holdout": H, "groups": ids, "groups_holdout": ids}, "20 subjects are in groups"),
        ({"X_holdout": H[:, :, :4]}, "X_holdout has images of shape"),
        ({"X_holdout": np.full(H.shape, np.nan)}, "X_holdout contains NaN"),
        ({"X_holdout": H[:0]}, "X_holdout has 0 images"),
    ]:
        with pytest.raises(ValueError, match=message):
            PrivacyAuditor(never).fit(X, **given)


def test_a_release_is_named_in_its_errors():
    auditor = PrivacyAuditor(random_state=0).fit(images(20, 0), X_holdout=images(20, 1))
    for release, message in [
        (images(0, 2), "X_syn has 0 images"),
        (np.full((2, 3, 8, 8), 2.0), "X_syn has values in"),
        (np.full((2, 3, 8, 8), np.nan), "X_syn contains NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            auditor.audit(release)


def test_features_of_nan_are_refused():
    with pytest.raises(ValueError, match="NaN or infinite"):
        PrivacyAuditor(lambda X: np.full((len(X), 2), np.nan)).fit(images(20, 0))


def test_a_memory_map_is_read_by_chunks(tmp_path, monkeypatch):
    members, release = images(60, 0), np.concatenate([images(300, 2), images(60, 0)[:20]])
    np.save(tmp_path / "release.npy", release)
    lengths = []

    def feature(X):
        lengths.append(len(X))
        return X.reshape(len(X), -1)

    auditor = PrivacyAuditor(["pixels", feature], random_state=0)
    auditor.fit(members, X_holdout=images(60, 1))
    whole = auditor.audit(release)
    monkeypatch.setattr("latentwalk.auditing._nearness.CHUNK_VALUES", 50 * 3 * 8 * 8)
    lengths.clear()
    read = auditor.audit(np.load(tmp_path / "release.npy", mmap_mode="r"))
    assert lengths == [50] * 6 + [20]
    assert whole.n_exposed_lower == read.n_exposed_lower >= 5 and read.n_duplicates == 20
    assert read.mean_minimum_distance == pytest.approx(auditor.score_samples(release).mean())
    for one, other in zip(whole.spaces, read.spaces, strict=True):
        assert one.mean_minimum_distance == pytest.approx(other.mean_minimum_distance)
        assert one.roc == other.roc
        np.testing.assert_allclose(one.bins, other.bins)


@pytest.mark.parametrize("held_out", [True, False])
def test_the_table_is_made_by_chunks_too(tmp_path, monkeypatch, held_out):
    members = images(60, 0)
    release = np.concatenate([images(70, 2), members[:20], members[5:15]])
    np.save(tmp_path / "release.npy", release)
    auditor = PrivacyAuditor(random_state=0)
    auditor.fit(members, X_holdout=images(120, 1) if held_out else None)
    whole = auditor.transform(release)
    monkeypatch.setattr("latentwalk.auditing._nearness.CHUNK_VALUES", 40 * 3 * 8 * 8)
    monkeypatch.setattr(
        "latentwalk.auditing._per_record.match_keys", counted := Counted(match_keys)
    )
    read = np.load(tmp_path / "release.npy", mmap_mode="r")
    np.testing.assert_array_equal(auditor.transform(read), whole)
    assert counted.lengths == [40, 40, 20]
    np.testing.assert_array_equal(auditor.score_samples(read), whole[:, 0])
    if held_out:  # of equal copies in two chunks, the first is the member's nearest
        assert (whole[70:90, 5] == 1).all() and (whole[90:, 5] == 0).all()
        assert (auditor.predict(read) == -1)[70:].tolist() == [True] * 30


class Counted:
    """A function that remembers how many rows it was given."""

    def __init__(self, function):
        self.function, self.lengths = function, []

    def __call__(self, rows, *others):
        self.lengths.append(len(rows))
        return self.function(rows, *others)


def test_forget_and_pickle(auditor):
    copy = pickle.loads(pickle.dumps(auditor))
    assert copy.audit(normal(9, 4)) == auditor.audit(normal(9, 4))
    members = normal(500, 0)
    assert members[0].tobytes() in pickle.dumps(copy)
    copy.forget()
    assert members[0].tobytes() not in pickle.dumps(copy)
    with pytest.raises(NotFittedError):
        copy.audit(normal(9, 4))
    clone(copy)


def test_table_as_a_frame(auditor):
    pytest.importorskip("pandas")
    frame = clone(auditor).fit(normal(30, 0)).set_output(transform="pandas").transform(normal(4, 1))
    assert list(frame.columns)[:2] == ["member_distance", "nearest_member"]
    assert len(frame) == 4


def images(n, seed):
    return np.random.default_rng(seed).integers(0, 256, size=(n, 3, 8, 8), dtype=np.uint8)


def test_images_in_two_spaces():
    def mean_colour(X):
        return X.mean(axis=(2, 3))

    auditor = PrivacyAuditor(["pixels", mean_colour], random_state=0)
    auditor.fit(images(120, 0), X_holdout=images(130, 1))
    release = np.concatenate([images(50, 2), images(120, 0)[:30]]).astype(np.float32) / 255
    report = auditor.audit(release, guided_by="pixels")
    assert [s.space for s in report.spaces] == ["pixels", "mean_colour"]
    assert [s.guided for s in report.spaces] == [True, False]
    assert report.n_duplicates == 30 and report.verdict is Verdict.LEAK
    flat = auditor.audit(release.reshape(80, -1))
    assert flat.p_value == report.p_value
    with pytest.raises(ValueError, match="expected \\(3, 8, 8\\)"):
        auditor.audit(np.zeros((2, 3, 9, 9)))


def test_a_function_sees_bytes_and_floats_on_one_scale():
    auditor = PrivacyAuditor(lambda X: X.reshape(len(X), -1), random_state=0)
    auditor.fit(images(120, 0), X_holdout=images(130, 1))
    release = np.concatenate([images(50, 2), images(120, 0)[:30]])
    as_floats = auditor.audit(release.astype(np.float32) / 255)
    assert as_floats.n_exposed_lower >= 20
    assert as_floats == auditor.audit(release)


def test_spaces_take_the_names_they_are_given():
    spaces = {"full": "pixels", "colour": lambda X: X.mean(axis=(2, 3))}
    auditor = PrivacyAuditor(spaces, random_state=0)
    auditor.fit(images(120, 0), X_holdout=images(130, 1))
    report = auditor.audit(images(50, 2), guided_by="colour")
    assert [(s.space, s.guided) for s in report.spaces] == [("full", False), ("colour", True)]


def test_matches_need_the_members():
    auditor = PrivacyAuditor(random_state=0).fit(images(20, 0))
    matches = auditor.nearest_matches(images(20, 0)[[3, 7]], images(20, 0), n_matches=2)
    np.testing.assert_array_equal(matches.member_rows, [3, 7])
    np.testing.assert_array_equal(matches.synthetic, matches.members)
    with pytest.raises(ValueError, match="not the array of members"):
        auditor.nearest_matches(images(2, 1), images(20, 5))


def test_chunks_are_as_short_as_the_widest_features_ask(monkeypatch):
    lengths = []

    def wide(X):
        lengths.append(len(X))
        return np.tile(X.reshape(len(X), -1), 12)  # 2,304 features

    release = np.concatenate([images(60, 0)[:10], images(50, 2)])
    auditor = PrivacyAuditor(wide, random_state=0).fit(images(60, 0), X_holdout=images(60, 1))
    whole = auditor.audit(release)
    monkeypatch.setattr("latentwalk.auditing._nearness.CHUNK_VALUES", 20 * 2304)
    lengths.clear()
    parts = auditor.audit(release)
    assert lengths == [20, 20, 20]
    assert [r.test for r in parts.attacks] == [r.test for r in whole.attacks]
    # an attack by name that needs the whole release keeps the chunks long
    lengths.clear()
    assert "local mean" in {
        r.attack for r in auditor.audit(release, attacks=["local mean"]).attacks
    }
    assert lengths == [60]


def test_verbose_prints_a_line_for_each_view(capsys):
    auditor = PrivacyAuditor("pixels", random_state=0, verbose=True)
    auditor.fit(images(60, 0), X_holdout=images(60, 1))
    assert "features of X_holdout" in capsys.readouterr().out
    report = auditor.audit(images(60, 2))
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("[PrivacyAuditor]") for line in lines)
    for view in {attack.view for attack in report.attacks}:
        assert sum(f"in {view}, total" in line for line in lines) == 1
    auditor.set_params(verbose=False).audit(images(60, 2))
    assert not capsys.readouterr().out
