"""The segmentation network's path: a tiny random UPerNet in the layout of the real one."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import situations_critic as situations
from worldgen.critic.build import build_critic
from worldgen.critic.classes import CLASSES
from worldgen.critic.network import SegmentationNetwork
from worldgen.critic.thresholds import NetworkSettings, SegmentationLimits, Thresholds
from worldgen.errors import ConfigError, JudgeError

torch = pytest.importorskip("torch", reason="the segmentation network needs the extra 'models'")
transformers = pytest.importorskip("transformers", reason="the segmentation network needs the extra 'models'")

# The first names of SceneParse150, in its order and spelling, and some further on.
NAMES = (
    "wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed ", "windowpane", "grass", "sidewalk",
    "person", "car", "fence", "bus", "van", "pole", "minibike", "bicycle", "traffic light",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A UPerNet on a ConvNeXt with random weights, saved as the published one is."""
    torch.manual_seed(0)
    backbone = transformers.ConvNextConfig(
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = transformers.UperNetConfig(
        backbone_config=backbone,
        hidden_size=16,
        use_auxiliary_head=False,
        id2label=dict(enumerate(NAMES)),
        label2id={name: i for i, name in enumerate(NAMES)},
    )
    path = tmp_path_factory.mktemp("network")
    transformers.UperNetForSemanticSegmentation(config).save_pretrained(str(path))
    transformers.SegformerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(str(path))
    return path


def frames_of(count: int = 2) -> np.ndarray:
    return situations.drive().clip.frames[:count]


def test_the_network_loads_from_a_folder_and_predicts_classes_of_a_street(folder: Path) -> None:
    network = SegmentationNetwork(NetworkSettings(folder=str(folder)))
    assert {CLASSES[n - 1].name for n in network.classes} == {one.name for one in CLASSES}
    seen = network.predict(frames_of())
    assert seen.shape == frames_of().shape[:3]
    assert seen.dtype == np.uint8
    assert set(np.unique(seen)) <= {0, *network.classes}
    np.testing.assert_array_equal(seen, network.predict(frames_of()))


def test_a_critic_with_a_network_judges_and_names_the_weights(folder: Path, tmp_path: Path) -> None:
    scratch = situations.new_scratch(tmp_path)
    # Random weights read nothing, so the limit on the source is taken away to see the ratio.
    limits = SegmentationLimits(source_overlap=0.0, network_frames=2)
    critic = build_critic(
        scratch, Thresholds(segmentation=limits, network=NetworkSettings(folder=str(folder)))
    )
    bare = build_critic(scratch, Thresholds(segmentation=limits))
    assert critic.version != bare.version
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    there = Thresholds(segmentation=limits, network=NetworkSettings(folder=str(moved)))
    assert build_critic(scratch, there).version == critic.version
    case = situations.case_of(scratch, situations.drive().clip.frames, None)
    found = {f.check: f for f in critic.judge(case).findings}
    assert found["segmentation.classes"].value == pytest.approx(1.0, abs=0.2)
    assert "segmentation.classes" not in {f.check for f in bare.judge(case).findings}


def test_random_weights_decide_nothing(folder: Path, tmp_path: Path) -> None:
    scratch = situations.new_scratch(tmp_path)
    critic = build_critic(scratch, Thresholds(network=NetworkSettings(folder=str(folder))))
    case = situations.case_of(scratch, situations.drive().clip.frames, None)
    found = next(f for f in critic.judge(case).findings if f.check == "segmentation.classes")
    assert found.passed is None
    assert found.severity == "info"


def test_a_folder_without_weights_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        SegmentationNetwork(NetworkSettings(folder=str(tmp_path)))
    assert caught.value.code == "config.not_found"


def test_a_network_that_knows_no_street_is_refused_without_loading_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "cat", "1": "sky"}}))
    (tmp_path / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(ConfigError) as caught:
        SegmentationNetwork(NetworkSettings(folder=str(tmp_path)))
    assert caught.value.code == "config.invalid"


def test_classes_that_the_configuration_does_not_name_can_be_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "nameless")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "id2label": {str(i): f"LABEL_{i}" for i in range(len(NAMES))},
        "label2id": {f"LABEL_{i}": i for i in range(len(NAMES))},
    }
    (tmp_path / "nameless" / "config.json").write_text(json.dumps(config))
    bare = NetworkSettings(folder=str(tmp_path / "nameless"))
    with pytest.raises(ConfigError, match="classes of a street"):
        SegmentationNetwork(bare)
    named = bare.model_copy(update={"names": NAMES})
    assert named.identity != bare.identity
    told = SegmentationNetwork(NetworkSettings(folder=str(folder))).predict(frames_of(1))
    np.testing.assert_array_equal(SegmentationNetwork(named).predict(frames_of(1)), told)
    short = bare.model_copy(update={"names": NAMES[:-1]})
    with pytest.raises(JudgeError, match="classes"):
        SegmentationNetwork(short).predict(frames_of(1))


def test_broken_weights_are_an_error_and_no_verdict(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"no weights at all")
    network = SegmentationNetwork(NetworkSettings(folder=str(tmp_path / "broken")))
    with pytest.raises(JudgeError):
        network.predict(frames_of(1))
