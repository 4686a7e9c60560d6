"""An edit changes what it names and nothing else."""

import numpy as np
import pytest

from worldgen.errors import SourceError
from worldgen.sources.proving_ground import (
    AddActor,
    FreezeActor,
    LampChange,
    LosePart,
    MarkingChange,
    RecolourActor,
    RemoveActor,
    ResizeActor,
    SwapActor,
    TeleportActor,
    TrafficLightChange,
    render_drive,
    scene_of,
)

SEED = 12


@pytest.fixture(scope="module")
def plain():
    return render_drive(SEED, frames=3)


@pytest.fixture(scope="module")
def target(plain):
    """A car that is seen well."""
    seen = [
        o
        for o in plain.labels.frames[1].objects
        if o.category == "car" and o.occlusion < 0.3 and o.truncation < 0.1
    ]
    return max(seen, key=lambda o: o.box2d.height).id


def changed(plain, other, t):
    return (plain.clip.frames[t].astype(int) != other.clip.frames[t].astype(int)).any(-1)


def test_no_edit_no_change(plain) -> None:
    assert np.array_equal(plain.clip.frames, render_drive(SEED, frames=3, edits=()).clip.frames)


def test_removed_actor_is_gone_and_others_stay(plain, target) -> None:
    other = render_drive(SEED, frames=3, edits=(RemoveActor(id=target),))
    assert not (other.geometry.instances == target).any()
    assert all(o.id != target for f in other.labels.frames for o in f.objects)
    before = {o.id: o.box3d for o in plain.labels.frames[2].objects if o.id != target}
    after = {o.id: o.box3d for o in other.labels.frames[2].objects}
    assert before.items() <= after.items()
    far = np.ones_like(plain.geometry.instances[0], bool)
    rows, columns = np.nonzero(plain.geometry.instances[0] == target)
    far[max(rows.min() - 20, 0) : rows.max() + 30, max(columns.min() - 60, 0) : columns.max() + 60] = False
    assert changed(plain, other, 0)[far].mean() < 0.01


def test_removal_can_begin_later(plain, target) -> None:
    other = render_drive(SEED, frames=3, edits=(RemoveActor(id=target, from_frame=2),))
    assert np.array_equal(plain.clip.frames[:2], other.clip.frames[:2])
    assert (other.geometry.instances[1] == target).any()
    assert not (other.geometry.instances[2] == target).any()


def test_recolouring_changes_colour_and_no_geometry(plain, target) -> None:
    other = render_drive(SEED, frames=3, edits=(RecolourActor(id=target, colour=(0.6, 0.02, 0.4)),))
    assert np.array_equal(plain.geometry.depth_m, other.geometry.depth_m)
    assert np.array_equal(plain.geometry.instances, other.geometry.instances)
    own = plain.geometry.instances[1] == target
    assert changed(plain, other, 1)[own].mean() > 0.3
    near = np.zeros_like(own)
    rows, columns = np.nonzero(own)
    near[rows.min() - 3 : rows.max() + 4, max(columns.min() - 3, 0) : columns.max() + 4] = True
    # What is brighter than the film glows a little around itself.
    assert changed(plain, other, 1)[~near].mean() < 0.003


def test_teleport_and_freeze_move_only_one(plain, target) -> None:
    jumped = render_drive(SEED, frames=3, edits=(TeleportActor(id=target, frame=1, delta_m=(5.0, 0.0, 0.0)),))
    assert np.array_equal(plain.clip.frames[0], jumped.clip.frames[0])
    where = [
        next(o for o in d.labels.frames[1].objects if o.id == target).box3d.center_m for d in (plain, jumped)
    ]
    assert np.linalg.norm(np.subtract(*where)) == pytest.approx(5.0, abs=0.1)
    frozen = render_drive(SEED, frames=3, edits=(FreezeActor(id=target, frame=0),))
    assert np.array_equal(plain.clip.frames[0], frozen.clip.frames[0])


def test_added_actor_appears_with_its_label(plain) -> None:
    other = render_drive(SEED, frames=2, edits=(AddActor(kind="truck", lane=0, distance_m=16.0, id=901),))
    labels = {o.id: o for o in other.labels.frames[0].objects}
    assert labels[901].category == "truck"
    assert (other.geometry.instances[0] == 901).sum() > 200


def test_markings_change_alone(plain) -> None:
    index = next(i for i, m in enumerate(plain.scene.markings) if m.start_m <= 0 and m.kind == "dashed")
    colour = "yellow" if plain.scene.markings[index].colour == "white" else "white"
    other = render_drive(SEED, frames=1, edits=(MarkingChange(index=index, colour=colour, kind="solid"),))
    touched = changed(plain, other, 0)
    assert touched.any()
    assert np.array_equal(plain.geometry.depth_m[:1], other.geometry.depth_m)
    assert np.array_equal(plain.geometry.instances[:1], other.geometry.instances)
    assert touched.mean() < 0.2


def test_lamps_and_lights_change_alone(plain, target) -> None:
    other = render_drive(SEED, frames=1, edits=(LampChange(id=target, lamp="brake", state="on"),))
    same = "brake" in plain.lamp_states[0][target]
    assert "brake" in other.lamp_states[0][target]
    assert same or changed(plain, other, 0).any()
    seed = next(s for s in range(40) if scene_of(s).traffic_lights)
    light = scene_of(seed).traffic_lights[0]
    drive = render_drive(seed, frames=1, edits=(TrafficLightChange(id=light.id, state="yellow"),))
    assert drive.lamp_states[0][light.id] == {"yellow"}
    assert drive.world.light_states[0][str(light.id)] == "yellow"


def test_sizes_kinds_and_parts(plain, target) -> None:
    for edit in (
        ResizeActor(id=target, scale=1.5),
        SwapActor(id=target, kind="bus"),
        LosePart(id=target, part="wheels"),
        LosePart(id=target, part="lamps"),
        LosePart(id=target, part="plate"),
    ):
        other = render_drive(SEED, frames=1, edits=(edit,))
        assert changed(plain, other, 0).any(), edit
    grown = render_drive(SEED, frames=3, edits=(ResizeActor(id=target, scale=1.6, drifts=True),))
    heights = [next(o for o in f.objects if o.id == target).box3d.size_m[1] for f in grown.labels.frames]
    assert heights[0] < heights[1] < heights[2]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(SourceError, match="no object 9999"):
        render_drive(SEED, frames=1, edits=(RemoveActor(id=9999),))
    with pytest.raises(SourceError, match="no marking"):
        render_drive(SEED, frames=1, edits=(MarkingChange(index=999, kind="none"),))
