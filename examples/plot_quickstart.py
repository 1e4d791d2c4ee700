"""
==================================================
The main job: from real patches to a synthetic set
==================================================

Dermoscopy patches, 32x32 pixels, two or more from most subjects, go through the whole pipeline:
inverted into the latent space of a small StyleGAN2, averaged in groups of k subjects, walked away
from what an identity classifier recognises, decoded, audited and written to a folder. The same
audit of simpler releases stands beside it.

A subject here is *pair-level*: patches known to be cut from the same lesion. The patches do not
tell their patient, so nothing on this page is a statement about patients.
"""

# %%
# Four sets that share no subject
# -------------------------------
# Members train everything; the generator that ships with the package was trained on these members
# and on nothing else. Calibration subjects choose k. Reference subjects are for the controls of the
# audit, and the audit's subjects are used by nothing but the audit.

import os
import shutil
import tempfile
import time
from pathlib import Path

import latentwalk as lw
import matplotlib.pyplot as plt
import numpy as np
from latentwalk.auditing import audit_stages, recommend_k
from latentwalk.datasets import dermoscopy_generator_path, fetch_dermoscopy
from latentwalk.features import LPIPSFeatures
from latentwalk.inspection import ExposureDisplay, NearestMatchDisplay, PathDisplay
from latentwalk.metrics import coverage
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.random_projection import GaussianRandomProjection

started = time.time()
folder = Path(os.environ.get("LATENTWALK_DEMO_DIR", "demo"))
small = os.environ.get("LATENTWALK_DEMO") == "small"  # a share of the subjects, for this page

data = fetch_dermoscopy()
split = lw.split_patients(data.images, groups=data.groups, random_state=0)
if small:
    print("a quarter of the subjects, for this page; `make demo` runs them all")
    split = [rows[data.groups[rows] % 4 == 0] for rows in split]
(X, groups), (X_cal, groups_cal), (X_ref, groups_ref), (X_out, groups_out) = (
    (data.images[rows], data.groups[rows]) for rows in split
)
for name, ids in {"members": groups, "calibration": groups_cal, "audit": groups_out}.items():
    print(f"{name}: {len(ids)} patches of {len(np.unique(ids))} subjects (pair-level)")

# %%
# The pipeline
# ------------
# The identity classifier guides the walk; frozen, it survives the cloning of a pipeline with a
# cache. The cache keeps the inversion while k changes.

generator = lw.load_generator(dermoscopy_generator_path())
identity = lw.IdentityClassifier(augmentation=("flip", "vertical_flip", "shift"), random_state=0)
identity.fit(X, groups)
print(f"the identity classifier recognises {identity.score(X, groups):.0%} of the member patches")

cache = Path(tempfile.mkdtemp())  # holds latents of real patches: in the house, and not for long
inverter = lw.GANInverter(
    generator,
    loss="pixels",  # a third of the time, and smoother images
    max_iter=20,
    n_jobs=2,
    cache_dir=cache / "latents",
    random_state=0,
)
walker = lw.GuidedWalker(
    generator, identity_classifier=FrozenEstimator(identity), n_points=25, random_state=0
)
pipe = Pipeline(
    [
        ("invert", inverter),
        ("ksame", lw.KSameAggregator(random_state=0)),
        ("walk", walker),
        ("decode", lw.GANDecoder(generator)),
    ],
    memory=str(cache / "steps"),
)
params = {"ksame__groups": groups, "walk__groups": groups, "walk__X_real": X}
lw.check_pipeline(pipe, X, groups=groups)

# %%
# Choosing k on the calibration subjects
# --------------------------------------
# The smallest k at which the audit finds nothing and has the subjects to say so, else the largest.
# The audit's own subjects have no part in this choice.
# There are two feature spaces: pixels, in which the walk rejects near-duplicates of real patches,
# and LPIPS (shortened by a random projection), which had no part in making the release.

lpips = make_pipeline(LPIPSFeatures(), GaussianRandomProjection(512, random_state=0)).fit(X_ref)
spaces = {"pixels": "pixels", "lpips": lpips}
calibration = lw.PrivacyAuditor(spaces, random_state=0)
calibration.fit(X, X_holdout=X_cal, groups=groups, groups_holdout=groups_cal)
releases, curve = {}, {}
for k in (2, 5) if small else (2, 5, 10):
    releases[k] = pipe.set_params(ksame__k=k).fit_transform(X, **params)
    curve[k] = calibration.audit(releases[k], guided_by="pixels")
    print(f"k = {k}: {curve[k].verdict}, TPR at 1 % FPR {curve[k].tpr}")
k = recommend_k(curve) or max(curve)
X_syn = releases[k]

# %%
# The audit, and what simpler releases give away
# ----------------------------------------------
# From the inversions of the real patches to the walk: the same auditor and the same held-out
# subjects. The figures are those of the attack that finds most. The generator's own samples show
# what it alone gives away. Distance is the mean one to the nearest member, in pixels. Coverage is
# the share of held-out patches that have a synthetic one nearby in LPIPS (higher is better): what
# each figure was bought at.

