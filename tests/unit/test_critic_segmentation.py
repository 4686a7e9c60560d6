"""Segmentation fidelity: outlines of the true tags without a network, and classes with one."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests import situations_critic as situations
from worldgen.bench.critic import staged
from worldgen.bench.critic.scene import TestScene
from worldgen.critic.checks.segmentation import borders_kept, classes_kept
from worldgen.critic.checks.structure import objects_kept, tiles_kept, whole_kept
from worldgen.critic.classes import CLASSES, borders_of, class_of_names, class_of_tags
from worldgen.critic.evidence import Evidence
from worldgen.critic.network import Segmenter
from worldgen.critic.thresholds import NetworkSettings, SegmentationLimits, Thresholds
from worldgen.critic.view import View
from worldgen.datatypes import Finding, Geometry, Spec, Tag
from worldgen.datatypes.tags import EGO
from worldgen.models.physics.renderer import render_frames
from worldgen.sources.proving_ground.drive import render_drive

NUMBER = {one.name: number for number, one in enumerate(CLASSES, start=1)}


def evidence_of(
    frames: np.ndarray,
    spec: Spec | None = None,
    *,
    geometry: Geometry | None = None,
    segmenter: Segmenter | None = None,
    limits: SegmentationLimits | None = None,
) -> Evidence:
    d = situations.drive()
    return Evidence(
        source=View(d.clip, 640, 1.0),
        candidate=View(situations.with_frames(frames), 640, 1.0),
        geometry=d.geometry if geometry is None else geometry,
        spec=spec,
        condition=d.condition,
        labels=d.labels,
        thresholds=Thresholds(segmentation=limits or SegmentationLimits()),
        segmenter=segmenter,
    )


def only(findings: tuple[Finding, ...]) -> Finding:
    assert len(findings) == 1
    return findings[0]


def another_drive() -> np.ndarray:
    return render_drive(7002, frames=situations.FRAMES).clip.frames


def with_origin(origin: str) -> Geometry:
    g = situations.drive().geometry
    return replace(g, origins=g.origins.model_copy(update={"tags": origin}))


class ByColour:
    """Tells classes by their mean colour in the source: a network that knows this drive and nothing else."""

    def __init__(self, numbers: frozenset[int]) -> None:
        d = situations.drive()
        truth = class_of_tags(d.geometry.tags)
        self.classes = numbers
        self._numbers = sorted(numbers)
        self._means = np.array([d.clip.frames[truth == n].mean(axis=0) for n in self._numbers])
        self.calls = 0

    def predict(self, frames: np.ndarray) -> np.ndarray:
        self.calls += 1
        far = ((frames[..., None, :] - self._means) ** 2).sum(axis=-1)
        return np.array(self._numbers, np.uint8)[far.argmin(axis=-1)]


KNOWN = frozenset({NUMBER["road"], NUMBER["sky"], NUMBER["green"]})


def test_borders_are_the_pixels_that_touch_another_class():
    tags = np.full((1, 6, 8), Tag.ROAD, np.uint8)
    tags[:, :3] = Tag.SKY
    tags[:, 4, 4] = Tag.ROAD_LINE  # paint is road
    tags[:, 5, 7] = EGO
    borders = borders_of(class_of_tags(tags))[0]
    assert (borders[2] == NUMBER["sky"]).all()
    assert (borders[3] == NUMBER["road"]).all()
    assert not borders[:2].any()
    assert borders[4].tolist() == [0] * 6 + [NUMBER["road"]] * 2
    assert borders[5, 7] == 0


def test_names_of_cityscapes_and_ade20k_find_their_class():
    names = {
        0: "wall",
        1: "building, edifice",
        2: "sky",
        3: "bed",
        4: "traffic light",
        5: "minibike, motorbike",
    }
    expected = ["barrier", "building", "sky", "", "post", "two-wheeler"]
    assert [CLASSES[n - 1].name if n else "" for n in class_of_names(names)] == expected


def test_no_tag_has_two_classes():
    tags = [t for one in CLASSES for t in one.tags]
    assert len(tags) == len(set(tags))


@pytest.mark.parametrize("spec", [None, situations.FOG, situations.NIGHT], ids=["same", "fog", "night"])
def test_an_honest_candidate_keeps_its_outlines(spec):
    frames = situations.drive().clip.frames if spec is None else situations.weathered(spec)
    found = only(borders_kept(evidence_of(frames, spec)))
    assert found.passed
    assert not found.places


def test_outlines_of_another_scene_fail_and_are_placed():
    found = only(borders_kept(evidence_of(another_drive())))
    assert found.passed is False
    assert any(one.name in found.reason for one in CLASSES)
    place = found.places[0]
    assert place.box2d is not None
    assert 0 <= place.first_frame <= place.last_frame < situations.FRAMES


def test_a_building_that_is_gone_on_a_wet_day_fails():
    scene = TestScene(2_100_007)  # a development scene
    assert scene.spec.asks_for == "wet"
    gone = staged.building_gone(scene, 1, np.random.default_rng(0))
    drive = scene.drive
    for frames, passed in ((scene.painted, True), (gone, False)):
        evidence = Evidence(
            source=View(drive.clip, 640, 1.0),
            candidate=View(replace(drive.clip, frames=frames), 640, 1.0),
            geometry=drive.geometry,
            spec=scene.spec,
            condition=drive.condition,
            labels=drive.labels,
            thresholds=Thresholds(),
        )
        found = only(borders_kept(evidence))
        assert found.passed is passed
    assert "building" in found.reason
    assert all(f.passed for f in (*whole_kept(evidence), *tiles_kept(evidence), *objects_kept(evidence)))


def test_under_another_light_lost_outlines_are_told_and_decide_nothing():
    found = only(borders_kept(evidence_of(another_drive(), Spec(seed=1, clouds_okta=8))))
    assert found.passed is None
    assert found.severity == "info"
    assert found.places
    assert "light" in found.reason


def test_a_class_beside_its_place_is_named():
    d = situations.drive()
    spot = class_of_tags(d.geometry.tags) == NUMBER["vehicle"]
    frames = d.clip.frames.copy()
    for frame, here in zip(frames, spot, strict=True):
        frame[here] = frame[~here].mean(axis=0).astype(np.uint8)
    whole = only(borders_kept(evidence_of(d.clip.frames)))
    assert only(borders_kept(evidence_of(frames))).value > whole.value


@pytest.mark.parametrize("origin", ["estimated", "from_motion", "absent"])
def test_guessed_tags_ask_for_nothing(origin):
    assert borders_kept(evidence_of(another_drive(), geometry=with_origin(origin))) == ()


def test_tags_from_a_sidecar_count():
    assert only(borders_kept(evidence_of(another_drive(), geometry=with_origin("sidecar")))).passed is False


def test_without_a_network_classes_are_not_asked():
    assert classes_kept(evidence_of(another_drive())) == ()


def test_a_network_reads_the_same_clip_as_well_as_the_source():
    found = only(classes_kept(evidence_of(situations.drive().clip.frames, segmenter=ByColour(KNOWN))))
    assert found.value == pytest.approx(1.0)
    assert found.passed


def test_a_network_reads_another_scene_worse_and_asks_for_a_look():
    mixed = np.ascontiguousarray(situations.drive().clip.frames[:, ::-1])
    found = only(classes_kept(evidence_of(mixed, segmenter=ByColour(KNOWN))))
    assert found.passed is False
    assert found.severity == "review"
    assert found.places


def test_by_night_a_network_only_informs():
    found = only(
        classes_kept(
            evidence_of(situations.weathered(situations.NIGHT), situations.NIGHT, segmenter=ByColour(KNOWN))
        )
    )
    assert found.severity == "info"


def test_what_fog_hides_is_not_asked():
    d = situations.drive()
    dense = Spec(seed=1, fog_mor_m=40.0)
    frames = np.stack(list(render_frames(d.clip, d.geometry, dense, d.condition, dense.seed)))
    strict = only(
        classes_kept(
            evidence_of(frames, dense, segmenter=ByColour(KNOWN), limits=SegmentationLimits(least_light=0))
        )
    )
    fair = only(classes_kept(evidence_of(frames, dense, segmenter=ByColour(KNOWN))))
    assert fair.value != strict.value


def test_a_network_that_cannot_read_the_source_decides_nothing():
    class Blind(ByColour):
        def predict(self, frames: np.ndarray) -> np.ndarray:
            return np.zeros(frames.shape[:3], np.uint8)

    found = only(classes_kept(evidence_of(situations.drive().clip.frames, segmenter=Blind(KNOWN))))
    assert found.passed is None
    assert found.severity == "info"


def test_the_source_is_read_once_for_all_its_variants():
    network = ByColour(KNOWN)
    first = evidence_of(situations.drive().clip.frames, segmenter=network)
    classes_kept(first)
    assert network.calls == 2
    second = evidence_of(situations.weathered(situations.FOG), situations.FOG, segmenter=network)
    second.source = first.source
    classes_kept(second)
    assert network.calls == 3


def test_the_version_depends_on_the_weights_and_not_on_their_place(tmp_path):
    def identity(folder: str, **more: str) -> str:
        return Thresholds(network=NetworkSettings(folder=folder, **more)).identity

    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"third": name == "c"}))
        (tmp_path / name / "model.safetensors").write_bytes(b"0" * 8)
    a, b, c = (str(tmp_path / name) for name in ("a", "b", "c"))
    assert identity(a) == identity(b) == identity(a, device="cuda")
    assert len({identity(a), identity(c), identity(a, revision="r1"), Thresholds().identity}) == 4
    assert identity(a, revision="r1") == identity(c, revision="r1")
