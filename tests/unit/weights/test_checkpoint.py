"""The name of a checkpoint: its content, known without reading a weight."""

from pathlib import Path

from worldgen.weights import FilePin, Manifest, Receipt, Store, WeightsEntry, checkpoint_of

FACTS = {"name": "small", "title": "t", "license": "l", "gigabytes": 1}
PINS = (
    FilePin(path="vae/model.safetensors", size=3, sha256="a" * 64),
    FilePin(path="transformer/model.safetensors", size=3, sha256="b" * 64),
)
CHANGED = (PINS[0], PINS[1].model_copy(update={"sha256": "c" * 64}))


def ships(files: tuple[FilePin, ...]) -> Manifest:
    return Manifest(weights=(WeightsEntry(**FACTS, folder="small", files=files),))


def hosted(files: tuple[FilePin, ...] = ()) -> Manifest:
    revision = "0" * 40 if files else ""
    entry = WeightsEntry(**FACTS, repository="a/b", patterns=("*",), revision=revision, files=files)
    return Manifest(weights=(entry,))


def store_with(root: Path, files: tuple[FilePin, ...]) -> Store:
    store = Store(root)
    receipt = Receipt(
        repository="a/b",
        revision="1" * 40,
        endpoint="e",
        trust="first_use",
        fetched="2026-01-01T00:00:00+00:00",
        files=files,
    )
    store.write_receipt("small", receipt)
    return store


def test_any_other_byte_gives_another_name() -> None:
    name = checkpoint_of("small", manifest=ships(PINS))
    assert name.startswith("small@")
    assert checkpoint_of("small", manifest=ships(PINS)) == name
    assert checkpoint_of("small", manifest=ships(PINS[::-1])) == name, "the order of a list is no content"
    assert checkpoint_of("small", manifest=ships(CHANGED)) != name


def test_what_was_trusted_on_first_use_keeps_its_name_when_it_is_pinned(tmp_path: Path) -> None:
    store = store_with(tmp_path, PINS)
    first = checkpoint_of("small", manifest=hosted(), store=store)
    assert first == checkpoint_of("small", manifest=hosted(PINS), store=store)
    assert first != checkpoint_of("small", manifest=hosted(CHANGED), store=store), "the manifest's word wins"


def test_what_nobody_has_seen_has_no_name(tmp_path: Path) -> None:
    assert checkpoint_of("small", manifest=hosted(), store=Store(tmp_path)) == ""
