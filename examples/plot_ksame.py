"""
==============================================
Groups of k: what they look like, cost and buy
==============================================

`KSameAggregator` replaces every row by the mean of a group of at least k subjects of its class.
Here it works on the 64 pixels of scikit-learn's digits, without a generator, to show it alone: the
groups, the prototypes, and the price of k.
"""

# %%
# Members and held-out
# --------------------
# The digits do not tell who wrote them, so every image counts as a subject of its own. Copies of an
# image are joined by the aggregator; here there are none.

import matplotlib.pyplot as plt
import numpy as np
from latentwalk import KSameAggregator
from latentwalk.metrics import auc, exposure, tpr_at_fpr
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X, X_out, y, y_out = train_test_split(X / 16, y, train_size=0.5, stratify=y, random_state=0)
print(f"{len(X)} members, {len(X_out)} held out")

# %%
# A group, and the prototype that stands for it
# ---------------------------------------------
# Each row shows the members of one group and, last, their mean. Only the last column leaves
# the aggregator. The blur is the point: nobody makes up more than a fifth of it.

aggregator = KSameAggregator(k=5, random_state=0).fit(X, y)
fig, axes = plt.subplots(4, 6, figsize=(6, 4.4))
for row, group in zip(axes, [0, 40, 80, 120], strict=True):
    members = X[aggregator.labels_ == group][:5]
    for ax, image in zip(row, [*members, aggregator.prototypes_[group]], strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[5].set_title(f"a {aggregator.prototype_targets_[group]}", fontsize=9)
fig.suptitle("five members, and their prototype")

# %%
# Optimal against greedy
# ----------------------
# Within one class, on its two leading components: the groups of the power diagram are cells that
# meet along straight lines, those of MDAV overlap where the last ones took what was left. Both have
# as many groups, and as few as k members in each.

plane = PCA(2).fit_transform(X[y == 3])
fig, axes = plt.subplots(1, 2, figsize=(8, 4), sharex=True, sharey=True)
for ax, method in zip(axes, ["mdav", "power_diagram"], strict=True):
    groups = KSameAggregator(k=5, method=method, random_state=0).fit(plane)
    for label, prototype in enumerate(groups.prototypes_):
        for point in plane[groups.labels_ == label]:
            ax.plot(*np.transpose([prototype, point]), color=f"C{label % 10}", lw=0.8)
    ax.scatter(*plane.T, c=groups.labels_ % 10, cmap="tab10", vmin=0, vmax=9, s=12)
    ax.set(title=f"{method}, error {groups.inertia_:.1f}", xticks=[], yticks=[])

# %%
# What k costs and buys
# ---------------------
# A larger k costs error (of the total sum of squares) and utility (accuracy, on held-out images,
# of a classifier that was trained on the prototypes). It buys less exposure: the true-positive rate
# of telling members from held-out images by their distance to the nearest prototype, at 1 % false
# positives, with its 95 % interval.

total = sum(np.square(X[y == c] - X[y == c].mean(axis=0)).sum() for c in range(10))
sizes = [2, 3, 5, 8, 12, 20]
errors, accuracies, rates = [], [], []
print(" k  groups  error  accuracy  AUC    TPR at 1 % FPR")
for k in sizes:
    aggregator = KSameAggregator(k=k, random_state=0)
    released = aggregator.fit_transform(X, y)
    errors.append(aggregator.inertia_ / total)
    model = LogisticRegression(max_iter=2000).fit(released, y)
    accuracies.append(model.score(X_out, y_out))
    near, far = exposure(X, aggregator.prototypes_), exposure(X_out, aggregator.prototypes_)
    rates.append(tpr_at_fpr(near, far))
    print(
        f"{k:2d} {len(aggregator.prototypes_):7d}  {errors[-1]:.3f}  {accuracies[-1]:.3f}"
        f"     {auc(near, far).value:.3f}  {rates[-1].value:.3f} "
        f"[{rates[-1].low:.3f}, {rates[-1].high:.3f}]"
    )

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
left.plot(sizes, errors, "o-", label="error, share of the total within class")
left.plot(sizes, accuracies, "s-", label="accuracy, trained on prototypes")
left.set(xlabel="k", ylim=(0, 1), title="what k costs")
left.legend()
value, low, high = np.transpose([(rate.value, rate.low, rate.high) for rate in rates])
right.errorbar(sizes, value, yerr=[value - low, high - value], fmt="o-", capsize=3)
right.axhline(0.01, color="0.5", ls="--", lw=1)
right.text(16, 0.008, "chance", ha="center", va="top", color="0.4")
right.set(xlabel="k", ylim=(0, None), title="what k buys: TPR at 1 % FPR")
fig.tight_layout()
plt.show()

# %%
# The exposure falls with k and does not vanish: averages of real records always tell something of
# who is in them. That is why an audit follows, and why the walk comes in between.
