"""The report as JSON and as pages: what each edition holds, and what neither may hold."""

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from latentwalk.auditing import ROC_FPRS, PrivacyAuditor, audit_stages
from PIL import Image

IDS = [f"patient-{i:04d}" for i in range(160)]


def images(n, seed):
    return np.random.default_rng(seed).integers(0, 256, size=(n, 1, 6, 6), dtype=np.uint8)


@pytest.fixture(scope="module")
def audited():
    auditor = PrivacyAuditor(random_state=0).fit(
        images(80, 0), X_holdout=images(80, 1), groups=IDS[:80], groups_holdout=IDS[80:]
    )
    return auditor, auditor.audit(images(80, 0)[:9])


def test_json_is_standard_and_complete(audited, tmp_path):
    _, report = audited
    report.to_json(tmp_path / "report.json")
    text = (tmp_path / "report.json").read_text()
    read = json.loads(text)
    assert read == report.to_dict()
    assert read["verdict"] == "LEAK" and read["schema_version"] == 4
    assert read["spaces"][0]["space"] == "pixels" and len(read["controls"]) == 1
    assert "NaN" not in text


def test_the_releasable_json_has_no_single_subject(audited, tmp_path):
    _, report = audited
    for edition in ("releasable", "internal"):
        report.to_json(tmp_path / f"{edition}.json", edition=edition)
    released, inside = ((tmp_path / f"{e}.json").read_text() for e in ("releasable", "internal"))
    farthest = repr(report.spaces[0].bins[-1])  # one subject's exposure
    assert farthest in inside and farthest not in released
    assert "bins" not in released and "counts" not in released and "patient-" not in inside
    assert json.loads(released)["attacks"][0]["test"]["p_near"] == report.attacks[0].test.p_near
    with pytest.raises(ValueError, match="edition='public'"):
        report.to_json(tmp_path / "other.json", edition="public")
    assert not (tmp_path / "other.json").exists()


def test_the_region_holds_the_curve_and_the_sham_is_counted():
    auditor = PrivacyAuditor(random_state=0).fit(
        images(80, 0), X_holdout=images(80, 1), X_reference=images(40, 2)
    )
    report = auditor.audit(images(80, 0)[:9])
    found, nearest = report.spaces[0], report.find("nearest", "pixels")
    low, rates, high = (np.array(v) for v in (found.roc_low, found.roc, found.roc_high))
    assert (low <= rates).all() and (rates <= high).all() and (low < high).all()
    at_fpr = ROC_FPRS.index(0.01)
    assert (low[at_fpr], high[at_fpr]) == (nearest.tpr.low, nearest.tpr.high)
    # copies expose members that the reference does not come near to
    assert found.member_counts[0] > 0.1 and found.sham_counts[0] == 0
    assert sum(found.sham_counts) == pytest.approx(1)


def test_a_report_knows_the_bytes_it_saw_and_writes_no_digest(tmp_path):
    release = images(12, 2)
    auditor = PrivacyAuditor(random_state=0).fit(images(30, 0), X_holdout=images(30, 1))
    for report in (auditor.audit(release), PrivacyAuditor().fit(images(30, 0)).audit(release)):
        assert report.is_about(release) and report.is_about(release[::-1])
        assert report.is_about((release / 255).astype(np.float32))
        changed = release.copy()
        changed[3, 0, 2, 2] ^= 1
        assert not report.is_about(changed) and not report.is_about(images(12, 3))
        assert not report.is_about(release[:11])
        assert not report.is_about(np.concatenate([release, release[:1]]))
        report.to_json(tmp_path / "report.json", edition="internal")
        report.to_html(tmp_path / "report.html", edition="internal")
        written = [f.read_text() for f in tmp_path.iterdir()]
        texts = [str(report.to_dict()), repr(report), str(report), *written]
        assert report._digest and not any(report._digest in text for text in texts)
        assert not any("digest" in text for text in texts)
        assert replace(report, reason="other").is_about(release)


def embedded(page):
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(code))))
        for code in re.findall(r"data:image/png;base64,([^\"]+)", page)
    ]


def test_the_releasable_page_has_aggregates_alone(audited, tmp_path):
    _, report = audited
    report.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "LEAK" in page and "Threat model" in page and "ROC" in page
    assert f"exposes {round(80 * report.smallest_detectable_leak)} or more of the 80" in page
    assert "None of the audited feature spaces" in page and "INVALID" in page
    assert not embedded(page) and "patient-" not in page and "Exposures" not in page
    assert "$" not in page
    for word in ("safe", "private", "anonymous"):
        assert not re.search(rf"\b{word}\b", page, re.IGNORECASE)
    assert "http" not in page and "<script" not in page


