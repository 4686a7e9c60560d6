"""Audits: read strictly, stored once, compared with the critic."""

import json

import pytest

from tests.situations_results import one_variant
from worldgen.catalog import Catalog
from worldgen.datatypes import Audit
from worldgen.errors import ConfigError
from worldgen.report.audits import agreement_of, import_audits, majority_of, read_audits

ID = "ab" * 16


def audit(decision: str = "accept", by: str = "Ada", at: str = "2026-01-02T10:00:00Z", **more) -> Audit:
    return Audit(variant_id=more.pop("variant_id", ID), decision=decision, by=by, at=at, **more)


def saved(path, *audits: Audit):
    rows = [a.model_dump(mode="json") for a in audits]
    path.write_text(json.dumps({"format": "worldgen-audits", "version": 1, "audits": rows}))
    return path


@pytest.fixture
def catalog(tmp_path):
    source, variant = one_variant(tmp_path / "made")
    catalog = Catalog(tmp_path / "out")
    catalog.publish(variant, source)
    return catalog, variant.id


def test_what_was_saved_is_read(tmp_path):
    audits = (audit(reason="sky boils", frame=12, verdict="accepted"), audit("reject", by="Bob"))
    assert read_audits(saved(tmp_path / "a.json", *audits)) == audits


GOOD = {"variant_id": ID, "decision": "accept", "at": "2026-01-02T10:00:00Z"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"variant_id": "../../etc"}, "variant_id"),
        ({"decision": "maybe"}, "decision"),
        ({"at": "yesterday"}, "at"),
        ({"at": "2026-01-02T10:00:00"}, "time zone"),
        ({"frame": -1}, "frame"),
        ({"reason": "x" * 5000}, "reason"),
        ({"shell": "rm"}, "shell"),
    ],
)
def test_what_is_wrong_in_an_audit_is_named(tmp_path, change, word):
    path = tmp_path / "a.json"
    rows = [GOOD, {**GOOD, **change}]
    path.write_text(json.dumps({"format": "worldgen-audits", "version": 1, "audits": rows}))
    with pytest.raises(ConfigError, match=word) as caught:
        read_audits(path)
    assert caught.value.code == "config.invalid"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "JSON"),
        ("[]", "the file"),
        ('{"format": "coco", "version": 1, "audits": []}', "format"),
        ('{"format": "worldgen-audits", "version": 2, "audits": []}', "version"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, text, word):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=word):
        read_audits(path)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_audits(tmp_path / "none.json")
    assert caught.value.code == "config.not_found"


def test_importing_adds_and_never_changes(tmp_path, catalog):
    results, variant_id = catalog
    first = audit(variant_id=variant_id, reason="fine")
    second = audit("reject", by="Bob", at="2026-01-02T09:00:00+00:00", variant_id=variant_id)
    assert import_audits(results, saved(tmp_path / "a.json", first)) == (first,)
    assert import_audits(results, saved(tmp_path / "a.json", first, second)) == (second,)
    assert import_audits(results, saved(tmp_path / "a.json", first, second)) == ()
    assert results.audits(variant_id) == (second, first), "in the order in which they were said"


def test_audits_of_other_results_are_refused_whole(tmp_path, catalog):
    results, variant_id = catalog
    with pytest.raises(ConfigError, match="not in"):
        import_audits(results, saved(tmp_path / "a.json", audit(variant_id=variant_id), audit()))
    assert results.audits(variant_id) == ()


def test_the_newest_word_of_each_person_counts():
    first, changed = (
        audit("accept", at="2026-01-02T10:00:00Z"),
        audit("reject", at="2026-01-02T12:30:00+02:00"),
    )
    assert majority_of((changed, first)) == "reject", "10:30 UTC is later than 10:00 UTC"
    bob, eve = audit("accept", by="Bob"), audit("accept", by="Eve")
    assert majority_of((first, changed, bob)) == "unsure"
    assert majority_of((first, changed, bob, eve)) == "accept"


def test_agreement_tells_too_strict_from_too_lenient():
    yes, no, unsure = (audit("accept"),), (audit("reject"),), (audit("unsure"),)
    found = agreement_of(
        [
            ("accepted", yes), ("accepted", no), ("rejected", yes), ("rejected", no), ("rejected", no),
            ("inconclusive", yes), ("review", no), ("accepted", unsure), ("accepted", ()),
        ]
    )  # fmt: skip
    assert (
        found.variants,
        found.agree,
        found.critic_too_lenient,
        found.critic_too_strict,
        found.undecided,
    ) == (8, 3, 1, 1, 3)
    assert found.share == 0.6
    assert agreement_of([("accepted", ())]).share is None
