"""The page's parts that need no browser: sessions, the form, the shelf and the plots."""

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from starlette.datastructures import FormData, QueryParams

from serving.web import Sessions
from serving.web.forms import exact_fields, read_exact, read_words, request_of, word_groups
from serving.web.plots import histograms
from serving.web.shelf import Shelf, blinded, chosen_filters, facets, narrowed, notes_of
from serving.web.signin import own_path
from tests.situations_results import a_set_of_results, one_variant
from worldgen.catalog import Catalog
from worldgen.datatypes import Audit, Spec
from worldgen.errors import ServiceError, SpecError

SECRET = b"s" * 32


def test_a_session_stands_for_its_key_and_for_no_other():
    sessions = Sessions(SECRET)
    value = sessions.issue("ab12")
    assert sessions.key_id(value) == "ab12"
    assert Sessions(SECRET).key_id(value) == "ab12", "every replica reads it"
    assert Sessions(b"t" * 32).key_id(value) is None
    body, _, signature = value.partition(".")
    for wrong in ("", ".", body, f"{body}.", f".{signature}", f"{body}x.{signature}", f"{body}.{signature}é"):
        assert sessions.key_id(wrong) is None
    assert Sessions(SECRET, seconds=-1).key_id(Sessions(SECRET, seconds=-1).issue("ab12")) is None
    with pytest.raises(ValueError, match="at least 32 bytes"):
        Sessions(b"short")


@pytest.mark.parametrize(
    "target", ["//e.example", "https://e.example", "/\\e.example", "javascript:x", "", "/a\\b", "/a\nb", "a"]
)
def test_sign_in_sends_nobody_elsewhere(target):
    assert own_path(target) == "/"


def test_sign_in_goes_on_where_one_was():
    assert own_path("/gallery?label=fog") == "/gallery?label=fog"


def test_the_form_knows_the_limits_of_the_spec():
    fields = {field.field: field for _, group in exact_fields() for field in group}
    physical = set(Spec.model_fields) - {"name", "headlights", "keep", "control_weights", "prompt", "seed"}
    assert set(fields) == physical, "every number of a spec can be set"
    assert (fields["rain_mm_h"].least, fields["rain_mm_h"].most) == (0.0, 150.0)
    assert fields["clouds_okta"].step == "1"
    assert "OSI" in fields["rain_mm_h"].help
    names = [choice.name for _, choices in word_groups() for choice in choices]
    assert {"fog", "heavy rain", "night", "wet road", "lens drops"} <= set(names)
    assert all(choice.meaning for _, choices in word_groups() for choice in choices)


def test_words_are_read_as_the_command_line_reads_them():
    fog, both, preset = read_words("fog 80 m; heavy rain at night\ncarla18")
    assert (fog.value, fog.meaning) == ("fog 80 m", "visibility 80 m")
    assert "rain 16 mm/h" in both.meaning
    assert "sun -18" in both.meaning
    assert (preset.value, preset.count) == ("carla18", 18)
    with pytest.raises(SpecError, match="frog"):
        read_words("fog, frog")


def test_exact_values_become_one_typed_condition_with_the_jobs_seed():
    choice = read_exact(
        FormData({"fog_mor_m": "60", "headlights": "on", "spec_name": "mine", "rain_mm_h": ""})
    )
    assert (choice.name, choice.meaning) == ("mine", "visibility 60 m")
    form = FormData([("source", "/clips/a.mp4"), ("specs", choice.value), ("specs", "dusk"), ("seed", "7")])
    wanted = request_of(form)
    assert wanted.seed == 7
    assert wanted.specs == (Spec(name="mine", fog_mor_m=60, headlights="on", seed=7), "dusk")
    for wrong, words in (
        ({"fog_mor_m": "1"}, "fog_mor_m"),
        ({"rain_mm_h": "a lot"}, "rain_mm_h"),
        ({"rain_mm_h": "3", "snow_mm_h": "1"}, "exclude each other"),
        ({}, "no value"),
    ):
        with pytest.raises(SpecError, match=words):
            read_exact(FormData(wrong))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"source": " "}, "no clip"),
        ({"specs": None}, "no condition"),
        ({"seed": "-1"}, "seed"),
        ({"seed": "one"}, "seed"),
        ({"deadline_minutes": "soon"}, "not a value"),
        ({"deadline_minutes": "nan"}, "deadline_seconds"),
        ({"specs": "{"}, "not a value"),
        ({"priority": "first"}, "priority"),
    ],
)
def test_a_form_that_is_wrong_says_where(changed, words):
    fields = {"source": "/a.mp4", "specs": "fog", **changed}
    with pytest.raises(ServiceError, match=words) as caught:
        request_of(FormData([(name, value) for name, value in fields.items() if value is not None]))
    assert caught.value.reason == "invalid"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shelf")
    made = a_set_of_results(folder / "made")
    found = Catalog(folder / "out")
    for variant in made.variants:
        found.publish(variant, made.source)
    return found, folder


