"""What a release is worth and what it gives away, in spaces that guided nothing."""

from __future__ import annotations

import time

import latentwalk as lw
import numpy as np
from latentwalk.auditing import ATTACKS
from latentwalk.features import LPIPSFeatures
from latentwalk.metrics import (
    coverage,
    kernel_distance,
    mean_minimum_distance,
    membership_accuracy,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.random_projection import GaussianRandomProjection

N_PROJECTED = 1024


class Judge:
    """Features of the real images, and a fitted auditor.

    The audit sees pixels and a random projection of LPIPS features, with all views of its panel.
    """

    def __init__(self, study, *, panel="quick", epochs=0):
        self.members, self.holdout, self.epochs = study.members, study.holdout, epochs
        exact = LPIPSFeatures().fit(study.members.X)
        self.lpips = exact.transform
        project = GaussianRandomProjection(N_PROJECTED, random_state=0)
        self.near = self.lpips(study.members.X)
        self.project = project.fit(self.near).transform
        self.far = self.lpips(study.holdout.X)
        spaces = {"pixels": "pixels", "lpips": make_pipeline(exact, project)}
        self.auditor = lw.PrivacyAuditor(spaces, panel=panel, random_state=0).fit(
            study.members.X,
            X_holdout=study.holdout.X,
            X_reference=study.reference.X,
            groups=study.members.groups,
            groups_holdout=study.holdout.groups,
            groups_reference=study.reference.groups,
        )

    def measure(self, images, labels, seed):
        """All figures of a release, as plain values."""
        start = time.perf_counter()
        features = self.lpips(images)
        figures = {
            "images": len(images),
            "distinct": len(np.unique(lw.utils.to_bytes(images).reshape(len(images), -1), axis=0)),
            "KID": 1000 * kernel_distance(features, self.far, gamma=1.0),
            "coverage": coverage(features, self.far),
            "mmL": mean_minimum_distance(features, self.near, squared=True),
            **self.probe(features, labels),
            **self.train(images, labels, seed),
            **self.audit(images),
        }
        return figures | {"seconds": time.perf_counter() - start}

    def probe(self, features, labels):
        """A linear classifier on projected LPIPS features, on real held-out patients."""
        model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=300))
        model.fit(self.project(features), labels)
        test, y = self.project(self.far), self.holdout.y
        values = {"accuracy": balanced_accuracy_score(y, model.predict(test))}
        if len(model.classes_) == 2:
            values["AUC"] = roc_auc_score(y, model.predict_proba(test)[:, 1])
        return values

    def train(self, images, labels, seed):
        """A network trained from nothing, and the published membership attack on it."""
        if not self.epochs:
            return {}
        classifier = lw.LabelClassifier(
            max_iter=self.epochs, augmentation=None, label_smoothing=0.0, random_state=seed
        ).fit(images, labels)
        attack = ATTACKS["downstream"]().fit(images, classifier=classifier)
        scores = [attack.score_samples(c.X, c.y) for c in (self.members, self.holdout)]
        attacked = membership_accuracy(
            *scores,
            groups=self.members.groups,
            groups_holdout=self.holdout.groups,
            random_state=seed,
        )
        predicted = classifier.predict(self.holdout.X)
        return {
            "network": balanced_accuracy_score(self.holdout.y, predicted),
            "attack": attacked.value,
        }

    def audit(self, images):
        """The verdict of the panel and what it rests on."""
        report = self.auditor.audit(images)
        return {
            "verdict": str(report.verdict),
            "p_value": report.p_value,
            "TPR": list(report.tpr),
            "TPR_high": report.tpr_high,
            "attack_AUC": list(report.auc),
            "exposed": report.n_exposed_lower,
            "copies": report.n_copies,
            "headline": report.headline.title,
            "rank1": max((r.rate for r in report.recognition), default=float("nan")),
        }