pipe.set_params(ksame__k=k).fit(X, **params)
prototypes = pipe[:2].fit_transform(X, ksame__groups=groups)
linear = clone(pipe["walk"]).set_params(objective="linear", selection="uniform")
straight = linear.fit_transform(prototypes, X_real=X, groups=groups)
stages = {
    "inversions": pipe["invert"].transform(X),
    "k-same alone": np.unique(prototypes, axis=0),
    "linear walk": straight,
}
decoder = pipe["decode"]
stages = {name: decoder.transform(latents) for name, latents in stages.items()}
stages |= {"guided walk": X_syn, "generator": generator.sample(len(X), random_state=0)[0]}

auditor = lw.PrivacyAuditor(spaces, random_state=0)
sets = {"X_holdout": X_out, "X_reference": X_ref}
subjects = {"groups": groups, "groups_holdout": groups_out, "groups_reference": groups_ref}
auditor.fit(X, **sets, **subjects)
ladder = audit_stages(auditor, stages, guided_by={"guided walk": "pixels"})
report = ladder["guided walk"]

columns = f"{'exposed':>8}{'TPR at 1 % FPR':>22}{'AUC':>7}{'distance':>10}{'coverage':>10}"
rows = [f"{'release':14}{'verdict':13}{columns}"]
for name, found in ladder.items():
    covered = coverage(lpips.transform(stages[name]), lpips.transform(X_out))
    rows.append(
        f"{name:14}{found.verdict:13}{f'>= {found.n_exposed_lower}':>8}"
        f"{found.tpr!s:>24}{found.auc.value:7.2f}"
        f"{found.mean_minimum_distance:10.3f}{covered:10.2f}"
    )
real = coverage(lpips.transform(X), lpips.transform(X_out))
rows.append(f"coverage of the real member patches: {real:.2f}")
table = "\n".join(rows)
print(table)

# %%
# The verdict
# -----------

print(f"k = {k}: {report.verdict}. {report.reason}")
print(report.advice)

# %%
# What k buys
# -----------
# The rate at which an attacker finds calibration-checked members, with its 95 % interval, by k.

rates, low, high = np.array([found.tpr for found in curve.values()]).T
figure, axis = plt.subplots(figsize=(6, 3.5), layout="constrained")
axis.errorbar(list(curve), rates, [rates - low, high - rates], fmt="o-", capsize=4)
axis.axhline(calibration.fpr, color="grey", linestyle=":", label="chance")
axis.set(xlabel="k", ylabel="TPR at 1 % FPR", xticks=list(curve), ylim=(0, None))
axis.legend()
figure_k = figure

# %%
# How near the release comes to members and to held-out subjects
# --------------------------------------------------------------

exposures = ExposureDisplay.from_report(report)

# %%
# A path
# ------
# The walk between two prototypes, against the straight line: the highest identity posterior, the
# distance to the nearest member patch, and the images.

worst = int(np.argmax(pipe["walk"].path_identity_.max(axis=1)))
film = PathDisplay.from_estimator(pipe["walk"], worst, X_real=X)

# %%
# The release, and what stays in the house
# ----------------------------------------
# ``release/`` holds shuffled synthetic patches and a manifest. ``audit/`` shows real patches beside
# synthetic ones and is internal. Any verdict but NO EVIDENCE needs a reason, which the release
# states.

for part in ("release", "audit"):
    shutil.rmtree(folder / part, ignore_errors=True)
audit = folder / "audit"
audit.mkdir(parents=True)
matches = auditor.nearest_matches(X_syn, X)
report.to_html(audit / "report.html", edition="internal", matches=matches)
report.to_json(audit / "report.json")
(audit / "table.txt").write_text(table + "\n")
figure_k.savefig(audit / "k.png", dpi=150)
exposures.figure_.savefig(audit / "exposure.png", dpi=150)
film.figure_.savefig(audit / "path.png", dpi=150)
pairs = NearestMatchDisplay.from_estimator(auditor, X_syn, X)
pairs.figure_.savefig(audit / "nearest.png", dpi=150)
plt.close(pairs.figure_)  # it shows real patches

lw.write_release(
    folder / "release",
    X_syn,
    report=report,
    pipeline=pipe,
    allow="a demonstration on published images",
    facts=lw.ReleaseFacts(
        licence="research only, as the PH2 images that the patches were cut from"
    ),
)
shutil.rmtree(cache)
print("release: the synthetic set.  audit/report.html: the audit (internal)")
print(f"{time.time() - started:.0f} s in all")

# %%
# Synthetic patches
# -----------------

chosen = np.random.default_rng(0).permutation(len(X_syn))[:64]
sheet = X_syn[chosen].reshape(4, 16, 3, 32, 32).transpose(0, 3, 1, 4, 2).reshape(128, 512, 3)
figure, axis = plt.subplots(figsize=(8, 2.1), layout="constrained")
axis.imshow(sheet)
axis.set_axis_off()
figure.savefig(audit / "synthetic.png", dpi=150)
