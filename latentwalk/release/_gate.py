"""The gate of a release: what must hold of images, report, labels and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentwalk.evaluation import PrivacyStatement
from latentwalk.release._manifest import HELD_BACK, verdict_of
from latentwalk.utils import check_groups, check_targets

# What a verdict means, for somebody who did not run the audit.
MEANINGS = {
    "LEAK": "more of the real patients are exposed than the releasing party tolerates.",
    "SIGNAL": "attackers tell the real patients from others. More exposed patients than the "
    "releasing party tolerates were not shown, and not ruled out.",
    "NO EVIDENCE": "the attacks that were run found no exposed patient; others were not run.",
    "UNDERPOWERED": "no exposed patient was found, and a leak of the tolerated size is not ruled "
    "out.",
    "INVALID": "a control of the audit failed; its figures say nothing.",
    "no verdict": "no patients were held out, so that the audit describes and does not judge.",
    HELD_BACK: "those who release the images keep the audit. Its figures come from real images, "
    "which the guarantee would not cover.",
    "not audited": "nobody has measured what these images give away.",
}
RELEASED_AS_IT_IS = ("NO EVIDENCE",)

# Labels are classes. Many values of few images each are patients, and so are very many values.
FEW_VALUES, FEW_IMAGES, MANY_VALUES = 5, 10, 100
LONGEST_TEXT = 500


def check_verdict(report: Any, allow: str | None, *, guaranteed: bool = False) -> str | None:
    """Return the reason that lets a verdict pass; None where it needs none.

    Raises
    ------
    TypeError
        When `report` is not an audit's.
    ValueError
        When the verdict needs a reason and there is none.
    """
    reason = None if allow is None else check_text(allow, "allow", "a reason in words")
    verdict = verdict_of(report)
    if verdict not in MEANINGS:
        raise TypeError(
            f"report is a {type(report).__name__} with verdict {verdict!r}; expected what "
            "PrivacyAuditor.audit returns"
        )
    if verdict in RELEASED_AS_IT_IS or (guaranteed and verdict != "LEAK"):
        return None
    if reason is None:
        found = "report is None" if report is None else f"the verdict of report is {verdict}"
        step = "Audit the images" if report is None else "Raise k or hold out more patients"
        raise ValueError(
            f"{found}: {MEANINGS[verdict]} Nothing was written. {step}, or pass allow='the "
            "reason', which is recorded in the release"
        )
    return reason


def check_guarantee(statement: Any, X_syn: ArrayLike, y: ArrayLike | None) -> bool:
    """Return whether a guarantee holds for these images and their labels.

    Raises
    ------
    TypeError
        When `statement` is not a PrivacyStatement.
    ValueError
        When it holds for other images or labels.
    """
    if statement is None:
        return False
    if not isinstance(statement, PrivacyStatement):
        raise TypeError(
            f"facts.statement is a {type(statement).__name__}; expected the PrivacyStatement of "
            "latentwalk.evaluation.draw_release or privacy_statement"
        )
    if not statement.holds:
        return False
    if not statement.is_about(X_syn, y):
        raise ValueError(
            "facts.statement holds for other images than X_syn, or for other labels than y: the "
            "guarantee covers exactly what draw_release returned with it. Write this, all of it "
            "and unchanged"
        )
    return True


def check_audited(report: Any, X_syn: ArrayLike, X: NDArray[np.uint8]) -> None:
    """Raise unless the report is that of these images, and none of them copies a real one.

    Parameters
    ----------
    report : AuditReport or None
        See `write_release`.
    X_syn : array-like
        The images as they were given: an audit of flat rows knows these.
    X : ndarray of shape (n_samples, n_channels, height, width)
        The bytes to write.

    Raises
    ------
    ValueError
        For the audit of another set, and for byte-equal copies of members.
    """
    if report is None:
        return
    if not (report.is_about(X) or report.is_about(X_syn)):
        raise ValueError(
            f"report is the audit of other images than the {len(X)} of X_syn: audit what is "
            "released, all of it and nothing else"
        )
    if report.n_duplicates:
        raise ValueError(
            f"{report.n_duplicates} images of X_syn equal a member's image byte for byte; a real "
            "image is never written. Leave them out and audit again"
        )


def check_labels(
    y: ArrayLike | None, groups: ArrayLike | None, n_samples: int, k: int | None
) -> NDArray[Any] | None:
    """Return labels that do not say whose image a row came from.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or None
        Class labels.
    groups : array-like of shape (n_samples,) or None
        The patients of the real rows. With them each label is compared outright: it must stand
        for `k` patients. Without them labels of many values with few images each are refused.
    n_samples : int
        The number of images.
    k : int or None
        The patients of a group, where the pipeline says it; None is 2.

    Returns
    -------
    labels : ndarray of shape (n_samples,) or None

    Raises
    ------
    ValueError
        Without any label in the message, since labels may be ids.
    """
    codes = None if groups is None else check_groups(groups, n_samples)
    labels = check_targets(y, n_samples)
    if labels is None:
        return None
    _check_words(labels)
    values = np.unique(labels.astype(str), return_inverse=True)[1].reshape(-1)
    n_values = int(values.max()) + 1
    if codes is None:
        _check_repeats(n_values, n_samples)
        return labels
    pairs = np.unique(np.column_stack([values, codes]), axis=0)
    n_patients = np.bincount(pairs[:, 0])
    least = k or 2
    n_few = int((n_patients < least).sum())
    if n_few:
        raise ValueError(
            f"{n_few} of {n_values} labels in y stand for fewer than {least} patients of groups "
            f"(the fewest: {n_patients.min()}); such a label says whose images they are. Labels "
            "are classes: leave these rows out, or join classes"
        )
    return labels


def _check_repeats(n_values: int, n_samples: int) -> None:
    few_each = n_values >= FEW_VALUES and n_samples < FEW_IMAGES * n_values
    if few_each or n_values > MANY_VALUES:
        raise ValueError(
            f"y has {n_values} distinct values for {n_samples} images; labels are classes, and "
            "patient ids never go into a release. If these are classes, pass groups, the patient "
            "of each row, to show it"
        )


def _check_words(labels: NDArray[Any]) -> None:
    """Raise for labels that are no plain words: they would reach a table and its spreadsheet."""
    for word in {str(label) for label in labels.tolist() if isinstance(label, str)}:
        if not word.isprintable() or word.startswith(("=", "+", "@")):
            raise ValueError(
                "y has a label with a line break or a control character, or one that a "
                "spreadsheet runs as a formula (it starts with =, + or @); name classes in words"
            )


def name_classes(
    labels: NDArray[Any] | None, class_names: Sequence[str] | Mapping[Any, str] | None
) -> NDArray[Any] | None:
    """Return the labels as the names of their classes.

    Raises
    ------
    ValueError
        When a label has no name, two have the same, or there are no labels.
    """
    if class_names is None:
        return labels
    if labels is None:
        raise ValueError("class_names was given without y, whose classes it names")
    by_label = dict(class_names if isinstance(class_names, Mapping) else enumerate(class_names))
    nameless = [label for label in np.unique(labels).tolist() if label not in by_label]
    if nameless:
        raise ValueError(
            f"class_names has {len(by_label)} names, and none for {len(nameless)} of the classes "
            "in y; expected one for each, by position for y of 0, 1, .. or as a dict"
        )
    if len(set(by_label.values())) < len(by_label):
        raise ValueError("class_names has a name twice; expected another for each class")
    names = np.array([str(by_label[label]) for label in labels.tolist()])
    _check_words(names)
    return names


def check_text(text: Any, name: str, expected: str) -> str:
    """Return a text that stays in the line it is written to.

    A text of several lines could look like other parts of the page that it reaches.

    Raises
    ------
    ValueError
        For line breaks and control characters, nothing to read, or a very long text.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{name}={text!r}; expected {expected}, or None")
    text = text.strip()
    if not text.isprintable() or len(text) > LONGEST_TEXT:
        raise ValueError(
            f"{name} has {len(text)} characters in {len(text.splitlines())} lines; expected "
            f"{expected} in one line of at most {LONGEST_TEXT} printable characters"
        )
    return text
