"""Labels in and out: every format read, two written, other clips' labels refused."""

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from worldgen.datatypes import (
    Box2d,
    Box3d,
    Camera,
    Claims,
    FrameLabels,
    IgnoreRegion,
    Labels,
    ObjectLabel,
    Visibility,
)
from worldgen.errors import LabelError
from worldgen.imaging.rle import decode_mask, encode_mask
from worldgen.sources.labels import coco_of, openlabel_of, read_labels, write_coco, write_openlabel

SIZE = {"width": 64, "height": 36, "frames": 3}


def read(path: Path, **changes: int) -> Labels:
    return read_labels(path, **{**SIZE, **changes})


def saved(folder: Path, value: object, name: str = "labels.json") -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def refused(path: Path, **changes: int) -> LabelError:
    with pytest.raises(LabelError) as caught:
        read(path, **changes)
    assert caught.value.exit_code == 2
    return caught.value


def everything() -> Labels:
    """Labels of a variant that use every field there is."""
    mask = np.zeros((36, 64), bool)
    mask[12:20, 10:22] = True
    seen = Visibility(predicted="not_visible", measured="degraded", transmission=0.02, contrast_to_noise=1.4)
    far = ObjectLabel(
        id=7,
        category="car",
        box2d=Box2d(left=10, top=12, right=22.5, bottom=20.25),
        box3d=Box3d(center_m=(-2.5, 0.7, 80.0), size_m=(4.5, 1.5, 1.8), yaw_rad=-1.2),
        mask_rle=encode_mask(mask),
        origin="simulator",
        occlusion=0.25,
        truncation=0.0,
        range_m=80.04,
        range_interval_m=(77.0, 83.0),
        pixels_high=8.25,
        visibility=seen,
        use="ignore",
        reason="beyond_visibility",
        changed_attributes=("lamp_state", "colour"),
        attributes={"type_id": "vehicle.audi.tt", "lamp_state": "brake"},
    )
    near = ObjectLabel(id=12, category="pedestrian", box2d=Box2d(left=-3, top=5, right=6, bottom=30))
    regions = (
        IgnoreRegion(reason="lens_drop", box2d=Box2d(left=30, top=3, right=41, bottom=15)),
        IgnoreRegion(
            reason="glare", box2d=Box2d(left=10, top=12, right=22, bottom=20), mask_rle=encode_mask(mask)
        ),
    )
    return Labels(
        width=64,
        height=36,
        frames=(
            FrameLabels(
                frame=0, objects=(far, near), ignore=regions, claims=Claims(lanes="void", flow="degraded")
            ),
            FrameLabels(frame=1),
            FrameLabels(frame=2, objects=(near,)),
        ),
        camera=Camera(width=64, height=36, fx=50, fy=50, cx=31.5, cy=17.5, distortion=(-0.1,)),
        condition={"fog_mor_m": 60.0, "label": "fog"},
        geometry_origin="simulator",
        scale_interval=(0.9, 1.1),
        source_format="worldgen-dump",
    )


def plain(labels: Labels) -> dict:
    """Drop what only says how a file numbered its classes."""
    value = labels.model_dump(mode="json")
    for frame in value["frames"]:
        for label in frame["objects"]:
            label["attributes"] = {
                k: v for k, v in label["attributes"].items() if not k.startswith("category")
            }
    return value


@pytest.mark.parametrize("write", [write_coco, write_openlabel])
def test_everything_comes_back(tmp_path: Path, write):
    labels = everything()
    write(labels, tmp_path / "labels.json")
    assert plain(read(tmp_path / "labels.json")) == plain(labels)


