"""The manifest that ships, and manifests that are wrong."""

from importlib import import_module
from pathlib import Path

import pytest

from worldgen.errors import WeightsError
from worldgen.weights import (
    WeightsEntry,
    find,
    load_manifest,
    pin_of_folder,
    refuse_pickles,
    standing_of,
)


def test_the_manifest_that_ships_is_honest() -> None:
    for entry in load_manifest().weights:
        assert entry.license, entry.name
        assert entry.is_pinned == bool(entry.revision or entry.folder)
        assert entry.is_pinned or entry.source, "an unpinned entry says where its facts are from"
        assert not any(p.endswith((".bin", ".pt", ".py")) for p in entry.patterns)


@pytest.mark.parametrize(
    "text",
    [
        "weights = 3",
        "not toml = = ",
        '[[weights]]\nname="a"\ntitle="t"\nlicense="l"\ngigabytes=1\n',
        '[[weights]]\nname="a"\ntitle="t"\nlicense="l"\ngigabytes=1\nrepository="r"\n',
        '[[weights]]\nname="a"\ntitle="t"\nlicense="l"\ngigabytes=1\nrepository="r"\npatterns=["*"]\n'
        'revision="main"\n',
        '[[weights]]\nname="a"\ntitle="t"\nlicense="l"\ngigabytes=1\nrepository="r"\npatterns=["*"]\n'
        'revision="0123456789012345678901234567890123456789"\n',
        '[[weights]]\nname="a"\ntitle="t"\nlicense="l"\ngigabytes=1\nfolder="f"\n'
        'files=[{path="../x.json",size=1,sha256="0"}]\n',
    ],
)
def test_a_manifest_that_promises_nothing_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(text)
    with pytest.raises(WeightsError):
        load_manifest(path)


def test_a_pickle_cannot_be_pinned(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        WeightsEntry(
            name="a",
            title="t",
            license="l",
            gigabytes=1,
            folder="f",
            files=({"path": "model.bin", "size": 1, "sha256": "0" * 64},),  # type: ignore[arg-type]
        )
    assert caught.value.code == "weights.refused_format"


def test_an_unknown_name_gets_the_known_ones() -> None:
    with pytest.raises(WeightsError, match="cosmos3-nano") as caught:
        find("cosmos4")
    assert caught.value.code == "weights.unknown_model"


def test_a_folder_of_the_user_holds_safetensors_only(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        refuse_pickles(tmp_path)
    assert caught.value.code == "weights.missing"
    (tmp_path / "model.safetensors").write_bytes(b"")
    refuse_pickles(tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "optimizer.pt").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"deep/optimizer\.pt"):
        refuse_pickles(tmp_path)


def test_weights_that_ship_are_pinned_and_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tmp_path / "small"
    (small / "vae").mkdir(parents=True)
    (small / "vae" / "model.safetensors").write_bytes(b"0123")
    (small / "config.json").write_bytes(b"{}")
    (tmp_path / "manifest.toml").write_text(
        '[[weights]]\nname = "small"\ntitle = "t"\nfolder = "small"\nlicense = "Apache-2.0"\ngigabytes = 0.04\n'
        + pin_of_folder(small)
    )
    monkeypatch.setattr(import_module("worldgen.weights.verify"), "find_checkpoints", lambda: tmp_path)
    manifest = load_manifest(tmp_path / "manifest.toml")
    assert standing_of(manifest.weights[0]).state == "ships"
    assert find("small", manifest=manifest) == small
    (small / "vae" / "model.safetensors").write_bytes(b"0124")
    with pytest.raises(WeightsError, match=r"vae/model\.safetensors has sha256"):
        find("small", manifest=manifest)
    (small / "vae" / "model.safetensors").unlink()
    with pytest.raises(WeightsError) as caught:
        find("small", manifest=manifest)
    assert caught.value.code == "weights.missing"
