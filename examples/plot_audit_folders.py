"""
==========================================
Auditing a synthetic set that others made
==========================================

Somebody hands you synthetic images, made by any tool. You have the real images that the tool was
trained on, and real images of other people. That is enough for an audit.

Two tools stand here for others: one draws from a mixture of Gaussians that was fitted to the real
images, the other one "augments" real images by noise. Both sets look alike.
"""

# %%
# Three folders
# -------------
# Handwritten digits of scikit-learn, 8x8 pixels, as PNG files. Nobody knows who wrote which digit,
# so each image counts as a person of its own. With a table of patients, pass ``--groups``.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from latentwalk.auditing import PrivacyAuditor
from latentwalk.cli import main
from latentwalk.datasets import load_image_folder
from latentwalk.inspection import ExposureDisplay
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

rng = np.random.default_rng(0)
X = rng.permutation(load_digits().data * 255 / 16)
members, others = X[:900], X[900:]
pca = PCA(30, random_state=0).fit(members)
mixture = GaussianMixture(10, covariance_type="diag", random_state=0)
drawn = pca.inverse_transform(mixture.fit(pca.transform(members)).sample(500)[0])
noisy = members[:500] + rng.normal(scale=25, size=(500, 64))

root = Path(tempfile.mkdtemp())
sets = {"members": members, "others": others, "mixture": drawn, "augmented": noisy}
for name, rows in sets.items():
    (root / name).mkdir()
    for number, row in enumerate(rows):
        pixels = np.clip(row, 0, 255).astype(np.uint8).reshape(8, 8)
        Image.fromarray(pixels).save(root / name / f"{number:04}.png")

# %%
# The two sets side by side
# -------------------------

figure, axes = plt.subplots(2, 12, figsize=(9, 1.8), layout="constrained")
for line, name in zip(axes, ("mixture", "augmented"), strict=True):
    for axis, row in zip(line, sets[name], strict=False):
        axis.imshow(row.reshape(8, 8), cmap="gray_r", vmin=0, vmax=255)
        axis.set_axis_off()

# %%
# By the command line
# -------------------
# In a shell: ``latentwalk audit --members members --holdout others --synthetic mixture``. The exit
# code is 0 for NO EVIDENCE, 1 for SIGNAL or UNDERPOWERED, 2 for LEAK.

folders = [f"--members={root / 'members'}", f"--holdout={root / 'others'}"]
code = main(["audit", *folders, f"--synthetic={root / 'mixture'}", f"--out={root / 'report'}"])
print(f"exit code {code}")

# %%
# ``report/report.html`` is for those who decide: the verdict in people, what was run and what was
# not, and a place to sign. The other set:

code = main(["audit", *folders, f"--synthetic={root / 'augmented'}"])
print(f"exit code {code}")

# %%
# In Python
# ---------
# The same from arrays, with a picture of what the audit saw: how near each real image has a
# synthetic one.

arrays = {name: np.asarray(load_image_folder(root / name, size=8).images) for name in sets}
auditor = PrivacyAuditor("pixels", random_state=0).fit(
    arrays["members"], X_holdout=arrays["others"]
)
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", sharex=True)
for axis, name in zip(axes, ("mixture", "augmented"), strict=True):
    report = auditor.audit(arrays[name])
    ExposureDisplay.from_report(report, ax=axis)
    axis.set_title(f"{name}: {report.verdict}")

# %%
# The noisy copies give half of their people away. The mixture gives nobody away for certain, but
# the panel tells its members from others: 10 components with a variance of their own for each of 30
# directions remember a little of 900 images.