@pytest.mark.parametrize("write", [write_coco, write_openlabel])
def test_writing_what_was_read_changes_nothing(tmp_path: Path, write):
    write(everything(), tmp_path / "a.json")
    write(read(tmp_path / "a.json"), tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_our_own_json_is_read(tmp_path: Path):
    labels = everything()
    assert read(saved(tmp_path, labels.model_dump(mode="json"))) == labels


# COCO -------------------------------------------------------------------------------------------


def coco(**changes: object) -> dict:
    value = {
        "images": [
            {"id": 10 + i, "file_name": f"frame_{i:04d}.jpg", "width": 64, "height": 36} for i in range(3)
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
        "annotations": [
            {"id": 1, "image_id": 10, "category_id": 3, "bbox": [4, 5, 10, 8], "track_id": 5},
            {"id": 2, "image_id": 12, "category_id": 1, "bbox": [20, 5, 4, 12], "track_id": 6, "iscrowd": 1},
        ],
    }
    return {**value, **changes}


def test_coco_names_frames_by_their_file(tmp_path: Path):
    labels = read(saved(tmp_path, coco()))
    assert [f.frame for f in labels.frames] == [0, 1, 2]
    assert labels.frames[1].objects == ()
    car, crowd = labels.frames[0].objects[0], labels.frames[2].objects[0]
    assert (car.id, car.category, car.origin) == (5, "car", "human")
    assert car.box2d == Box2d(left=4, top=5, right=14, bottom=13)
    assert (crowd.category, crowd.use, crowd.reason) == ("pedestrian", "ignore", "given")


def test_coco_keeps_the_users_class_numbers(tmp_path: Path):
    document = coco_of(read(saved(tmp_path, coco())))
    assert {c["name"]: c["id"] for c in document["categories"]} == {"person": 1, "car": 3}


@pytest.mark.parametrize("start", [0, 1])
def test_coco_frames_may_start_at_one(tmp_path: Path, start: int):
    images = [{"id": i, "frame_id": i + start, "width": 64, "height": 36} for i in range(3)]
    labels = read(saved(tmp_path, coco(images=images, annotations=[])))
    assert [f.frame for f in labels.frames] == [0, 1, 2]


def test_coco_numbers_of_a_longer_recording_order_the_frames(tmp_path: Path):
    images = [{"id": i, "file_name": f"{700 + i:06d}.png", "width": 64, "height": 36} for i in range(3)]
    assert [f.frame for f in read(saved(tmp_path, coco(images=images, annotations=[]))).frames] == [0, 1, 2]


@pytest.mark.parametrize("kind", ["polygon", "runs"])
def test_coco_masks(tmp_path: Path, kind: str):
    mask = np.zeros((36, 64), bool)
    mask[5:13, 4:14] = True
    shape: object = [[4, 5, 14, 5, 14, 13, 4, 13]]
    if kind == "runs":
        shape = {"size": [36, 64], "counts": list(encode_mask(mask))}
    annotation = {"id": 1, "image_id": 10, "category_id": 3, "segmentation": shape}
    label = read(saved(tmp_path, coco(annotations=[annotation]))).frames[0].objects[0]
    read_back = decode_mask(label.mask_rle, width=64, height=36)
    # A polygon's rim is drawn by one convention or another: one pixel around may differ.
    assert (read_back != mask)[6:12, 5:13].sum() == 0
    assert abs(int(read_back.sum()) - 80) <= (0 if kind == "runs" else 20)
    assert label.box2d.left == pytest.approx(4, abs=1)


def test_youtube_vis_tracks(tmp_path: Path):
    value = {
        "videos": [{"id": 1, "width": 64, "height": 36, "length": 3}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [
            {"id": 9, "video_id": 1, "category_id": 1, "bboxes": [[1, 2, 3, 4], None, [5, 6, 7, 8]]}
        ],
    }
    labels = read(saved(tmp_path, value))
    assert [[o.id for o in f.objects] for f in labels.frames] == [[9], [], [9]]


def test_ignore_regions_count_for_every_class_of_coco():
    document = coco_of(everything())
    regions = [a for a in document["annotations"] if "region" in a["attributes"]]
    assert len(regions) == 2 * 2
    assert {a["category_id"] for a in regions} == {c["id"] for c in document["categories"]}
    assert all(a["iscrowd"] == a["ignore"] == 1 for a in regions)
    unseen = next(a for a in document["annotations"] if a.get("track_id") == 7)
    assert unseen["iscrowd"] == 1
    assert unseen["attributes"]["reason"] == "beyond_visibility"
    assert unseen["attributes"]["visibility"] == "unknown"


# KITTI ------------------------------------------------------------------------------------------

CAR = "Car 0.00 0 -1.57 4.00 5.00 14.00 13.00 1.50 1.80 4.50 2.00 1.60 20.00 -1.20"
VAN = "Van 0.30 2 -1.57 40.00 5.00 63.00 30.00 2.00 1.90 5.00 4.00 1.60 8.00 1.57"
DONT_CARE = "DontCare -1 -1 -10 20 10 30 16 -1 -1 -1 -1000 -1000 -1000 -10"


def test_kitti_objects(tmp_path: Path):
    for index, text in enumerate((f"{CAR}\n{DONT_CARE}\n", "", f"{VAN} 0.9\n")):
        saved(tmp_path, text, f"{index:06d}.txt")
    labels = read(tmp_path)
    car, van = labels.frames[0].objects[0], labels.frames[2].objects[0]
    assert car.box2d == Box2d(left=4, top=5, right=14, bottom=13)
    # KITTI gives the middle of the bottom; height, width, length.
    assert car.box3d == Box3d(center_m=(2, 1.6 - 0.75, 20), size_m=(4.5, 1.5, 1.8), yaw_rad=-1.2)
    assert (car.occlusion, car.truncation) == (0.0, 0.0)
    assert (van.category, van.occlusion, van.truncation) == ("car", None, 0.3)
    assert van.attributes["kitti_occluded"] == "largely occluded"
    assert labels.frames[0].ignore[0].reason == "given"
    assert labels.frames[1].objects == ()


def test_kitti_tracks(tmp_path: Path):
    path = saved(tmp_path, f"0 5 {CAR}\n2 5 {CAR}\n2 6 {VAN}\n", "0000.txt")
    labels = read(path)
    assert [(f.frame, [o.id for o in f.objects]) for f in labels.frames] == [(0, [5]), (2, [5, 6])]


# OpenLABEL --------------------------------------------------------------------------------------


def test_openlabel_has_the_standards_structure():
    body = openlabel_of(everything())["openlabel"]
    assert body["metadata"]["schema_version"] == "1.0.0"
    car = body["frames"]["0"]["objects"]["7"]["object_data"]
    assert car["bbox"][0]["val"] == [16.25, 16.125, 12.5, 8.25]
    assert car["cuboid"][0]["val"] == [-2.5, 0.7, 80.0, 0.0, -1.2, 0.0, 4.5, 1.5, 1.8]
    assert {n["name"]: n["val"] for n in car["bbox"][0]["attributes"]["num"]}["occlusion"] == 0.25
    assert body["objects"]["12"]["frame_intervals"] == [
        {"frame_start": 0, "frame_end": 0},
        {"frame_start": 2, "frame_end": 2},
    ]
    assert body["frame_intervals"] == [{"frame_start": 0, "frame_end": 2}]
    assert body["objects"]["-1"]["type"] == "ignore_region"
    assert len(body["streams"]["camera"]["stream_properties"]["intrinsics_pinhole"]["camera_matrix"]) == 12
    assert set(body) <= {
        *("metadata", "coordinate_systems", "streams", "objects", "contexts"),
        *("frames", "frame_intervals", "ontologies", "resources", "tags"),
    }


def test_an_id_twice_in_a_frame_loses_nothing(tmp_path: Path):
    one = ObjectLabel(id=4, category="car", box2d=Box2d(left=1, top=1, right=5, bottom=5))
    other = ObjectLabel(id=4, category="car", box2d=Box2d(left=9, top=1, right=15, bottom=5))
    labels = Labels(width=64, height=36, frames=(FrameLabels(frame=0, objects=(one, other)),))
    write_openlabel(labels, tmp_path / "l.json")
    assert [o.box2d for o in read(tmp_path / "l.json").frames[0].objects] == [one.box2d, other.box2d]


def test_openlabel_of_others(tmp_path: Path):
    # Quaternion cuboid, outline instead of a box, UUIDs, attributes beside the box.
    half = np.sin(-1.2 / 2), np.cos(-1.2 / 2)
    uid = "c44c1fc2-ee48-4b17-a20e-829de9be1141"
    value = {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "streams": {"cam": {"type": "camera"}, "lidar": {"type": "lidar"}},
            "objects": {uid: {"name": "van1", "type": "van"}, "5": {"name": "p", "type": "Pedestrian"}},
            "frames": {
                "1": {
                    "objects": {
                        uid: {
                            "object_data": {
                                "bbox": [{"name": "shape", "val": [10, 10, 6, 4]}],
                                "cuboid": [
                                    {
                                        "name": "c",
                                        "coordinate_system": "cam",
                                        "val": [1, 2, 30, 0, half[0], 0, half[1], 4, 2, 2],
                                    }
                                ],
                                "text": [{"name": "colour", "val": "red"}],
                            }
                        },
                        "5": {
                            "object_data": {
                                "poly2d": [
                                    {
                                        "name": "o",
                                        "closed": True,
                                        "mode": "MODE_POLY2D_ABSOLUTE",
                                        "val": [20, 4, 26, 5, 23, 16],
                                    }
                                ],
                                "cuboid": [
                                    {
                                        "name": "c",
                                        "coordinate_system": "lidar",
                                        "val": [30, 0, 1, 0, 0, 0, 1, 1, 2],
                                    }
                                ],
                            }
                        },
                    }
                }
            },
        }
    }
    van, walker = read(saved(tmp_path, value)).frames[0].objects
    assert (van.category, van.attributes["colour"]) == ("car", "red")
    assert van.box2d == Box2d(left=7, top=8, right=13, bottom=12)
    assert van.box3d.yaw_rad == pytest.approx(-1.2)
    assert walker.box2d == Box2d(left=20, top=4, right=26, bottom=16)
    # In LiDAR axes a cuboid would need the rig: it is left out rather than misread.
    assert walker.box3d is None


# nuScenes ---------------------------------------------------------------------------------------


def nuscenes() -> dict:
    """One key frame: a car 20 m ahead of a camera that looks along the ego's x, 1.5 m up."""
    forward = [0.5, -0.5, 0.5, -0.5]
    shots = [
        {
            "token": f"s{i}",
            "sample_token": "k0",
            "calibrated_sensor_token": "c",
            "ego_pose_token": f"e{i}",
            "timestamp": i,
            "is_key_frame": i == 0,
            "width": 64,
            "height": 36,
        }
        for i in range(3)
    ]
    size = {
        "token": "a",
        "sample_token": "k0",
        "instance_token": "i",
        "size": [1.8, 4.5, 1.5],
        "visibility_token": "4",
    }
    return {
        "sample_data": shots,
        "calibrated_sensor": [
            {
                "token": "c",
                "translation": [0, 0, 1.5],
                "rotation": forward,
                "camera_intrinsic": [[50, 0, 31.5], [0, 50, 17.5], [0, 0, 1]],
            }
        ],
        "ego_pose": [
            {"token": f"e{i}", "translation": [100, 50, 0], "rotation": [1, 0, 0, 0]} for i in range(3)
        ],
        "sample_annotation": [{**size, "translation": [120, 50, 0.75], "rotation": [1, 0, 0, 0]}],
        "instance": [{"token": "i", "category_token": "n"}],
        "category": [{"token": "n", "name": "vehicle.car"}],
    }


@pytest.mark.parametrize("as_folder", [False, True])
def test_nuscenes_tables(tmp_path: Path, as_folder: bool):
    path = tmp_path
    if as_folder:
        for name, rows in nuscenes().items():
            saved(tmp_path, rows, f"{name}.json")
    else:
        path = saved(tmp_path, nuscenes())
    labels = read(path)
    assert [f.frame for f in labels.frames] == [0]
    car = labels.frames[0].objects[0]
    assert (car.category, car.attributes["nuscenes_visibility"]) == ("car", "4")
    assert car.box3d.center_m == pytest.approx((0, 0.75, 20), abs=1e-9)
    assert car.box3d.size_m == (4.5, 1.5, 1.8)
    assert car.box3d.yaw_rad == pytest.approx(-np.pi / 2)
    # Its near side is 17.75 m away, 1.8 m wide: 50 * 1.8 / 17.75 pixels.
    assert car.box2d.width == pytest.approx(50 * 1.8 / 17.75, rel=1e-4)


def test_nuscenes_exported_boxes(tmp_path: Path):
    rows = [
        {
            "filename": f"{i}.jpg",
            "bbox_corners": [1, 2, 9, 12],
            "category_name": "human.pedestrian.adult",
            "instance_token": "x",
        }
        for i in range(3)
    ]
    labels = read(saved(tmp_path, rows))
    assert [[(o.id, o.category) for o in f.objects] for f in labels.frames] == [[(1, "pedestrian")]] * 3


# Labels of another clip, and files that are not labels ---------------------------------------------


def test_labels_for_another_size(tmp_path: Path):
    images = [{"id": 10 + i, "file_name": f"{i}.jpg", "width": 1280, "height": 720} for i in range(3)]
    error = refused(saved(tmp_path, coco(images=images)))
    assert error.code == "labels.other_source"
    assert "1280x720" in error.message
    write_openlabel(everything(), tmp_path / "o.json")
    assert refused(tmp_path / "o.json", width=640, height=360).code == "labels.other_source"


def test_labels_for_another_length(tmp_path: Path):
    assert refused(saved(tmp_path, coco()), frames=2).code == "labels.other_source"
    images = [{"id": i, "file_name": "photo.jpg", "width": 64, "height": 36} for i in range(2)]
    error = refused(saved(tmp_path, coco(images=images, annotations=[])))
    assert "labels 2 frames, the clip has 3" in error.message
    path = saved(tmp_path, f"5 1 {CAR}\n", "0001.txt")
    assert refused(path).code == "labels.other_source"
    assert refused(saved(tmp_path, CAR, "one.txt")).code == "labels.other_source"


def test_boxes_that_lie_outside_belong_to_another_clip(tmp_path: Path):
    boxes = [
        {"id": i, "image_id": 10 + i, "category_id": 3, "bbox": [900 + i, 400, 50, 40], "track_id": 1}
        for i in range(3)
    ]
    images = [{"id": 10 + i, "file_name": f"{i}.jpg"} for i in range(3)]
    error = refused(saved(tmp_path, coco(images=images, annotations=boxes)))
    assert error.code == "labels.other_source"
    assert "3 of 3 boxes lie outside" in error.message


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("not json", "labels.invalid"),
        ('{"hello": 1}', "labels.unknown_format"),
        ("[]", "labels.unknown_format"),
        (coco(annotations=[{"image_id": 10, "category_id": 3, "bbox": [1, 2, -3, 4]}]), "labels.invalid"),
        (coco(annotations=[{"image_id": 10, "category_id": 3, "bbox": [1, 2, 3]}]), "labels.invalid"),
        (coco(annotations=[{"image_id": 99, "category_id": 3, "bbox": [1, 2, 3, 4]}]), "labels.invalid"),
        (coco(annotations=[{"image_id": 10, "category_id": 44, "bbox": [1, 2, 3, 4]}]), "labels.invalid"),
        (
            coco(
                annotations=[
                    {"image_id": 10, "category_id": 3, "segmentation": {"counts": [4], "size": [2, 2]}}
                ]
            ),
            "labels.invalid",
        ),
        (
            coco(annotations=[{"image_id": 10, "category_id": 3, "bbox": [1, 2, 3, 4]}], videos=[{}, {}]),
            "labels.invalid",
        ),
        (coco(annotations=3), "labels.invalid"),
        ('{"images": [], "annotations": [], "categories": [], "x": NaN}', "labels.invalid"),
        ({"openlabel": {"metadata": {"schema_version": "4.3.0"}}}, "labels.invalid"),
        ("[" * 100_000, "labels.invalid"),
    ],
)
def test_files_that_are_not_labels(tmp_path: Path, value: object, code: str):
    assert refused(saved(tmp_path, value)).code == code


