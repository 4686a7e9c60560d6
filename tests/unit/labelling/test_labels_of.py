"""Labels of a variant: nothing is deleted, what is unseen is ignored with a reason, claims never grow."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgen.config.specs import parse_spec
from worldgen.datatypes import (
    Box2d,
    Camera,
    Claims,
    Finding,
    FrameLabels,
    GeometryRef,
    IgnoreRegion,
    Labels,
    ObjectLabel,
    Observation,
    Origins,
    Spec,
    Verdict,
    Visibility,
)
from worldgen.datatypes.labels import IgnoreReason, VisibilityState
from worldgen.labelling import labels_of

FINE = Finding(check="technical.count", passed=True, value=1, threshold=1, reason="every frame is there")
NOTHING_SEEN = Verdict(state="accepted", findings=(FINE,))
REF = GeometryRef(
    uri="g.npz",
    digest="0" * 64,
    frames=2,
    origins=Origins(depth="from_motion", scale="assumed"),
    scale_interval=(0.7, 1.4),
    camera=Camera(width=100, height=80, fx=80, fy=80, cx=50, cy=40),
)


def car(
    number: int = 1, *, box: Box2d | None = None, range_m: float | None = 30.0, **extra: object
) -> ObjectLabel:
    fields: dict[str, object] = {"id": number, "category": "car", "range_m": range_m, **extra}
    fields["box2d"] = box or Box2d(left=10, top=10, right=30, bottom=30)
    return ObjectLabel.model_validate(fields)


def labels(*objects: ObjectLabel) -> Labels:
    return Labels(width=100, height=80, frames=(FrameLabels(frame=0, objects=objects), FrameLabels(frame=1)))


def verdict(
    *observations: Observation,
    ignore: tuple[tuple[int, IgnoreRegion], ...] = (),
    findings: tuple[Finding, ...] = (),
) -> Verdict:
    return Verdict(state="accepted", findings=(FINE, *findings), observations=observations, ignore=ignore)


def seen(
    predicted: VisibilityState, measured: VisibilityState, number: int = 1, frame: int = 0
) -> Observation:
    return Observation(
        object_id=number, frame=frame, visibility=Visibility(predicted=predicted, measured=measured)
    )


def first(result: Labels | None) -> ObjectLabel:
    assert result is not None
    return result.frames[0].objects[0]


def carried(source: Labels, words: str, judged: Verdict = NOTHING_SEEN, **rendered: float | str) -> Labels:
    result = labels_of(source, judged, parse_spec(words), rendered=rendered, geometry_ref=REF)
    assert result is not None
    return result


def test_no_labels_stay_no_labels() -> None:
    assert labels_of(None, NOTHING_SEEN, parse_spec("fog"), rendered={}, geometry_ref=None) is None


@pytest.mark.parametrize(
    ("predicted", "measured", "use", "reason"),
    [
        ("clear", "clear", "train", None),
        ("degraded", "clear", "train", None),
        ("degraded", "degraded", "train", None),
        ("not_visible", "not_visible", "ignore", "beyond_visibility"),
        ("clear", "not_visible", "ignore", "predicted_and_measured_disagree"),
        ("not_visible", "clear", "ignore", "predicted_and_measured_disagree"),
        ("unknown", "not_visible", "ignore", "beyond_visibility"),
        ("unknown", "unknown", "ignore", "unknown_visibility"),
    ],
)
def test_in_fog_predicted_and_measured_decide_together(
    predicted: VisibilityState, measured: VisibilityState, use: str, reason: str | None
) -> None:
    item = first(carried(labels(car()), "fog", verdict(seen(predicted, measured))))
    assert (item.use, item.reason) == (use, reason)
    assert item.visibility is not None
    assert item.visibility.predicted == predicted


def test_without_an_observation_fog_is_predicted_from_the_range() -> None:
    near, middle, far = (first(carried(labels(car(range_m=r)), "fog 100 m")) for r in (10.0, 60.0, 130.0))
    assert [o.visibility and o.visibility.predicted for o in (near, middle, far)] == [
        "clear",
        "degraded",
        "not_visible",
    ]
    assert [o.use for o in (near, middle, far)] == ["train", "train", "ignore"]
    assert far.reason == "beyond_visibility"
    assert middle.visibility is not None
    assert middle.visibility.transmission == pytest.approx(0.05**0.6, rel=1e-3)


def test_what_was_rendered_counts_and_not_what_was_asked() -> None:
    assert first(carried(labels(car()), "fog 1000 m", fog_mor_m=20.0)).use == "ignore"
    assert first(carried(labels(car()), "dense fog", fog_mor_m=1000.0)).use == "train"


def test_at_night_what_nobody_measured_is_not_trained_on() -> None:
    result = carried(labels(car()), "night")
    item = first(result)
    assert (item.use, item.reason) == ("ignore", "unknown_visibility")
    assert "lamp_state" in item.changed_attributes
    assert result.frames[0].claims.boxes == "degraded"
    dark = first(carried(labels(car()), "night", verdict(seen("not_visible", "not_visible"))))
    assert dark.reason == "too_dark"
    lit = first(carried(labels(car()), "night", verdict(seen("clear", "clear"))))
    assert (lit.use, lit.changed_attributes) == ("train", ("lamp_state",))


def test_an_object_behind_a_drop_is_ignored_and_the_drop_is_a_region() -> None:
    drop = IgnoreRegion(reason="lens_drop", box2d=Box2d(left=5, top=5, right=35, bottom=28))
    result = carried(
        labels(car(), car(2, box=Box2d(left=60, top=10, right=80, bottom=30))),
        "rain",
        verdict(ignore=((0, drop),)),
    )
    hidden, free = result.frames[0].objects
    assert (hidden.use, hidden.reason) == ("ignore", "lens_drop")
    assert free.use == "train"
    assert drop in result.frames[0].ignore
    assert result.frames[1].ignore == ()


def test_a_wet_road_mirrors_what_stands_on_it_and_the_image_is_never_a_box() -> None:
    lamp = car(2, category="traffic_light")
    behind = car(3, box=Box2d(left=12, top=31, right=28, bottom=44))
    result = carried(labels(car(), lamp, behind), "puddles", fog_mor_m=40_000.0)
    frame = result.frames[0]
    assert [o.use for o in frame.objects] == ["train"] * 3, "a mirror image lies behind a nearer object"
    images = [r for r in frame.ignore if r.reason == "reflection"]
    assert [(r.box2d.left, r.box2d.top, r.box2d.right) for r in images] == [(10, 30, 30), (12, 44, 28)]
    assert all(r.box2d.bottom <= result.height for r in images)
    assert len(frame.objects) == 3
    dry = carried(labels(car()), "damp road")
    assert dry.frames[0].ignore == ()


def test_spray_hangs_beside_vehicles_in_heavy_rain() -> None:
    result = carried(
        labels(car(), car(2, category="pedestrian", box=Box2d(left=60, top=20, right=66, bottom=40))),
        "heavy rain",
    )
    spray = [r.box2d for r in result.frames[0].ignore if r.reason == "spray"]
    assert len(spray) == 2
    assert (spray[0].right, spray[1].left) == (10, 30)


def test_a_region_in_an_unlabelled_frame_does_not_make_it_an_empty_one() -> None:
    glare = IgnoreRegion(reason="glare", box2d=Box2d(left=0, top=0, right=9, bottom=9))
    result = carried(labels(car()), "low sun", verdict(ignore=((7, glare),)))
    assert [f.frame for f in result.frames] == [0, 1]


def test_a_clipped_traffic_light_has_no_state() -> None:
    light = car(category="traffic_light", attributes={"state": "red"})
    glare = IgnoreRegion(reason="saturated", box2d=Box2d(left=10, top=10, right=30, bottom=17))
    item = first(carried(labels(light), "low sun", verdict(ignore=((0, glare),))))
    assert item.attributes == {"state": "unknown", "source_state": "red"}
    assert item.changed_attributes == ("state",)
    assert item.use == "train", "it is still a traffic light"


def test_snow_buries_lanes_and_keeps_their_geometry() -> None:
    lane = car(category="lane_line", range_m=None)
    result = carried(labels(lane, car(2)), "snow on the road")
    buried, vehicle = result.frames[0].objects
    assert (buried.use, buried.reason, buried.box2d) == ("ignore", "snow_cover", lane.box2d)
    assert vehicle.use == "train"
    assert result.frames[0].claims.lanes == "void"
    assert result.condition["road_class"] == "snow"


@pytest.mark.parametrize(
    ("words", "lanes", "flow"),
    [
        ("overcast", "kept", "kept"),
        ("fog 500 m", "kept", "kept"),
        ("fog", "degraded", "degraded"),
        ("rain", "degraded", "degraded"),
        ("very heavy rain", "degraded", "void"),
        ("wet road", "degraded", "degraded"),
        ("night", "degraded", "degraded"),
        ("sand", "void", "kept"),
        ("low sun", "kept", "kept"),
    ],
)
def test_claims_of_a_frame(words: str, lanes: str, flow: str) -> None:
    claims = carried(labels(), words).frames[0].claims
    assert (claims.lanes, claims.flow, claims.depth, claims.boxes) == (lanes, flow, "kept", "kept")


def test_a_check_decides_a_claim_but_never_above_the_sources() -> None:
    kept = Finding(check="labels.lanes", passed=True, value=1, threshold=0, reason="lanes measured again")
    gone = kept.model_copy(update={"passed": False})
    assert carried(labels(), "wet road", verdict(findings=(kept,))).frames[0].claims.lanes == "kept"
    assert carried(labels(), "wet road", verdict(findings=(gone,))).frames[0].claims.lanes == "void"
    weak = Labels(width=9, height=9, frames=(FrameLabels(frame=0, claims=Claims(lanes="void")),))
    assert carried(weak, "wet road", verdict(findings=(kept,))).frames[0].claims.lanes == "void"


def test_what_a_model_painted_is_void_unless_a_check_says_otherwise() -> None:
    read = Finding(check="keep.text", passed=True, value=1, threshold=0, reason="text read the same")
    sign = car(2, category="traffic_sign")
    for judged, vehicle, text in (
        (NOTHING_SEEN, ("colour", "lamp_state", "plate"), ("text",)),
        (verdict(findings=(read,)), ("colour", "lamp_state"), ()),
    ):
        result = labels_of(
            labels(car(), sign), judged, parse_spec("overcast"), rendered={}, geometry_ref=REF, painted=True
        )
        assert result is not None
        assert result.frames[0].objects[0].changed_attributes == vehicle
        assert result.frames[0].objects[1].changed_attributes == text
        assert (result.frames[0].claims.boxes, result.frames[0].claims.depth) == ("degraded", "degraded")


def test_origin_scale_and_sensors_are_said() -> None:
    result = carried(labels(car()), "fog", fog_mor_m=97.0)
    assert result.geometry_origin == "depth from_motion, scale assumed"
    assert result.scale_interval == (0.7, 1.4)
    assert result.sensors_covered == ("camera",)
    assert result.condition["fog_mor_m"] == 97.0
    assert result.condition["asked_fog_mor_m"] == 100.0
    assert result.condition["asked_class"] == "fog"


words = st.sampled_from(
    [
        "fog",
        "dense fog",
        "night",
        "heavy rain at night",
        "snow",
        "low sun",
        "wet road",
        "dust",
        "puddles",
        "overcast",
        "exposure -3 stops",
    ]
)
states = st.sampled_from(["clear", "degraded", "not_visible", "unknown"])
reasons = st.sampled_from(["lens_drop", "spray", "reflection", "glare", "saturated", "shadow"])
boxes = st.builds(
    lambda left, top, w, h: Box2d(left=left, top=top, right=left + w, bottom=top + h),
    st.integers(-20, 90), st.integers(-20, 70), st.integers(1, 60), st.integers(1, 60),
)  # fmt: skip


@st.composite
def objects(draw: st.DrawFn) -> ObjectLabel:
    ignored = draw(st.booleans())
    return car(
        draw(st.integers(1, 6)),
        box=draw(boxes),
        range_m=draw(st.none() | st.floats(1, 300)),
        category=draw(
            st.sampled_from(["car", "pedestrian", "traffic_light", "traffic_sign", "lane_line", "other"])
        ),
        use="ignore" if ignored else "train",
        reason=draw(st.none() | st.just("given")) if ignored else None,
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(objects(), max_size=8), words, st.lists(st.tuples(st.integers(1, 6), states, states), max_size=6),
       st.lists(st.tuples(reasons, boxes), max_size=4), st.booleans())  # fmt: skip
def test_no_object_is_lost_and_every_ignored_one_has_a_reason(
    items: list[ObjectLabel],
    asked: str,
    watched: list[tuple[int, VisibilityState, VisibilityState]],
    areas: list[tuple[IgnoreReason, Box2d]],
    painted: bool,
) -> None:
    source = labels(*items)
    judged = verdict(
        *(seen(p, m, number) for number, p, m in watched),
        ignore=tuple((0, IgnoreRegion(reason=r, box2d=b)) for r, b in areas),
    )
    result = labels_of(source, judged, parse_spec(asked), rendered={}, geometry_ref=REF, painted=painted)
    assert result is not None
    after = result.frames[0].objects
    assert [(o.id, o.category, o.box2d) for o in after] == [(o.id, o.category, o.box2d) for o in items]
    order = ("kept", "degraded", "void")
    for before, now in zip(items, after, strict=True):
        assert (now.use == "ignore") >= (before.use == "ignore"), "what was ignored stays so"
        assert (now.use == "ignore") == (now.reason is not None)
        state = now.visibility.state if now.visibility else "unknown"
        assert not (now.use == "train" and state == "not_visible")
    assert len([r for r in result.frames[0].ignore if r.reason not in ("reflection", "spray")]) == len(
        [r for r, _ in areas if r not in ("reflection", "spray")]
    )
    for name in Claims.model_fields:
        assert order.index(getattr(result.frames[0].claims, name)) >= order.index(
            getattr(source.frames[0].claims, name)
        )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(objects(), max_size=6),
    st.sampled_from(["clear", "sunny", "noon", "mid morning", "fog_mor_m=30000", "dry road"]),
)
def test_clear_weather_changes_nothing(items: list[ObjectLabel], asked: str) -> None:
    items = [o.model_copy(update={"reason": "given"}) if o.use == "ignore" else o for o in items]
    source = labels(*items)
    result = labels_of(source, NOTHING_SEEN, parse_spec(asked), rendered={}, geometry_ref=None)
    assert result is not None
    assert result.frames == source.frames


def test_a_spec_that_only_darkens_hides_as_night_does() -> None:
    dim = Spec(seed=0, exposure_stops=-4)
    result = labels_of(
        labels(car()), verdict(seen("not_visible", "not_visible")), dim, rendered={}, geometry_ref=None
    )
    assert first(result).reason == "too_dark"
