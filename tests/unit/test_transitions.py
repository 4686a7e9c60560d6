"""What a source already is, what a model would have to take away, and what the result is called."""

import pytest

from worldgen.config.specs import parse_spec
from worldgen.datatypes import Condition, ConditionClass, ModelProfile
from worldgen.errors import SpecError
from worldgen.planning import check_transition, is_unchanged, removals

PHYSICS = ModelProfile(name="physics", revision="1", kind="physics", needs=frozenset({"rgb"}))
REPAINTER = PHYSICS.model_copy(
    update={
        "name": "painter",
        "removes": frozenset({"wet", "fog", "snow", "night", "shadows", "rain", "clouds", "dusk", "low_sun"}),
    }
)

CLEAR = Condition(label="clear", has_hard_shadows=True)
OVERCAST = Condition(label="overcast")
FOG = Condition(label="fog", fog_mor_m=150)
RAIN = Condition(label="rain", is_wet=True, is_precipitating=True)
SNOW = Condition(label="snow", is_snowy=True, is_precipitating=True)
WET = Condition(label="wet", is_wet=True)
NIGHT = Condition(label="night", is_night=True)
DUSK = Condition(label="dusk")
LOW_SUN = Condition(label="low_sun", has_hard_shadows=True)


@pytest.mark.parametrize(
    ("source", "asked", "gone"),
    [
        (WET, "dry road", {"wet"}),
        (WET, "damp road", {"wet"}),
        (RAIN, "dry road", {"wet"}),
        (RAIN, "clear", {"rain"}),
        (RAIN, "snow", {"rain"}),
        (RAIN, "low sun", {"rain"}),
        (FOG, "clear", {"fog"}),
        (FOG, "fog 1000 m", {"fog"}),
        (FOG, "sunset", {"fog"}),
        (SNOW, "clear", {"snow"}),
        (NIGHT, "noon", {"night"}),
        (NIGHT, "dusk", {"night"}),
        (NIGHT, "sunset", {"night"}),
        (DUSK, "noon", {"dusk"}),
        (DUSK, "low sun", {"dusk"}),
        (LOW_SUN, "noon", {"low_sun"}),
        (OVERCAST, "clear", {"clouds"}),
        (OVERCAST, "partly cloudy", {"clouds"}),
        (CLEAR, "sun_azimuth_deg=90", {"shadows"}),
        (OVERCAST, "night", set()),
        (OVERCAST, "low sun", set()),
        (LOW_SUN, "dusk", set()),
        (DUSK, "night", set()),
        (FOG, "dense fog", set()),
        (WET, "heavy rain", set()),
        (NIGHT, "fog", set()),
        (CLEAR, "overcast", set()),
    ],
)
def test_what_would_have_to_go(source: Condition, asked: str, gone: set[str]) -> None:
    spec = parse_spec(asked)
    assert removals(spec, source) == gone
    if gone:
        with pytest.raises(SpecError) as caught:
            check_transition(spec, source, PHYSICS)
        assert caught.value.reason == "unsupported"
        assert all(name in caught.value.message for name in gone)
        check_transition(spec, source, REPAINTER)
    else:
        check_transition(spec, source, PHYSICS)


@pytest.mark.parametrize(
    ("source", "asked", "same"),
    [
        (CLEAR, "clear", True),
        (CLEAR, "afternoon", True),
        (CLEAR, "sunny + noon", True),
        (CLEAR, "dry road", True),
        (CLEAR, "clear + dry road + day", True),
        (OVERCAST, "overcast", True),
        (OVERCAST, "mid morning", True),
        (FOG, "overcast", True),
        (NIGHT, "night", True),
        (DUSK, "twilight", True),
        (LOW_SUN, "golden hour", True),
        (CLEAR, "fog_mor_m=20000", True),
        (CLEAR, "exposure 0 stops", True),
        (CLEAR, "sand", False),
        (CLEAR, "exposure -1 stop", False),
        (CLEAR, "overcast", False),
        (NIGHT, "overcast", False),
        (NIGHT, "night + fog", False),
        (RAIN, "rain", False),
        (WET, "puddles", False),
        (CLEAR, "clear + headlights on", False),
    ],
)
def test_what_changes_nothing(source: Condition, asked: str, same: bool) -> None:
    spec = parse_spec(asked)
    assert is_unchanged(spec, source) == same
    if same:
        with pytest.raises(SpecError) as caught:
            check_transition(spec, source, PHYSICS)
        assert caught.value.reason == "no_change"


@pytest.mark.parametrize(
    ("source", "asked", "label"),
    [
        (CLEAR, "fog", "fog"),
        (CLEAR, "sand", "clear"),
        (CLEAR, "exposure -1 stop", "clear"),
        (OVERCAST, "sand", "overcast"),
        (OVERCAST, "low sun", "low_sun"),
        (OVERCAST, "wet road", "wet"),
        (NIGHT, "puddles", "night"),
        (NIGHT, "heavy rain", "night"),
        (FOG, "puddles", "fog"),
        (FOG, "dust", "fog"),
        (WET, "overcast", "wet"),
        (WET, "fog", "fog"),
        (RAIN, "fog", "rain"),
        (SNOW, "overcast", "snow"),
        (DUSK, "rain", "rain"),
        (LOW_SUN, "overcast", "overcast"),
        (LOW_SUN, "wet road", "low_sun"),
        (LOW_SUN, "dusk", "dusk"),
    ],
)
def test_what_the_result_is_called(source: Condition, asked: str, label: ConditionClass) -> None:
    assert parse_spec(asked).expected_on(source) == label
