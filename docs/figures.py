"""Draw the figures of the user guide that come from formulas and toy data: `docs/figures.py`.

Nothing here is an image of a patient. Points are drawn from a seed, rates are simulated.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from latentwalk import Generator, GuidedWalker, IdentityClassifier
from latentwalk.aggregation import power_diagram
from matplotlib.axes import Axes
from scipy.spatial import ConvexHull
from scipy.stats import norm

FOLDER = Path(__file__).parent / "images"
INK, BLUE, RED, GREY = "#333333", "#2a6fb0", "#c23b22", "#999999"


def draw_verdicts(ax: Axes) -> None:
    """Intervals of the rate at which members are found, and what the audit says of each."""
    rows = [
        ("LEAK", 0.13, 0.28, "more members are found than is tolerated"),
        ("SIGNAL", 0.015, 0.11, "members are told from others; how many is not sure"),
        ("NO EVIDENCE", 0.0, 0.04, "a leak of 5 % would have been seen"),
        ("UNDERPOWERED", 0.0, 0.12, "a leak of 5 % may have been missed"),
    ]
    for place, (verdict, low, high, meaning) in enumerate(reversed(rows)):
        ax.plot([low, high], [place, place], color=BLUE, lw=5, solid_capstyle="butt")
        ax.text(0.31, place, f"{verdict}: {meaning}", va="center", color=INK)
    ax.axvline(0.05, color=RED, lw=1)
    ax.text(0.052, 3.55, "tolerance", color=RED, va="bottom")
    ax.set(xlim=(0, 0.3), ylim=(-0.6, 3.6), yticks=[])
    ax.set_xticks([0, 0.05, 0.1, 0.2, 0.3], ["0 %", "5 %", "10 %", "20 %", "30 %"])
    ax.set_xlabel("share of members found at 1 % false alarms, 95 % interval")


def draw_bounds(ax: Axes) -> None:
    """The best attacker on a guarantee of mu: Phi(Phi^-1(fpr) + mu)."""
    fpr = np.logspace(-4, 0, 200)
    for mu, shade in zip((0.25, 0.5, 0.68, 1, 1.5), (0.3, 0.45, 0.6, 0.8, 1.0), strict=True):
        tpr = norm.cdf(norm.ppf(fpr) + mu)
        ax.loglog(fpr, tpr, color=BLUE, alpha=shade, label=f"mu = {mu:g}")
    ax.loglog(fpr, fpr, color=GREY, ls=":", label="blind guesses")
    ax.plot([0.01], [0.05], "o", color=RED)
    ax.annotate("the default: 5 % at 1 %", (0.01, 0.05), (0.014, 0.016), color=RED)
    ax.set(xlabel="share of strangers accused", ylabel="share of patients found, at most")
    ax.set(xlim=(1e-4, 1), ylim=(1e-4, 1))
    ax.legend(frameon=False)


def draw_groups(ax: Axes) -> None:
    """Groups of at least five points in the plane, and their means."""
    points = np.random.default_rng(3).normal(size=(60, 2))
    labels = power_diagram(points, 5).labels
    for group in np.unique(labels):
        own = points[labels == group]
        hull = own[ConvexHull(own).vertices]
        ax.fill(*hull.T, color=BLUE, alpha=0.15, lw=0)
        ax.plot(*own.mean(axis=0), "o", color=RED, ms=6)
    ax.plot(*points.T, "o", color=GREY, ms=3)
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.axis("off")
    ax.set_title("grey: patients, red: prototypes, k = 5", color=INK, fontsize=10)


def draw_walk(ax: Axes) -> None:
    """A straight and a guided path in the plane, past subjects that a guide recognises."""
    subjects = np.array([[0.3, 0.53], [0.5, 0.44], [0.7, 0.54], [0.2, 0.25], [0.8, 0.8]])
    generator = Generator.from_module(
        torch.nn.Unflatten(1, (1, 1, 2)), w_dim=2, image_shape=(1, 1, 2), output_range=(0, 1)
    )
    guide = IdentityClassifier.from_module(
        Nearness(subjects), range(len(subjects) + 1), image_shape=(1, 1, 2)
    )
    ends = np.array([[0.08, 0.48], [0.92, 0.5]], np.float32)
    x = np.linspace(0, 1, 120, dtype=np.float32)
    grid = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 1, 1, 2)
    seen = guide.predict_proba(grid)[:, :-1].max(axis=1).reshape(120, 120)
    ax.imshow(seen, extent=(0, 1, 0, 1), origin="lower", cmap="Greys", vmax=1.5)
    for objective, color in (("linear", GREY), ("worst-point", BLUE)):
        walker = GuidedWalker(
            generator, guide, objective=objective, identity_weight=4, max_iter=100, random_state=0
        ).fit(ends)
        ax.plot(*walker.paths_[0].T, color=color, lw=2, label=f'objective="{objective}"')
    ax.plot(*ends.T, "o", color=RED, label="prototypes")
    ax.set(xticks=[], yticks=[], aspect="equal", xlim=(0, 1), ylim=(0.1, 0.9))
    ax.legend(frameon=False, loc="lower right")


class Nearness(torch.nn.Module):
    """Logits that recognise a subject near its place, and otherwise nobody: the last class."""

    def __init__(self, places: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("places", torch.as_tensor(places, dtype=torch.float32))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        squared = (images.flatten(1)[:, None] - self.places).square().sum(dim=2)  # (n, n_places)
        return torch.cat([3 - squared / 0.003, torch.zeros(len(images), 1)], dim=1)


FIGURES = {
    "verdicts": (draw_verdicts, (9, 2.2)),
    "bounds": (draw_bounds, (5.5, 4)),
    "groups": (draw_groups, (5, 4.2)),
    "path": (draw_walk, (5.5, 4.4)),
}


def main() -> None:
    plt.rcParams |= {"svg.hashsalt": "latentwalk", "axes.spines.top": False, "font.size": 9}
    plt.rcParams["svg.fonttype"] = "none"
    plt.rcParams["axes.spines.right"] = False
    for name, (draw, size) in FIGURES.items():
        figure, ax = plt.subplots(figsize=size, layout="constrained")
        draw(ax)
        figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
