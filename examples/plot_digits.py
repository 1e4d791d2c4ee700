"""
====================================
Hello world, with labels: the digits
====================================

Scikit-learn's digits, 8x8 pixels in ten classes, go through the whole pipeline in less than a
minute on one core. The generator is the decoder of a small variational autoencoder that is trained
here, on the members alone: any torch decoder can be a generator. The digits do not tell who wrote
them, so every image counts as a subject of its own.
"""

# %%
# Four sets, and a generator
# --------------------------
# Members train everything. The audit set is touched by the audit, and here by the test of the
# classifiers, and by nothing else.

import tempfile
from pathlib import Path

import latentwalk as lw
import matplotlib.pyplot as plt
import numpy as np
import sklearn
import torch
from latentwalk.evaluation import tstr_score
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from torch import nn

torch.set_num_threads(1)
digits = load_digits()
images, labels = (digits.images[:, None] / 16).astype(np.float32), digits.target
split = lw.split_patients(images, y=labels, random_state=0)
X, y = images[split.members], labels[split.members]
X_out, y_out = images[split.audit], labels[split.audit]
print(f"{len(X)} members, {len(X_out)} held out")

# %%
# The decoder maps 16 standard normal latents to an image. Nothing of the encoder is kept: the
# inverter trains one of its own, on what the decoder makes.

W_DIM = 16
torch.manual_seed(0)
encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.SiLU(), nn.Linear(256, 2 * W_DIM))
decoder = nn.Sequential(
    nn.Linear(W_DIM, 256),
    nn.SiLU(),
    nn.Linear(256, 256),
    nn.SiLU(),
    nn.Linear(256, 64),
    nn.Sigmoid(),
    nn.Unflatten(1, (1, 8, 8)),
)


def train_autoencoder(X: torch.Tensor, n_steps: int = 3000, batch_size: int = 128) -> None:
    """Maximise the evidence lower bound (Kingma and Welling, 2014)."""
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    for _ in range(n_steps):
        batch = X[torch.randint(len(X), (batch_size,))]
        mean, log_var = encoder(batch).chunk(2, dim=1)
        w = mean + torch.randn_like(mean) * (log_var / 2).exp()
        error = (decoder(w) - batch).square().sum((1, 2, 3)) / (2 * 0.1**2)
        divergence = (mean.square() + log_var.exp() - 1 - log_var).sum(1) / 2
        optimizer.zero_grad()
        (error + divergence).mean().backward()
        optimizer.step()
        schedule.step()


train_autoencoder(torch.as_tensor(X))
generator = lw.Generator.from_module(decoder, W_DIM, (1, 8, 8), output_range=(0, 1))

# %%
# The pipeline
# ------------
# The guides say who could be recognised and which digit is seen. `check_pipeline` finds before
# the run what would fail in it.

identity = lw.IdentityClassifier(max_iter=15, random_state=0).fit(X)
label = lw.LabelClassifier(max_iter=15, random_state=0).fit(X, y)


def make_pipe(objective: str = "worst-point") -> Pipeline:
    """Make the four steps; "linear" walks straight, as the baseline."""
    walker = lw.GuidedWalker(
        generator,
        identity_classifier=identity,
        label_classifier=label,
        objective=objective,
        random_state=0,
    )
    return Pipeline(
        [
            ("invert", lw.GANInverter(generator, random_state=0)),
            ("ksame", lw.KSameAggregator(k=5)),
            ("walk", walker),
            ("decode", lw.GANDecoder(generator)),
        ]
    )


pipe = make_pipe()
lw.check_pipeline(pipe, X, y, walk__X_real=X)
X_walk = pipe.fit_transform(X, y, walk__X_real=X)
print(f"inversion error, median: {np.median(pipe['invert'].reconstruction_error_):.3f}")

