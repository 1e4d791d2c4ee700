"""latentwalk train: a generator of the members of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from latentwalk.cli._options import CommonOptions, ImageOptions, parse_settings
from latentwalk.cli._outcome import Outcome
from latentwalk.datasets import split_patients


def train(
    folder: Path,
    *,
    out: Path,
    images: ImageOptions,
    max_iter: int | None = None,
    minutes: float | None = None,
    settings: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    common: CommonOptions | None = None,
) -> Outcome:
    """Train a generator on a part of the patients of a folder.

    Half of the patients are members, and the network sees them alone. The others choose and judge
    the release later: `latentwalk release` reads OUT/run.toml and holds out the same patients. An
    interrupted training goes on when the same command is given again.

    The network knows the patients that it was trained on. OUT stays in the house.

    Parameters
    ----------
    folder : Path
        Folder of real images.
    out : Path
        Folder of the network, its samples and run.toml.
    max_iter : int
        Training steps. The default is that of the trainer.
    minutes : float
        Stop after so many minutes. The same command goes on from there.
    settings : tuple of str
        A parameter of the trainer, such as batch_size=16. Give it once for each.
    """
    from latentwalk.generators import StyleGAN2Trainer

    common = common or CommonOptions()
    data = images.load(folder)
    split = split_patients(data.images, data.target, data.groups, random_state=common.seed)
    out.mkdir(parents=True, exist_ok=True)
    trainer = StyleGAN2Trainer(
        checkpoint=out / "training.safetensors",
        sample_sheets=out / "samples",
        random_state=common.seed,
        verbose=not common.quiet,
    )
    if max_iter is not None:
        trainer.set_params(max_iter=max_iter)
    if minutes is not None:
        trainer.set_params(max_time=60 * minutes)
    trainer.set_params(**parse_settings(settings))
    groups = np.arange(len(data.images)) if data.groups is None else data.groups
    members, calibration = split.members, split.calibration
    trainer.fit(
        data.images[members],
        None if data.target is None else np.unique(data.target[members], return_inverse=True)[1],
        groups=groups[members],
        X_val=np.asarray(data.images[calibration]),
        groups_val=groups[calibration],
    )
    network = out / "network.safetensors"
    trainer.generator_.save(network)
    done, steps = trainer.n_iter_, trainer.max_iter
    more = "" if done >= steps else "; the same command goes on from there"
    text = (
        f"{trainer.generator_!r}\n"
        f"trained on {len(members)} of {len(data.images)} images, {done} of {steps} steps{more}\n"
        f"next: look at {out / 'samples'}, then latentwalk release {folder} with the same options, "
        f"--network {network} and a new --out"
    )
    facts = {"network": str(network), "n_members": len(members), "n_iter": trainer.n_iter_}
    return Outcome(text, facts, folder=out)
