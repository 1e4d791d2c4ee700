"""
=====================================
A guided path and the straight line
=====================================

Groups of handwritten digits of one class are averaged in the latent space of a small decoder, and
the averages are joined by paths: first straight lines, then walks on which an identity classifier
is to recognise nobody. The decoder is the linear one of a principal component analysis, so that
this runs in seconds; a trained generator takes its place in practice.
"""

# %%
# A generator: any torch module from latents to images
# ----------------------------------------------------
import latentwalk as lw
import matplotlib.pyplot as plt
import numpy as np
import torch
from latentwalk.inspection import PathDisplay
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch import nn

digits = load_digits()
rows = digits.target < 3
X, y = (digits.images[rows, None] / 16).astype(np.float32), digits.target[rows]

pca = PCA(16, whiten=True, random_state=0).fit(X.reshape(len(X), -1))
linear = nn.Linear(16, 64)
with torch.no_grad():
    scale = np.sqrt(pca.explained_variance_)[:, None]
    linear.weight.copy_(torch.as_tensor((scale * pca.components_).T))
    linear.bias.copy_(torch.as_tensor(pca.mean_))
decoder = nn.Sequential(linear, nn.Unflatten(1, (1, 8, 8)))
generator = lw.Generator.from_module(decoder, 16, (1, 8, 8), output_range=(0, 1))

# %%
# Guides, prototypes, walk
# ------------------------
# Every image is its own subject here. Four of them make a prototype.
guides = {"width": 16, "max_iter": 15, "augmentation": ("shift",), "random_state": 0}
identity = lw.IdentityClassifier(**guides).fit(X)
label = lw.LabelClassifier(**guides).fit(X, y)

W = pca.transform(X.reshape(len(X), -1)).astype(np.float32)
prototypes = lw.KSameAggregator(k=4).fit_transform(W, y)
walker = lw.GuidedWalker(generator, identity, label, n_points=30, random_state=0)
W_syn = walker.fit_transform(prototypes, y, X_real=X)

straight = lw.GuidedWalker(
    generator, identity, label, n_points=30, objective="linear", random_state=0
).fit(prototypes, y, X_real=X)
for name, fitted in (("straight line", straight), ("walk", walker)):
    worst = fitted.path_identity_[:, 1:-1].max(axis=1)
    print(f"{name}: highest identity posterior of a path, median {np.median(worst):.4f}")
print(f"released points: {walker.released_identity_.max():.4f} at most")

# %%
# One path
# --------
PathDisplay.from_estimator(walker, 0, X_real=X)
plt.show()