# %%
# What it is worth, and what it gives away
# ----------------------------------------
# The same two questions go to simpler releases: the inversions themselves (no protection), the
# prototypes of k-same alone, and straight walks. Accuracy is that of a classifier trained on the
# release and tested on real digits that nothing else has seen: higher is better, and the first row
# is what the real images give. The rate is the share of members that an attacker finds at 1 % false
# positives, with the upper end of its interval: lower is better, 0.01 is chance. Exposed is the
# number of members that are exposed at least.

inverted = pipe["invert"].transform(X)
prototypes = pipe["ksame"].prototypes_[pipe["ksame"].labels_]
straight = make_pipe("linear")["walk"].fit_transform(prototypes, y, X_real=X)
decode = pipe["decode"].transform
releases = {
    "inversions": decode(inverted),
    "k-same alone": decode(prototypes),
    "linear walk": decode(straight),
    "guided walk": X_walk,
}

classifier = LogisticRegression(max_iter=2000)
auditor = lw.PrivacyAuditor(random_state=0).fit(X, X_holdout=X_out)
flat_out = X_out.reshape(len(X_out), -1)
real_score = tstr_score(classifier, X, y, flat_out, y_out)
print(f"{'':14}{'accuracy':>9}{'rate':>7}{'upper':>7}{'exposed':>9}  verdict")
print(f"{'real images':14}{real_score:9.3f}")
reports = {}
for name, X_syn in releases.items():
    score = tstr_score(classifier, X_syn, y, flat_out, y_out)
    reports[name] = report = auditor.audit(X_syn)
    rates = f"{report.tpr.value:7.3f}{report.tpr.high:7.3f}{report.n_exposed_lower:9d}"
    print(f"{name:14}{score:9.3f}{rates}  {report.verdict}")

# %%
# The audit in features of your own
# ---------------------------------
# The auditor is fitted and asked like scikit-learn's novelty detectors, so it can follow a feature
# extractor in a pipeline. With metadata routing, `transform_input` sends the held-out images
# through the same extractor as the members. `predict` gives -1 for a synthetic image that collides
# with a member or copies one; about 1 % of the members collide by chance. Such a list is for
# internal use: it points at members.

flat, flat_walk = X.reshape(len(X), -1), X_walk.reshape(len(X_walk), -1)
with sklearn.config_context(enable_metadata_routing=True):
    in_components = Pipeline(
        [
            ("components", PCA(16, random_state=0)),
            ("audit", lw.PrivacyAuditor(random_state=0).set_fit_request(X_holdout=True)),
        ],
        transform_input=["X_holdout"],
    )
    in_components.fit(flat, X_holdout=flat_out)
flags = in_components.predict(flat_walk)
print(f"{(flags == -1).sum()} of {len(flags)} synthetic images are flagged in 16 components")
print(in_components["audit"].audit(in_components[:-1].transform(flat_walk)))

# %%
# Look at them
# ------------
# One column for each digit, each with the member, the prototype that stands for five members, and
# the synthetic image of that row. The last one is not an image of the first.

rows = [int(np.flatnonzero(y == digit)[0]) for digit in range(10)]
figure, axes = plt.subplots(3, 10, figsize=(10, 3.2))
stages = {"member": X, "prototype": releases["k-same alone"], "synthetic": X_walk}
for line, (name, shown) in zip(axes, stages.items(), strict=True):
    line[0].set_title(name, loc="left", fontsize=9)
    for ax, row in zip(line, rows, strict=True):
        ax.imshow(shown[row, 0], cmap="gray_r", vmin=0, vmax=1)
        ax.set_axis_off()

# %%
# Write what may leave
# --------------------
# Every verdict but NO EVIDENCE needs a reason, which the release states. Digits that anybody can
# download are one.

report = reports["guided walk"]
reason = "digits that ship with scikit-learn, in an example"
with tempfile.TemporaryDirectory() as folder:
    release = lw.write_release(
        Path(folder) / "release", X_walk, y, report=report, pipeline=pipe, allow=reason
    )
    print((release / "manifest.json").read_text())
