"""latentwalk release: from a folder of real images to one that can be handed on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from latentwalk.cli._options import CommonOptions, ImageOptions, parse_settings
from latentwalk.cli._outcome import Outcome, code_of
from latentwalk.cli._record import NAME, read_run

# What decides who is a member: the same in a training and in a release.
SHARED = (
    "folder",
    "size",
    "seed",
    "levels",
    "table",
    "file_column",
    "label_column",
    "subject_column",
    "exclude",
    "skip_unreadable",
)


def release(
    folder: Path,
    *,
    network: Path,
    out: Path,
    images: ImageOptions,
    k: Annotated[tuple[int, ...], Parameter(negative="")] = (),
    other_patients: Annotated[bool, Parameter(negative="")] = False,
    guarantee: float | None = None,
    n_images: int = 1000,
    name: str | None = None,
    licence: str | None = None,
    contact: str | None = None,
    allow: str | None = None,
    layout: Literal["flat", "folders"] = "flat",
    ladder: Annotated[bool, Parameter(negative="")] = False,
    cache: Path | None = None,
    settings: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    common: CommonOptions | None = None,
) -> Outcome:
    """Make synthetic images of a folder of real ones, audit them, and write what can be shared.

    OUT/release can be handed on. OUT/audit shows real images and stays in the house. If the verdict
    is not NO EVIDENCE, nothing is released unless --allow gives a reason, which the release states.

    The patients that judge the release must be unknown to the network. A network of
    `latentwalk train` has a run.toml beside it, and the same patients are held out again. For any
    other network say that it was trained on --other-patients.

    Exit codes: 0 no evidence, 1 a signal or an underpowered audit, 2 a leak, 3 an error.

    Parameters
    ----------
    folder : Path
        Folder of real images.
    network : Path
        The generator's weights: a StyleGAN2(-ADA) pickle, a checkpoint or a safetensors file.
    out : Path
        A new folder.
    k : tuple of int
        The patients of a group. Of several, the smallest is taken whose audit on the calibration
        patients ends in NO EVIDENCE, else the largest. The default is 5, 10 and 20, or only the
        largest of them where these patients are too few. A class needs 2k patients.
    other_patients : bool
        The network was trained on patients who are not in the folder.
    guarantee : float
        Draw the release under a guarantee: no attacker finds more than this share of the patients,
        such as 0.05, at 1 % false alarms. It needs --other-patients, and one k (20 if none is
        given).
    n_images : int
        Images that are drawn under a guarantee. The number is public.
    name : str
        What the data set is called, in README and report.
    licence : str
        The terms of the images, in one line.
    contact : str
        Whom to ask about it.
    allow : str
        The reason for a release in spite of the verdict.
    layout : str
        "folders" gives each class a folder of its own.
    ladder : bool
        Also audit the stages of the pipeline: which of them exposes patients.
    cache : Path
        A folder that keeps what was finished, so that the same command goes on. It is private.
    settings : tuple of str
        A parameter of a step, such as walk__max_iter=20. Give it once for each.
    """
    from latentwalk.auditing import ReleaseFacts
    from latentwalk.generators import load_generator
    from latentwalk.release import make_release

    common = common or CommonOptions()
    if not other_patients:
        check_same_patients(network, folder, images, common)
    data = images.load(folder)
    generator = load_generator(network, trained_on="others" if other_patients else "these patients")
    result = make_release(
        data.images,
        data.target,
        groups=data.groups,
        generator=generator,
        k=k or "auto",
        guarantee=None if guarantee is None else noisy_cells(generator, guarantee, k),
        n_images=n_images,
        path=out,
        class_names=data.target_names,
        facts=ReleaseFacts(name=name, licence=licence, contact=contact),
        allow=allow,
        layout=layout,
        ladder=ladder,
        step_params=parse_settings(settings),
        cache_dir=cache,
        random_state=common.seed,
        verbose=not common.quiet,
    )
    return Outcome(str(result), result.to_dict(), code_of(result.report.verdict), out)


def noisy_cells(generator: Any, tolerance: float, k: tuple[int, ...]) -> Any:
    """Return the aggregator of a guarantee; raises for several k."""
    from latentwalk.aggregation import DPKSameAggregator

    if len(k) > 1:
        raise ValueError(f"--k has {len(k)} values; --guarantee takes one, and spends it once")
    return DPKSameAggregator(generator, *k, tolerance=tolerance)


def check_same_patients(
    network: Path, folder: Path, images: ImageOptions, common: CommonOptions
) -> None:
    """Raise unless the network's members are the members of this run."""
    record = network.parent / NAME
    if not record.is_file():
        raise ValueError(
            f"no {NAME} beside the network tells which patients it was trained on. Train it with "
            "`latentwalk train`, or pass --other-patients if it has seen none of this folder"
        )
    trained = read_run(record)["options"]
    now: dict[str, Any] = {"folder": str(folder.resolve()), "seed": common.seed}
    for name in SHARED:
        value = now.get(name, getattr(images, name, None))
        value = str(value.resolve()) if isinstance(value, Path) else value
        value = list(value) if isinstance(value, tuple) else value
        if (trained.get(name) or None) != (value or None):
            raise ValueError(
                f"--{name.replace('_', '-')} differs from that of the network's training; with "
                "other options other patients are held out, and the network has seen them"
            )
