"""The depth network's path: a tiny random Depth Anything V2 in the layout of the real one."""

from pathlib import Path

import numpy as np
import pytest

from worldgen.controls.network import DepthNetwork, network_revision
from worldgen.controls.settings import NetworkSettings
from worldgen.datatypes import Clip
from worldgen.errors import ExtractError

torch = pytest.importorskip("torch", reason="the depth network needs the extra 'models'")
transformers = pytest.importorskip("transformers", reason="the depth network needs the extra 'models'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Depth Anything V2 with random weights, saved as the published one is."""
    torch.manual_seed(0)
    backbone = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, image_size=56, patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False, apply_layernorm=True,
    )  # fmt: skip
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=32, patch_size=14,
        neck_hidden_sizes=[8, 8, 16, 16], fusion_hidden_size=8, head_hidden_size=8,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("network")
    transformers.DepthAnythingForDepthEstimation(config).save_pretrained(str(path))
    processor = transformers.DPTImageProcessor(
        size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14
    )
    processor.save_pretrained(str(path))
    return path


def road_clip(frames: int = 3) -> Clip:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (frames, 72, 128, 3), dtype=np.uint8)
    return Clip(frames=pixels, timestamps_seconds=np.arange(frames) / 10, fps=10.0)


def test_the_network_loads_from_a_folder_and_predicts(folder: Path) -> None:
    network = DepthNetwork(NetworkSettings(folder=str(folder), batch=2))
    relative = network.predict(road_clip(), 64, 36)
    assert relative.shape == (3, 36, 64)
    assert relative.dtype == np.float32
    assert np.isfinite(relative).all()
    np.testing.assert_array_equal(relative, network.predict(road_clip(), 64, 36))


def test_a_folder_without_weights_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(ExtractError) as caught:
        DepthNetwork(NetworkSettings(folder=str(tmp_path)))
    assert caught.value.code == "extract.missing_weights"


def test_the_revision_names_the_weights_without_loading_them(folder: Path, tmp_path: Path) -> None:
    assert network_revision(NetworkSettings()) == ""
    assert network_revision(NetworkSettings(folder=str(folder), revision="abc")) == "abc"
    first = network_revision(NetworkSettings(folder=str(folder)))
    assert first == network_revision(NetworkSettings(folder=str(folder), batch=1))
    (tmp_path / "config.json").write_text("{}")
    assert network_revision(NetworkSettings(folder=str(tmp_path))) not in ("", first)
