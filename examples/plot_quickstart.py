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
# and on nothing else. Calibration subjects choose k if there are enough of them. Reference subjects
# are for the controls of the audit, and the audit's subjects are used by nothing but the audit.

import os
import shutil
from pathlib import Path

import latentwalk as lw
import matplotlib.pyplot as plt
import numpy as np
from latentwalk.cli import ladder_table
from latentwalk.datasets import PatientSplit, dermoscopy_generator_path, fetch_dermoscopy
from latentwalk.inspection import ExposureDisplay, PathDisplay

folder = Path(os.environ.get("LATENTWALK_DEMO_DIR", "demo"))
data = fetch_dermoscopy()
split = lw.split_patients(data.images, groups=data.groups, random_state=0)
if os.environ.get("LATENTWALK_DEMO") == "small":
    print("a quarter of the subjects, for this page; `make demo` runs them all")
    split = PatientSplit(*(rows[data.groups[rows] % 4 == 0] for rows in split))
for name, rows in split._asdict().items():
    print(f"{name}: {len(rows)} patches of {len(np.unique(data.groups[rows]))} subjects")

# %%
# One call
# --------
# `make_release` trains the guide, builds the pipeline, chooses k, audits once, measures fidelity,
# and writes ``release/`` (what can be shared) and ``audit/`` (internal, it shows real patches). The
# calibration subjects are too few to judge a small k, so it takes the largest that it knows, 20.
# The steps get a third of the time of their defaults here, which makes smoother images. Any verdict
# but NO EVIDENCE needs a reason, which the release states.

for part in ("release", "audit"):
    shutil.rmtree(folder / part, ignore_errors=True)
result = lw.make_release(
    data.images,
    groups=data.groups,
    generator=lw.load_generator(dermoscopy_generator_path()),
    split=split,
    path=folder,
    facts=lw.ReleaseFacts(
        name="dermoscopy patches",
        licence="research only, as the PH2 images that the patches were cut from",
    ),
    allow="a demonstration on published images",
    ladder=True,
    step_params={"invert__loss": "pixels", "invert__max_iter": 20, "walk__n_points": 25},
)
print(result)

# %%
# What each stage would have given away
# -------------------------------------
# From the generator's own samples to the walk: the same auditor and the same held-out subjects. The
# figures are those of the attack that finds most. "Exposed" is a lower bound.

table = ladder_table(result)
print(table)
(folder / "audit" / "table.txt").write_text(f"{table}\n\n{result}\n")

# %%
# How near the release comes to members and to held-out subjects
# --------------------------------------------------------------

ExposureDisplay.from_report(result.report)

# %%
# A path
# ------
# The walk between two prototypes, against the straight line: the highest identity posterior, the
# distance to the nearest member patch, and the images. This is the path that comes nearest to being
# recognised.

walker = result.pipeline["walk"]
worst = int(np.argmax(walker.path_identity_.max(axis=1)))
PathDisplay.from_estimator(walker, worst, X_real=data.images[split.members])

# %%
# Synthetic patches
# -----------------

chosen = np.random.default_rng(0).permutation(len(result.X))[:64]
sheet = result.X[chosen].reshape(4, 16, 3, 32, 32).transpose(0, 3, 1, 4, 2).reshape(128, 512, 3)
figure, axis = plt.subplots(figsize=(8, 2.1), layout="constrained")
axis.imshow(sheet)
axis.set_axis_off()
figure.savefig(folder / "audit" / "synthetic.png", dpi=150)