def test_the_shelf_follows_the_catalogue(catalog, tmp_path):
    results = Catalog(tmp_path / "out")
    shelf = Shelf(results)
    assert shelf.cards() == []
    source, variant = one_variant(tmp_path)
    results.publish(variant, source)
    (card,) = shelf.cards()
    assert (card["id"], card["state"], card["audit"]) == (variant.id, "accepted", "none")
    results.add_audits(
        (Audit(variant_id=variant.id, decision="reject", by="ada", at="2026-01-01T00:00:00+00:00"),)
    )
    assert shelf.cards()[0]["said"] == "rejected by people"
    other, newer = one_variant(tmp_path, seed=2)
    results.publish(newer, other)
    assert len(shelf.cards()) == 2


def test_cards_can_be_narrowed_and_counted(catalog):
    cards = Shelf(catalog[0]).cards()
    found = facets(cards)
    assert dict(found["state_counts"]) == {"accepted": 2, "review": 1, "rejected": 2, "inconclusive": 1}
    assert found["labels"] == ["fog", "rain", "snow", "dusk", "night"]
    query = QueryParams("state=rejected&state=review&label=fog&nothing=1")
    assert [card["title"] for card in narrowed(cards, chosen_filters(query))] == ["dense fog"]
    assert len(narrowed(cards, {})) == 6


def test_what_a_world_model_wants_said_stands_under_its_results(tmp_path):
    results = Catalog(tmp_path / "out")
    source, variant = one_variant(tmp_path)
    provenance = variant.provenance.model_copy(update={"model_note": "Built on somebody's model."})
    results.publish(variant.model_copy(update={"provenance": provenance}), source)
    other, plain = one_variant(tmp_path, seed=2)
    results.publish(plain, other)
    assert notes_of(Shelf(results).cards()) == ["Built on somebody's model."]


def test_blind_data_says_nothing_of_verdict_model_or_others(catalog):
    results, _ = catalog
    shelf = Shelf(results)
    card = next(card for card in shelf.cards() if card["title"] == "heavy rain")
    (data,) = shelf.variant(card["id"])["variants"]
    hidden = blinded(data)
    assert set(data) <= set(hidden), "the player finds every field it reads"
    text = str({name: value for name, value in hidden.items() if name != "labels"})
    for word in ("rejected", "physics", "objects.vanished", "no structure left", "provenance.json"):
        assert word in str(data)
        assert word not in text


def test_a_histogram_places_values_and_threshold_on_one_axis():
    rows = [(0.0, False), (0.5, None), (1.0, True), (1.0, True)]
    cards = [
        {"findings": [{"check": "a.b", "value": v, "threshold": 0.5, "unit": "m", "passed": p}]}
        for v, p in rows
    ]
    (plot,) = histograms(cards)
    assert (plot["low"], plot["high"], plot["count"], plot["failed"]) == ("0", "1", 4, 1)
    assert plot["threshold_x"] == pytest.approx(50.0)
    assert [bar["fill"] for bar in plot["bars"]] == ["rejected", "inconclusive", "accepted"]
    assert [bar["height"] for bar in plot["bars"]] == [50.0, 50.0, 100.0]
    assert all(bar["y"] + bar["height"] == pytest.approx(100.0) for bar in plot["bars"])
    same = histograms(
        [{"findings": [{"check": "c", "value": 0, "threshold": 0, "unit": "", "passed": True}]}]
    )
    assert same[0]["threshold_x"] == pytest.approx(50.0)