def test_the_internal_page_shows_real_neighbours_where_given(audited, tmp_path):
    auditor, report = audited
    matches = auditor.nearest_matches(images(80, 0)[:9], images(80, 0), n_matches=3)
    report.to_html(tmp_path / "report.html", edition="internal", matches=matches)
    page = (tmp_path / "report.html").read_text()
    shown = embedded(page)
    assert len(shown) == 6 and "do not release" in page and "Exposures" in page
    np.testing.assert_array_equal(shown[1], images(80, 0)[0, 0])
    with pytest.raises(ValueError, match="matches hold real images"):
        report.to_html(tmp_path / "other.html", matches=matches)
    assert not (tmp_path / "other.html").exists()
    with pytest.raises(ValueError, match="edition='public'"):
        report.to_html(tmp_path / "other.html", edition="public")


def test_the_attacks_are_in_the_report(audited, tmp_path):
    _, report = audited
    assert report.panel == "quick" and report.p_value == min(r.p_adjusted for r in report.attacks)
    assert report.n_exposed_lower == max(r.n_exposed_lower for r in report.attacks)
    plain = report.to_dict()
    assert plain["attacks"][0]["auc"]["value"] == report.attacks[0].auc.value
    assert plain["headline"]["attack"] == report.headline.attack
    report.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<h2>Attacks" in page and "patient-" not in page
    assert all(f"<td>{r.attack}</td><td>{r.view}</td>" in page for r in report.attacks)
    assert "calibrated nearest" in page and "(needs X_reference" in page
    missing = dict(report.not_run)
    assert missing["downstream"].startswith("needs classifier")
    assert missing["LOGAN"].startswith("needs X_reference")


def test_names_are_escaped(tmp_path):
    def feature(X):
        return X.reshape(len(X), -1)

    feature.__name__ = "<script>alert(1)</script>"
    auditor = PrivacyAuditor(feature, random_state=0).fit(images(30, 0), X_holdout=images(30, 1))
    auditor.audit(images(9, 2)).to_html(tmp_path / "report.html", edition="internal")
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page


@pytest.mark.parametrize("end", ["\n", "\r", "\u2028", "\x1b[A"])
def test_no_name_forges_a_line_of_the_report(end):
    forged = f"pixels{end}Verdict: NO EVIDENCE"
    members, held_out = images(30, 0), images(30, 1)
    with pytest.raises(ValueError, match=r"features has a name of .* one line"):
        PrivacyAuditor({forged: "pixels"}).fit(members)
    auditor = PrivacyAuditor("pixels", random_state=0).fit(members, X_holdout=held_out)
    halves = np.arange(30) % 2
    for by in ({forged: (halves, halves)}, {"sex": (np.where(halves, forged, "f"), halves)}):
        with pytest.raises(ValueError, match=r"by\[.*\] has a name of"):
            auditor.audit(images(9, 2), by=by)
    with pytest.raises(ValueError, match="attributes has a name of"):
        auditor.audit(images(30, 2), attributes={forged: (halves, halves, halves)})
    with pytest.raises(ValueError, match="stages has a name of"):
        audit_stages(auditor, {forged: images(9, 2)})


def test_a_description_has_a_page_too(tmp_path):
    PrivacyAuditor().fit(images(30, 0)).audit(images(9, 2)).to_html(tmp_path / "report.html")
    assert "no verdict" in (tmp_path / "report.html").read_text()


def test_print_is_short_and_says_the_verdict(audited):
    _, report = audited
    text = str(report)
    assert len(text.splitlines()) <= 25 and max(map(len, text.splitlines())) <= 160
    first, *rest = text.splitlines()
    assert first == "Audit of 9 synthetic records: LEAK" and report.reason[:40] in rest[0]
    assert "pixels" in text and "two-sample classifier passed" in text
    assert len(repr(report)) < 120 and "LEAK" in repr(report)
    cell = report._repr_html_()
    assert "<strong>LEAK</strong>" in cell and cell.count("<tr>") <= 12 and "<html" not in cell
    described = PrivacyAuditor().fit(images(30, 0)).audit(images(9, 2))
    assert "no verdict" in str(described) and len(str(described).splitlines()) <= 25
    many = PrivacyAuditor({f"space {i}": "pixels" for i in range(12)}, random_state=0)
    many = many.fit(images(30, 0), X_holdout=images(30, 1)).audit(images(9, 2))
    assert len(str(many).splitlines()) <= 25


def test_a_ladder_prints_as_a_table(audited):
    auditor, _ = audited
    ladder = audit_stages(auditor, {"copies": images(80, 0)[:9], "others": images(9, 2)})
    assert [line.split("  ")[0] for line in str(ladder).splitlines()[2:]] == ["copies", "others"]
    assert "<td>LEAK</td>" in ladder._repr_html_()
