"""The page that people decide on: its first page, its three questions, and hostile texts."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from latentwalk.auditing import (
    AttributeDisclosure,
    PrivacyAuditor,
    ReleaseFacts,
    audit_stages,
)
from latentwalk.auditing._page._people import people, sentence
from latentwalk.metrics import Rate, Verdict

FORGED = "pixels\nAudit of 9 synthetic records: NO EVIDENCE\n<b>$x_1$ {{ 7 * 7 }}</b>"


def images(n, seed):
    return np.random.default_rng(seed).integers(0, 256, size=(n, 1, 6, 6), dtype=np.uint8)


@pytest.fixture(scope="module")
def report():
    auditor = PrivacyAuditor(random_state=0).fit(images(80, 0), X_holdout=images(80, 1))
    return audit_stages(auditor, {"release": images(9, 2)})["release"]


def page(report, tmp_path, **options):
    report.to_html(tmp_path / "report.html", **options)
    return (tmp_path / "report.html").read_text()


def words_of(text):
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_rates_become_people_and_bounds_are_rounded_to_the_careful_side(report):
    found = people(replace(report, tpr_high=0.0501, n_exposed_lower=2))
    assert (found.members, found.at_least, found.up_to) == (80, 2, 5)  # 4.008 people: up to 5
    assert (found.by_chance, found.tolerated) == (1, 4)
    assert people(replace(report, tpr_high=0.01, n_exposed_lower=7)).up_to == 7
    assert people(replace(report, tpr_high=float("nan"))).up_to == 80


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict.LEAK, "At least 6 of 80 people are exposed; 4 would be tolerated."),
        (Verdict.SIGNAL, "at least 6 are exposed, and up to 20 of 80 people may be."),
        (Verdict.NO_EVIDENCE, "more than 20 of 80 people exposed to one of them is ruled out."),
        (Verdict.UNDERPOWERED, "but up to 20 of 80 people may be exposed"),
        (Verdict.INVALID, "the audit says nothing about the release"),
        (None, "there is no verdict"),
    ],
)
def test_each_verdict_is_one_sentence_about_people(report, tmp_path, verdict, said):
    one = replace(report, verdict=verdict, tpr_high=0.25, n_exposed_lower=6, n_copies=0)
    assert said in sentence(one)
    text = page(one, tmp_path)
    assert said in text
    assert ("not ruled out</div>" in text) == (verdict not in (None, Verdict.INVALID))


def test_copies_come_before_every_figure(report, tmp_path):
    copied = replace(report, verdict=Verdict.LEAK, n_copies=3)
    assert "3 of 9 synthetic records copy the record of a real person." in page(copied, tmp_path)


def test_a_question_is_answered_by_a_figure_or_not_tested(report, tmp_path):
    assert words_of(page(report, tmp_path)).count("not tested") == 2
    found = AttributeDisclosure("sex", 0.8, 0.6, 0.01, Rate(0.5, 0.4, 0.6))
    text = words_of(page(replace(report, attributes=(found,)), tmp_path))
    assert text.count("not tested") == 1 and "80.00% against 60.00%" in text
    linked = replace(report.attacks[0], attack="re-identification", tpr=Rate(0.1, 0.02, 0.31))
    text = words_of(page(replace(report, attacks=(linked,)), tmp_path))
    assert "2.00% to 31.00% of members" in text and text.count("not tested") == 1
    described = replace(report, verdict=None, attacks=(), n_exposed_lower=None)
    assert words_of(page(described, tmp_path)).count("not tested") == 3


def test_what_is_known_of_the_release_is_shown_and_what_is_not_is_said(report, tmp_path):
    assert words_of(page(report, tmp_path)).count("not stated") >= 5
    row = SimpleNamespace(name="coverage", value=0.12, baseline=0.97, higher_is_better=True)
    facts = ReleaseFacts(
        name="cells",
        licence="CC0",
        contact="board@example.org",
        date="2026-01-02",
        k=7,
        k_counts="patients",
        software={"latentwalk": "9.9"},
        images=images(5, 3),
        classes={"sick": 4},
        fidelity=SimpleNamespace(rows=(row,)),
        utility=SimpleNamespace(synthetic=0.61, real=0.74, chance=0.5),
        statement="guarantee: VOID\n- no step adds noise",
    )
    text = page(report, tmp_path, facts=facts)
    assert "<h1>Audit of a synthetic release: cells</h1>" in text and "Signature" in text
    said = words_of(text)
    for fact in ("CC0", "board@example.org", "2026-01-02", "7 patients", "latentwalk 9.9"):
        assert fact in said
    assert "sick (4)" in said and "5 synthetic images, drawn at random" in said
    assert "Coverage 0.12 0.97 for real images higher" in said
    assert "0.61 0.74 trained on real images, 0.5 by chance" in said
    assert "guarantee: VOID" in said and "- no step adds noise" in said
    assert text.count("data:image/png") == 1


def test_a_distance_is_not_put_as_a_leak(report, tmp_path):
    text = words_of(page(report, tmp_path))
    assert "Mean distance, real held-out records to the nearest member" in text
    assert "a small distance alone is no leak" in text
    assert "held-out records:" not in text


def test_hostile_names_forge_neither_lines_nor_markup_nor_formulas(tmp_path):
    def feature(X):
        return X.reshape(len(X), -1)

    with pytest.raises(ValueError, match="features has a name"):
        PrivacyAuditor({FORGED: feature}).fit(images(30, 0), X_holdout=images(30, 1))
    hostile = FORGED.replace("\n", " ")
    auditor = PrivacyAuditor({hostile: feature}, random_state=0)
    auditor.fit(images(30, 0), X_holdout=images(30, 1))
    report = audit_stages(auditor, {hostile: images(9, 2)})[hostile]
    report = replace(report, guided_by=(FORGED,))
    lines = [line.strip() for line in str(report).splitlines()]
    assert sum(line.startswith("Audit of") for line in lines) == 1
    facts = ReleaseFacts(name=FORGED, licence="<img src=x>", classes={"</style>": 1})
    text = page(report, tmp_path, facts=facts, edition="internal")
    assert "<b>$" not in text and "<img src=x>" not in text and "49" not in words_of(text)[:200]
    assert text.count("</style>") == text.count("<style>")
    assert "&lt;img src=x&gt;" in text and "$x_1$" in text


def test_figures_take_the_colour_of_the_page_and_load_nothing(report, tmp_path):
    text = page(report, tmp_path, edition="internal")
    assert text.count("<svg") == 4 and "currentColor" in text
    assert "http" not in text and "url(#" in text and "#010203" not in text
    ids = re.findall(r' id="([^"]+)"', text)
    used = re.findall(r'(?:href="|url\()#([^")]+)', text)
    assert set(ids) == set(used)
    assert page(report, tmp_path, edition="internal") == text
