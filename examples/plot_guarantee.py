"""
===========================================
Two hospitals, one release, and a guarantee
===========================================

Two sites make one synthetic set. No image leaves a site, nothing but noisy numbers is exchanged,
and what an attacker can learn about a patient is bounded, whoever the attacker is. The digits of
scikit-learn stand for images: a generator is trained on public ones, and each site has others.
"""

# %%
# A generator that never saw the sites' patients
# ----------------------------------------------
# That is the first condition of a guarantee. Here the generator is a linear one, the principal
# components of public digits, so that the example takes seconds. ``trained_on="others"`` says so.

import matplotlib.pyplot as plt
import numpy as np
import torch
from latentwalk import Generator
from latentwalk.aggregation import DPKSameAggregator, lay_cells
from latentwalk.generators import decode_latents
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

X, y = load_digits(n_class=4, return_X_y=True)
X = (X / 16).astype(np.float32)
X_public, X, _, y = train_test_split(X, y, train_size=100, random_state=0)
X, X_test, y, y_test = train_test_split(X, y, test_size=100, random_state=0)

components = PCA(12, whiten=True).fit(X_public)
steps = components.components_ * np.sqrt(components.explained_variance_)[:, None]
linear = torch.nn.Linear(12, 64)
linear.weight.data = torch.as_tensor(steps.T, dtype=torch.float32)
linear.bias.data = torch.as_tensor(components.mean_, dtype=torch.float32)
decoder = torch.nn.Sequential(linear, torch.nn.Unflatten(1, (1, 8, 8)))
generator = Generator.from_module(
    decoder, w_dim=12, image_shape=(1, 8, 8), output_range=(0, 1), trained_on="others"
)

# %%
# Each site adds its own noise
# ----------------------------
# The cells are laid on the generator's samples, so that both sites have the same ones. The latent
# of an image depends on that image alone; for a linear generator it is a projection, for others
# `GANInverter` finds it. Each site's patients keep their guarantee against the other site too.

cells = lay_cells(generator, n_cells=1, n_axes=12)
settings = {"k": 10, "tolerance": 0.05, "cells": cells, "classes": [0, 1, 2, 3]}
W = components.transform(X).astype(np.float32)
is_first = np.arange(len(W)) % 2 == 0
sites = [
    DPKSameAggregator(generator, **settings).fit(W[rows], y[rows]) for rows in (is_first, ~is_first)
]
joined = DPKSameAggregator.merge(sites)
print(joined.privacy_)

# %%
# The release is drawn
# --------------------
# Its images are samples of the generator. The noisy prototypes decide to which class they belong.

W_syn, y_syn = joined.sample(1000, random_state=0)
X_syn = decode_latents(generator, W_syn)
fig, axes = plt.subplots(4, 8, figsize=(6, 3.2))
for digit, row in enumerate(axes):
    for ax, image in zip(row, X_syn[y_syn == digit][:8], strict=True):
        ax.imshow(image[0], cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
fig.suptitle("drawn under the guarantee, a row for each class")

# %%
# What it is worth
# ----------------
# A classifier that is trained on the release and tested on real images: against one of the real
# images, one of generator samples without the patients' labels, and one site alone.


def accuracy(X_train: np.ndarray, y_train: np.ndarray) -> float:
    model = LogisticRegression(C=0.1, max_iter=500).fit(X_train.reshape(-1, 64), y_train)
    return float(model.score(X_test, y_test))


W_site, y_site = sites[0].sample(1000, random_state=0)
W_any, y_any = joined.sample(1000, contrast=0, random_state=0)
print(f"real images          {accuracy(X, y):.2f}")
print(f"both sites, joined   {accuracy(X_syn, y_syn):.2f}")
print(f"one site alone       {accuracy(decode_latents(generator, W_site), y_site):.2f}")
print(f"samples, any label   {accuracy(decode_latents(generator, W_any), y_any):.2f}")
