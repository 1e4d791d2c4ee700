"""Learning from a release, scored on real images, audited on patients held out."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from latentwalk import KSameAggregator, LabelClassifier, PrivacyAuditor, TrainOnSynthetic
from latentwalk.evaluation import (
    neg_collision_rate_score,
    neg_n_exposed_score,
    neg_tpr_score,
    tstr_score,
)
from latentwalk.evaluation._learning import fit_softly
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks


class Recorder(TransformerMixin, BaseEstimator):
    """A release that keeps what it was given, outside of itself."""

    seen: list = []  # noqa: RUF012

    def fit(self, X, y=None, *, X_real=None, groups=None):
        self.seen.append((X, y, X_real, groups))
        return self

    def transform(self, X):
        return 1 - X


class Figures:
    """An auditor that reports what it was given."""

    verdict = "SIGNAL"

    def fit(self, X, y=None, **sets):
        self.X, self.sets = X, sets
        return self

    def audit(self, X_syn):
        report = Figures()
        report.members, report.release, report.sets = self.X, X_syn, self.sets
        return report

    def __sklearn_clone__(self):
        return Figures()


@pytest.fixture
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600] / 16, y[:600]


@pytest.fixture
def patients():
    return np.array([f"p{i // 3}" for i in range(600)])


@parametrize_with_checks(
    [TrainOnSynthetic(FunctionTransformer(np.tanh), LogisticRegression(), random_state=0)],
    expected_failed_checks=lambda estimator: {
        "check_positive_only_tag_during_fit": "its data repeat rows: the audit refuses a record "
        "that is both a member's and held out",
    },
)
def test_common_checks(estimator, check):
    check(estimator)


def test_the_classifier_sees_the_release_and_predicts_real_images(digits):
    X, y = digits
    inverted = FunctionTransformer(lambda X: 1 - X)
    model = TrainOnSynthetic(inverted, KNeighborsClassifier(1), auditor=Figures(), random_state=0)
    model.fit(X, y)
    assert model.score(1 - X, y) > 0.9  # it knows inverted digits,
    assert model.score(X, y) < 0.5  # and plain ones it never saw
    np.testing.assert_array_equal(model.classes_, range(10))
    assert model.predict_proba(X).shape == (600, 10)
    assert not hasattr(TrainOnSynthetic(inverted, RidgeClassifier()), "predict_proba")


def test_patients_are_on_one_side_and_reach_the_steps(digits, patients):
    X, y = digits
    X = X.reshape(-1, 1, 8, 8)
    X[:, 0, 0, 0] = np.arange(600) / 600  # so that a row can be found again
    Recorder.seen.clear()
    pipe = Pipeline([("own", "passthrough"), ("release", Recorder())])
    flat = Pipeline(
        [("flat", FunctionTransformer(lambda X: X.reshape(len(X), -1))), ("net", RidgeClassifier())]
    )
    model = TrainOnSynthetic(pipe, flat, auditor=Figures(), holdout_size=0.25, random_state=0)
    model.fit(X, y, groups=patients)
    (seen, y_seen, X_real, groups), report = Recorder.seen[0], model.report_
    rows = np.rint(seen[:, 0, 0, 0] * 600).astype(int)
    out = np.rint(report.sets["X_holdout"][:, 0, 0, 0] * 600).astype(int)
    assert sorted([*rows, *out]) == list(range(600))
    assert set(patients[rows]).isdisjoint(patients[out])
    assert len(set(patients[out])) == 50
    np.testing.assert_array_equal(y_seen, y[rows])
    np.testing.assert_array_equal(X_real, seen)
    np.testing.assert_array_equal(report.members, seen)
    np.testing.assert_allclose(report.release, 1 - seen)
    assert len(set(zip(groups, patients[rows], strict=True))) == len(set(groups)) == 150


def test_bytes_and_floats_are_the_same_images(digits):
    X, y = digits
    as_bytes = np.rint(X * 255).astype(np.uint8)
    model = TrainOnSynthetic(
        FunctionTransformer(lambda X: X / 1), RidgeClassifier(), auditor=Figures(), random_state=0
    ).fit(as_bytes, y)
    assert model.report_.members.max() == 1
    assert model.score(as_bytes, y) > 0.85


def test_no_image_is_kept(digits):
    X, y = digits
    model = TrainOnSynthetic(
        FunctionTransformer(np.sqrt), RidgeClassifier(), auditor=PrivacyAuditor(), random_state=0
    ).fit(X, y)
    assert set(vars(model)) - set(model.get_params(deep=False)) == {
        "classes_",
        "classifier_",
        "report_",
        "classifier_auc_",
        "n_features_in_",
    }
    assert X[0].astype(np.float32).tobytes()[:64] not in pickle.dumps(model)


def test_grid_search_reads_the_audit_and_passes_the_patients(digits, patients):
    X, y = digits
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = Pipeline([("ksame", KSameAggregator(method="mdav").set_fit_request(groups=True))])
        model = TrainOnSynthetic(
            pipe, KNeighborsClassifier(1), auditor=PrivacyAuditor(random_state=0), random_state=0
        ).set_fit_request(groups=True)
        search = GridSearchCV(
            model,
            {"release__ksame__k": [2, 8]},
            scoring={"accuracy": "accuracy", "exposed": neg_n_exposed_score},
            refit="exposed",
            cv=GroupKFold(2),
        ).fit(X, y, groups=patients)
    results = search.cv_results_
    assert (results["mean_test_accuracy"] > 0.3).all()
    assert results["mean_test_exposed"][1] >= results["mean_test_exposed"][0]
    assert search.best_estimator_.report_.n_exposed_lower is not None


@pytest.mark.parametrize("nested", [False, True])
def test_a_step_that_does_not_say_whether_it_wants_the_patients_is_an_error(
    digits, patients, nested
):
    """Silence would have it count images where patients are meant."""
    X, y = digits
    pipe = Pipeline([("ksame", KSameAggregator(k=2, method="mdav"))])
    model = TrainOnSynthetic(Pipeline([("in", pipe)]) if nested else pipe, KNeighborsClassifier(1))
    with sklearn.config_context(enable_metadata_routing=True):
        with pytest.raises(UnsetMetadataPassedError, match="groups"):
            model.fit(X, y, groups=patients)
        pipe.named_steps["ksame"].set_fit_request(groups=False)
        assert model.fit(X, y, groups=patients).report_ is not None


def test_a_copying_release_scores_worse_than_noise(digits):
    X, y = digits
    scoring = {
        "tpr": neg_tpr_score,
        "exposed": neg_n_exposed_score,
        "collisions": neg_collision_rate_score,
    }
    noise = FunctionTransformer(lambda X: np.random.default_rng(0).uniform(size=X.shape))
    copy = FunctionTransformer(lambda X: X + 1e-4)
    models = [
        TrainOnSynthetic(release, RidgeClassifier(), holdout_size=0.5, random_state=0)
        for release in (copy, noise)
    ]
    figures = [cross_validate(model, X, y, cv=2, scoring=scoring) for model in models]
    for name in scoring:
        assert figures[0][f"test_{name}"].mean() < figures[1][f"test_{name}"].mean(), name


def test_images_need_classes(digits):
    X = digits[0].reshape(-1, 1, 8, 8)
    model = TrainOnSynthetic(FunctionTransformer(), RidgeClassifier())
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.fit(X, None)
    with pytest.raises(ValueError, match=r"y has shape \(3,\)"):
        model.fit(X, [0, 1, 1])


def test_scores_need_a_report():
    with pytest.raises(TypeError, match="RidgeClassifier has no report_"):
        neg_tpr_score(RidgeClassifier(), None)


def test_a_release_of_other_length_or_width_is_refused(digits):
    X, y = digits
    shorter = FunctionTransformer(lambda X: X[::2])
    with pytest.raises(ValueError, match=r"release gave \d+ images for \d+"):
        TrainOnSynthetic(shorter, RidgeClassifier()).fit(X, y)
    narrower = FunctionTransformer(lambda X: X[:, ::2])
    with pytest.raises(ValueError, match=r"the release has shape \(\d+, 32\); rows of \(64,\)"):
        TrainOnSynthetic(narrower, RidgeClassifier()).fit(X, y)


def test_tstr_is_the_score_on_real_images(digits):
    X, y = digits
    plain = tstr_score(RidgeClassifier(), X[:400], y[:400], X[400:], y[400:])
    model = RidgeClassifier().fit(X[:400], y[:400])
    assert plain == balanced_accuracy_score(y[400:], model.predict(X[400:]))
    own = tstr_score(RidgeClassifier(), X[:400], y[:400], X[400:], y[400:], scoring=None)
    assert own == model.score(X[400:], y[400:]) != plain
    images = X.reshape(-1, 1, 8, 8)
    assert tstr_score(RidgeClassifier(), images[:400], y[:400], X[400:], y[400:]) == plain
    as_bytes = np.rint(images[:400] * 255).astype(np.uint8)
    near = tstr_score(RidgeClassifier(), as_bytes, y[:400], X[400:], y[400:])
    assert near == pytest.approx(plain, abs=0.02)
    wrong = tstr_score(RidgeClassifier(), X[:400], (y[:400] + 1) % 10, X[400:], y[400:])
    assert wrong < 0.1
    other = tstr_score(
        LogisticRegression(), X[:400], y[:400], X[400:], y[400:], scoring="neg_log_loss"
    )
    assert other < 0
    with pytest.raises(ValueError, match=r"y_syn has shape \(3,\)"):
        tstr_score(RidgeClassifier(), X, y[:3], X, y)
    with pytest.raises(ValueError, match=r"X_syn has shape \(600, 32\)"):
        tstr_score(RidgeClassifier(), X[:, :32], y, X, y)


def test_a_rare_class_that_is_never_predicted_counts(digits):
    X, y = digits
    rare = np.flatnonzero(y == 0)[:20]
    rows = np.concatenate([rare, np.flatnonzero(y == 1)])
    X, y = X[rows], y[rows]
    model = TrainOnSynthetic(
        FunctionTransformer(np.sqrt), DummyClassifier(), auditor=Figures(), random_state=0
    )
    assert model.fit(X, y).score(X, y) == 0.5
    scoring = ["accuracy", "balanced_accuracy"]
    figures = cross_validate(model, X, y, cv=2, scoring=scoring, error_score="raise")
    assert (figures["test_accuracy"] > 0.7).all()
    assert (figures["test_balanced_accuracy"] == 0.5).all()
    assert (cross_validate(model, X, y, cv=2)["test_score"] == 0.5).all()


class Never(BaseEstimator):
    """A step that must not run."""

    def fit(self, X, y=None, *, groups=None):
        raise AssertionError("the release was made before it was checked")

    def transform(self, X):
        raise AssertionError("the release was made before it was checked")


def test_a_class_with_too_few_patients_is_told_before_the_release_is_made(digits, patients):
    X, y = digits
    pipe = Pipeline([("first", Never()), ("ksame", KSameAggregator(k=5))])
    y = np.where(np.arange(600) < 21, "rare", "common")  # 7 patients, 5 of whom stay
    model = TrainOnSynthetic(pipe, RidgeClassifier(), holdout_size=0.5, random_state=0)
    with pytest.raises(ValueError, match=r"too few subjects \(class rare: [34]\); 5 are needed"):
        model.fit(X, y, groups=patients)


@pytest.mark.filterwarnings("ignore:.*pixel-equal:UserWarning")
def test_an_image_on_both_sides_is_told_before_the_release_is_made(digits, patients):
    X, y = digits
    X = np.concatenate([X, X[:1]]).reshape(-1, 1, 8, 8)
    groups = np.append(patients, "another")
    y = np.append(y, y[0])
    never = Pipeline([("first", Never())])
    sides = []
    for seed in range(4):  # both copies are on one side in about half of the draws
        model = TrainOnSynthetic(never, RidgeClassifier(), holdout_size=0.5, random_state=seed)
        with pytest.raises((ValueError, AssertionError)) as error:
            model.fit(X, y, groups=groups)
        sides.append("must be disjoint" in str(error.value))
    assert any(sides)


def invert(X):
    return 1 - X


@pytest.mark.parametrize(
    "classifier",
    [
        SGDClassifier(loss="log_loss", random_state=0),
        LogisticRegression(max_iter=200),
        LabelClassifier(
            image_shape=(1, 8, 8), max_iter=8, width=8, augmentation=None, random_state=0
        ),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
def test_real_images_of_the_receiver_fine_tune_the_classifier(digits, patients, classifier):
    """It knows the inverted digits of the release, and learns plain ones from few patients."""
    X, y = digits
    release = FunctionTransformer(invert)
    model = TrainOnSynthetic(release, classifier, auditor=Figures(), random_state=0)
    assert model.fit(X, y, groups=patients).score(X, y) < 0.5
    model.set_params(fine_tune_size=0.3).fit(X, y, groups=patients)
    assert model.score(X, y) > 0.8
    assert len(model.report_.members) == pytest.approx(0.4 * 600, abs=3)  # made from the others
    assert model.classifier_.get_params() == classifier.get_params()


def test_the_receivers_patients_are_neither_members_nor_judges(digits, patients):
    X, y = digits
    X = X.copy()
    X[:, 0] = np.arange(600) / 600  # so that a row can be found again
    seen = []

    class Learner(GaussianNB):
        def partial_fit(self, X, y, classes=None, sample_weight=None):
            seen.append(np.rint(np.asarray(X)[:, 0] * 600).astype(int))
            return super().partial_fit(X, y, classes, sample_weight)

    identity = FunctionTransformer(lambda X: X / 1)
    model = TrainOnSynthetic(
        identity, Learner(), auditor=Figures(), fine_tune_size=0.2, random_state=0
    ).fit(X, y, groups=patients)
    report = model.report_
    sides = [report.members, report.sets["X_holdout"]]
    rows = [np.rint(side[:, 0] * 600).astype(int) for side in sides] + [seen[-1]]
    assert sorted(np.concatenate(rows)) == list(range(600))
    names = [set(patients[one]) for one in rows]
    assert sum(map(len, names)) == len(set().union(*names))


def test_a_classifier_that_cannot_go_on_is_told_before_the_release_is_made(digits):
    X, y = digits
    never = Pipeline([("first", Never())])
    with pytest.raises(TypeError, match="neither warm_start nor partial_fit"):
        TrainOnSynthetic(never, KNeighborsClassifier(), fine_tune_size=0.2).fit(X, y)
    with pytest.raises(TypeError, match="takes no sample_weight"):
        TrainOnSynthetic(never, KNeighborsClassifier(), teacher=LogisticRegression()).fit(X, y)
    with pytest.raises(ValueError, match="leave nobody to make the release from"):
        TrainOnSynthetic(never, SGDClassifier(), fine_tune_size=0.7).fit(X, y)


def test_soft_labels_are_the_teachers(digits):
    """Rows under wrong classes: the teacher, who saw real images, puts them right."""
    X, y = digits
    rolled = FunctionTransformer(lambda X: np.roll(X, 7, axis=0))
    hard = TrainOnSynthetic(rolled, LogisticRegression(), auditor=Figures(), random_state=0)
    soft = TrainOnSynthetic(
        rolled,
        LogisticRegression(),
        teacher=LogisticRegression(max_iter=500),
        auditor=Figures(),
        random_state=0,
    )
    assert hard.fit(X, y).score(X, y) < 0.3
    assert soft.fit(X, y).score(X, y) > 0.9


def test_soft_labels_weigh_rows():
    X = np.zeros((2, 1))
    teacher = GaussianNB()
    teacher.predict_proba = lambda X: np.array([[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]])
    teacher.classes_ = np.array(["a", "b", "c"])

    class Learner(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            self.seen = list(zip(y.tolist(), sample_weight.tolist(), strict=True))

    learner = Learner()
    fit_softly(learner, X, teacher)
    assert learner.seen == [("a", 0.75), ("b", 0.25), ("c", 1.0)]


def test_the_loss_of_the_classifier_tells_what_soft_labels_give_away(digits):
    """Images that copy nobody pass the audit; a teacher that knows its patients by heart speaks
    through its labels of them."""
    X, y = digits
    rng = np.random.default_rng(0)
    y = rng.permutation(y)  # nothing to learn but who was there
    near = FunctionTransformer(lambda X: X + rng.normal(scale=0.1, size=X.shape))
    teacher = RandomForestClassifier(50, random_state=0)
    learner = RandomForestClassifier(50, random_state=0)
    auditor = Figures()
    mixed = FunctionTransformer(lambda X: rng.permutation(X))  # images without their classes
    hard = TrainOnSynthetic(mixed, learner, auditor=auditor, holdout_size=0.5, random_state=0)
    assert hard.fit(X, y).classifier_auc_.low < 0.5
    soft = TrainOnSynthetic(
        near, learner, teacher=teacher, auditor=auditor, holdout_size=0.5, random_state=0
    )
    assert soft.fit(X, y).classifier_auc_.low > 0.6
    ridge = TrainOnSynthetic(mixed, RidgeClassifier(), auditor=auditor, random_state=0)
    assert ridge.fit(X, y).classifier_auc_ is None


def test_the_stages_are_shown_when_asked_for(digits, capsys):
    X, y = digits
    model = TrainOnSynthetic(
        FunctionTransformer(np.sqrt), RidgeClassifier(), auditor=Figures(), random_state=0
    )
    model.fit(X, y)
    assert capsys.readouterr().err == ""
    model.set_params(verbose=True).fit(X, y)
    shown = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in shown] == ["TrainOnSynthetic"] * 4
    assert "a release of 420 images" in shown[0] and "SIGNAL" in shown[-1]


REGISTRY = {}


class Warner(TransformerMixin, BaseEstimator):
    """A release that warns twice in each fit, and remembers in one registry as a module does."""

    def fit(self, X, y=None):
        for line in (1, 2):
            warnings.warn_explicit(
                "the same each time", UserWarning, "release.py", line, registry=REGISTRY
            )
        return self

    def transform(self, X):
        return 1 - X


@pytest.mark.parametrize("action", ["default", "always"])
def test_each_fit_shows_a_warning_once(digits, action):
    X, y = digits
    model = TrainOnSynthetic(Warner(), RidgeClassifier(), auditor=Figures(), random_state=0)
    counts = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        for _ in range(2):
            model.fit(X, y)
            counts.append([str(w.message) for w in caught].count("the same each time"))
    assert counts == [1, 2]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "the same each time")
        with pytest.raises(UserWarning, match="the same each time"):
            model.fit(X, y)