def test_kitti_lines_that_are_none(tmp_path: Path):
    assert refused(saved(tmp_path, "hello world\n", "a.txt")).code == "labels.unknown_format"
    broken = CAR.replace("20.00", "nan")
    assert refused(saved(tmp_path, f"0 1 {broken}\n", "b.txt")).code == "labels.invalid"


def test_no_such_file(tmp_path: Path):
    assert refused(tmp_path / "none.json").code == "labels.not_found"


def mutated(document: object, chance: random.Random) -> object:
    """Replace or remove one part of a JSON document."""
    places: list[list] = []

    def walk(value: object, path: list) -> None:
        places.append(path)
        parts = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for key, part in parts:
            walk(part, [*path, key])

    walk(document, [])
    copy = json.loads(json.dumps(document))
    path = chance.choice(places[1:])
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    if isinstance(parent, dict) and chance.random() < 0.3:
        del parent[path[-1]]
    else:
        parent[path[-1]] = chance.choice(
            [None, [], {}, "x", -1, 0, 1e308, 10**12, True, [1, 2], {"a": 1}, -0.5]
        )
    return copy


def test_no_broken_document_escapes_untyped(tmp_path: Path):
    chance = random.Random(7)
    documents = [coco_of(everything()), openlabel_of(everything()), nuscenes(), coco()]
    codes: Counter[str] = Counter()
    for _ in range(250):
        path = saved(tmp_path, mutated(chance.choice(documents), chance))
        try:
            read(path)
        except LabelError as error:
            codes[error.code] += 1
    assert codes["labels.unexpected"] == 0
    assert codes["labels.invalid"] > 25
