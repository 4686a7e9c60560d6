"""A checkpoint loads whole or not at all, and what is wrong with it is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.situations_cosmos3 import pixels, request
from worldgen.errors import WeightsError
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.load import check, load

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "checkpoint"))


def edit(part: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(part / WEIGHTS)
    change(tensors)
    save_file(tensors, part / WEIGHTS, metadata={"format": "pt"})


def reason_of(folder: Path) -> tuple[str, str]:
    with pytest.raises(WeightsError) as refused:
        load(folder)
    return refused.value.reason, str(refused.value)


def test_a_whole_one_loads(folder: Path) -> None:
    check(folder)
    parts = load(folder, dtype=torch.bfloat16)
    kinds = {name: p.dtype for name, p in parts.network.named_parameters()}
    assert kinds.pop("time_embedder.linear_1.weight") is torch.float32, "kept exact, as diffusers does"
    assert kinds["proj_in.weight"] is torch.bfloat16
    assert not any(p.requires_grad for p in parts.network.parameters())


def test_a_missing_tensor_is_named(copy: Path) -> None:
    edit(copy / "transformer", lambda t: t.pop("layers.1.self_attn.add_q_proj.weight"))
    reason, message = reason_of(copy)
    assert reason == "mismatch"
    assert "missing: layers.1.self_attn.add_q_proj.weight" in message


def test_an_extra_tensor_is_named(copy: Path) -> None:
    edit(copy / "vae", lambda t: t.update({"decoder.surprise": torch.zeros(2)}))
    reason, message = reason_of(copy)
    assert reason == "mismatch"
    assert "extra: decoder.surprise" in message


def test_a_wrong_shape_is_named_with_both_shapes(copy: Path) -> None:
    edit(copy / "transformer", lambda t: t.update({"proj_out.bias": torch.zeros(3)}))
    reason, message = reason_of(copy)
    assert reason == "mismatch"
    assert "wrong shape: proj_out.bias [3], not [32]" in message


def test_many_wrong_tensors_are_counted(copy: Path) -> None:
    edit(copy / "transformer", lambda t: [t.pop(k) for k in list(t) if k.startswith("layers.0.")])
    assert "more" in reason_of(copy)[1]


def test_a_pickle_is_refused_unopened(copy: Path) -> None:
    (copy / "vae" / "diffusion_pytorch_model.bin").write_bytes(b"not opened")
    reason, message = reason_of(copy)
    assert reason == "refused_format"
    assert "diffusion_pytorch_model.bin" in message


def test_a_pickle_in_disguise_is_damaged(copy: Path) -> None:
    torch.save({"x": torch.zeros(1)}, copy / "vae" / WEIGHTS)
    assert reason_of(copy)[0] == "damaged"


def test_a_cut_file_is_damaged(copy: Path) -> None:
    path = copy / "transformer" / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])
    assert reason_of(copy)[0] == "damaged"


@pytest.mark.parametrize("part", ["transformer", "vae", "scheduler", "text_tokenizer"])
def test_a_missing_part_is_named(copy: Path, part: str) -> None:
    shutil.rmtree(copy / part)
    reason, message = reason_of(copy)
    assert reason == "incomplete"
    assert part in message


def test_a_missing_shard_is_named(copy: Path) -> None:
    index = {"weight_map": {"proj_in.weight": WEIGHTS, "proj_out.weight": "model-00002.safetensors"}}
    (copy / "transformer" / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    reason, message = reason_of(copy)
    assert reason == "incomplete"
    assert "model-00002.safetensors" in message


def test_another_class_is_refused(copy: Path) -> None:
    path = copy / "vae" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "_class_name": "AutoencoderKL"}))
    assert reason_of(copy)[0] == "mismatch"


def test_no_folder(tmp_path: Path) -> None:
    assert reason_of(tmp_path / "nowhere")[0] == "not_found"


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("transformer", "layers.2.mlp_moe_gen.down_proj.weight"),
        ("transformer", "layers.0.self_attn.to_k.weight"),
        ("transformer", "time_embedder.linear_2.bias"),
        ("vae", "decoder.conv_out.weight"),
    ],
)
def test_changing_one_tensor_changes_the_frames(
    engine: Cosmos3Engine, copy: Path, part: str, name: str
) -> None:
    edit(copy / part, lambda t: t.update({name: t[name] + 0.05 * torch.randn_like(t[name])}))
    other = Cosmos3Engine(load(copy, dtype=torch.float32))
    assert float((pixels(engine, request()) - pixels(other, request())).abs().max()) > 1e-4
