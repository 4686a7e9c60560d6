"""Fetching weights, through huggingface_hub, from a real HTTP server that speaks the hub's interface."""

import functools
import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.situations_hub import COMMIT, Hub, serving
from worldgen.errors import Cancelled, WeightsError
from worldgen.weights import (
    FilePin,
    Manifest,
    Store,
    WeightsEntry,
    find,
    load_manifest,
    pin_of,
    pull,
    standing_of,
    verify,
)

pytest.importorskip("huggingface_hub", reason="the extra worldgen[models] is not installed")
pytest.importorskip("safetensors", reason="the extra worldgen[models] is not installed")

MEGABYTE = 1 << 20


def _safetensors(megabytes: float, seed: int = 0) -> bytes:
    from safetensors.numpy import save

    values = np.random.default_rng(seed).standard_normal(int(megabytes * MEGABYTE / 8))
    return save({"weight": values})


@functools.cache
def _big() -> bytes:
    """More than two of the blocks of 10 MB in which huggingface_hub writes to disk."""
    return _safetensors(24)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    files = {
        "model_index.json": b'{"_class_name": "Tiny"}\n',
        "transformer/config.json": b'{"hidden_size": 4}\n',
        "transformer/diffusion_pytorch_model.safetensors": _big(),
        "vae/diffusion_pytorch_model.safetensors": _safetensors(0.1, seed=1),
        "vae/diffusion_pytorch_model.bin": b"\x80\x04 a pickle",
        "transformer/modeling.py": b"import os\n",
        ".gitattributes": b"",
    }
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    # Nor the token of the person at this machine.
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    with serving(Hub(files)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "weights")


def _entry(**changes: object) -> WeightsEntry:
    fields: dict[str, object] = {
        "name": "world",
        "title": "a world model",
        "repository": "someone/world",
        "license": "OpenMDW-1.1",
        "license_url": "https://example.org/licence",
        "gigabytes": 0.01,
        "patterns": ("model_index.json", "transformer/*", "vae/*"),
    }
    return WeightsEntry(**(fields | changes))  # type: ignore[arg-type]


def _manifest(**changes: object) -> Manifest:
    return Manifest(weights=(_entry(**changes),))


def _pinned(hub: Hub, **changes: object) -> Manifest:
    wanted = [p for p in hub.files if p.endswith((".json", ".safetensors"))]
    files = [
        FilePin(path=p, size=len(hub.files[p]), sha256=hashlib.sha256(hub.files[p]).hexdigest())
        for p in wanted
    ]
    return _manifest(revision=COMMIT, files=tuple(files), **changes)


BIG = "transformer/diffusion_pytorch_model.safetensors"


def test_a_pinned_checkpoint_is_fetched_verified_and_found(hub: Hub, store: Store) -> None:
    manifest = _pinned(hub)
    with pytest.raises(WeightsError) as caught:
        find("world", manifest=manifest, store=store)
    assert caught.value.code == "weights.missing"
    assert "worldgen models pull world" in caught.value.hint
    assert f"{sum(f.size for f in manifest.weights[0].files) / 1e6:.1f} MB on disk" in caught.value.message
    told: list[tuple[str, int, int]] = []
    pull("world", manifest=manifest, store=store, tell=lambda *step: told.append(step))
    folder = find("world", manifest=manifest, store=store)
    assert (folder / BIG).read_bytes() == hub.files[BIG]
    assert [done for file, done, _ in told if file == BIG][-1] == len(hub.files[BIG])
    kept = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert kept == {f.path for f in manifest.weights[0].files}
    asked = len(hub.asked)
    pull("world", manifest=manifest, store=store)
    find("world", manifest=manifest, store=store)
    verify("world", manifest=manifest, store=store)
    assert len(hub.asked) == asked, "what is here is not asked for again"


def test_unpinned_weights_need_to_be_trusted_on_purpose_and_are_held_to_it(hub: Hub, store: Store) -> None:
    manifest = _manifest()
    with pytest.raises(WeightsError) as caught:
        pull("world", manifest=manifest, store=store)
    assert caught.value.code == "weights.unpinned"
    assert "--trust-first-use" in caught.value.hint
    assert not hub.asked, "nothing was asked before the user decided"
    standing = pull("world", trust_first_use=True, manifest=manifest, store=store)
    assert (standing.state, standing.pinned_by) == ("installed", "first_use")
    folder = find("world", manifest=manifest, store=store)
    assert not list(folder.rglob("*.bin"))
    assert not list(folder.rglob("*.py"))
    receipt = store.receipt("world")
    assert receipt is not None
    assert (receipt.revision, receipt.endpoint) == (COMMIT, hub.url)
    # What was taken once is what the machine expects from then on.
    (folder / BIG).write_bytes(_safetensors(3, seed=7))
    for check in (find, verify):
        with pytest.raises(WeightsError, match="damaged") as caught:
            check("world", manifest=manifest, store=store)
        assert BIG in caught.value.message


def test_what_a_machine_took_can_be_pinned_for_everybody(hub: Hub, store: Store, tmp_path: Path) -> None:
    pull("world", trust_first_use=True, manifest=_manifest(), store=store)
    pin = pin_of("world", manifest=_manifest(), store=store)
    head = (
        '[[weights]]\nname = "world"\ntitle = "t"\nrepository = "someone/world"\n'
        'license = "l"\ngigabytes = 1\npatterns = ["*"]\n'
    )
    (tmp_path / "manifest.toml").write_text(head + pin + "\n")
    pinned = load_manifest(tmp_path / "manifest.toml")
    assert pinned.weights[0].revision == COMMIT
    fresh = Store(tmp_path / "elsewhere")
    assert pull("world", manifest=pinned, store=fresh).pinned_by == "manifest"


def test_a_cut_connection_is_taken_up_where_it_broke(hub: Hub, store: Store) -> None:
    hub.cut[BIG] = 15 * MEGABYTE + 5
    pull("world", manifest=_pinned(hub), store=store)
    assert (find("world", manifest=_pinned(hub), store=store) / BIG).read_bytes() == hub.files[BIG]
    first, second = hub.ranges(BIG)
    assert first == ""
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= 15 * MEGABYTE + 5


def test_a_stopped_fetch_goes_on_in_the_next_call(hub: Hub, store: Store) -> None:
    def stop(file: str, done: int, total: int) -> None:
        if file == BIG and done >= total // 2:
            raise Cancelled("enough", reason="by_user")

    hub.slow = 0.0005
    manifest = _manifest()
    with pytest.raises(Cancelled):
        pull("world", trust_first_use=True, manifest=manifest, store=store, tell=stop)
    standing = standing_of(manifest.weights[0], store)
    assert standing.state == "partial"
    with pytest.raises(WeightsError, match="of it are here"):
        find("world", manifest=manifest, store=store)
    hub.slow = 0.0
    hub.asked.clear()
    pull("world", trust_first_use=True, manifest=manifest, store=store)
    (begun,) = hub.ranges(BIG)
    assert begun.startswith("bytes="), "the first half was not fetched again"
    verify("world", manifest=manifest, store=store)
    assert not store.partial("world").exists()


def test_a_killed_process_loses_nothing_of_what_it_fetched(hub: Hub, store: Store, tmp_path: Path) -> None:
    manifest = _pinned(hub)
    (tmp_path / "manifest.json").write_text(manifest.model_dump_json())
    code = (
        "import sys; from pathlib import Path; from worldgen.weights import Manifest, Store, pull\n"
        "m = Manifest.model_validate_json(Path(sys.argv[1]).read_text())\n"
        "pull('world', manifest=m, store=Store(Path(sys.argv[2])))\n"
    )
    hub.slow = 0.01
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "manifest.json"), str(store.root)])
    part = store.partial("world") / f"{BIG}.part"
    give_up = time.monotonic() + 30
    while not (part.is_file() and part.stat().st_size > 0):
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    had = part.stat().st_size
    hub.slow = 0.0
    hub.asked.clear()
    pull("world", manifest=manifest, store=store)
    assert hub.ranges(BIG) == [f"bytes={had}-"]
    verify("world", manifest=manifest, store=store)


def test_a_partial_file_that_went_bad_is_fetched_anew(hub: Hub, store: Store) -> None:
    part = store.partial("world") / f"{BIG}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"not the beginning of it")
    pull("world", manifest=_pinned(hub), store=store)
    assert hub.ranges(BIG) == ["bytes=23-", ""]
    verify("world", manifest=_pinned(hub), store=store)


@pytest.mark.parametrize("path", [BIG, "transformer/config.json"])
def test_a_file_with_another_digest_is_refused_and_deleted(hub: Hub, store: Store, path: str) -> None:
    content = bytearray(hub.files[path])
    content[-2] ^= 1
    hub.listed[path] = bytes(content)
    with pytest.raises(WeightsError) as caught:
        pull("world", trust_first_use=True, manifest=_manifest(), store=store)
    assert caught.value.code == "weights.damaged"
    assert path in caught.value.message
    assert not list(store.root.rglob(f"{Path(path).name}*")) or path not in {
        p.relative_to(store.partial("world")).as_posix() for p in store.partial("world").rglob("*")
    }
    assert standing_of(_entry(), store).state != "installed"


def test_a_mirror_with_other_files_than_the_pin_is_refused(hub: Hub, store: Store) -> None:
    manifest = _pinned(hub)
    hub.files[BIG] = _safetensors(24, seed=9)
    with pytest.raises(WeightsError, match="sha256"):
        pull("world", manifest=manifest, store=store)
    hub.files[BIG] = _safetensors(2)
    with pytest.raises(WeightsError, match="bytes there"):
        pull("world", manifest=manifest, store=store)


def test_a_moved_branch_does_not_mix_two_revisions(hub: Hub, store: Store) -> None:
    def stop(file: str, done: int, total: int) -> None:
        if file == BIG and done >= total // 2:
            raise Cancelled("enough", reason="by_user")

    manifest = _manifest()
    with pytest.raises(Cancelled):
        pull("world", trust_first_use=True, manifest=manifest, store=store, tell=stop)
    plan = json.loads((store.partial("world") / ".worldgen.json").read_text())
    assert plan["revision"] == COMMIT, "the commit was fixed before anything was fetched"
    pull("world", trust_first_use=True, manifest=manifest, store=store)
    asked = {p for m, p, _, _ in hub.asked if "/revision/" in p}
    assert asked == {
        "/api/models/someone/world/revision/main",
        f"/api/models/someone/world/revision/{COMMIT}",
    }


def test_a_newer_pin_outdates_what_is_here(hub: Hub, store: Store) -> None:
    pull("world", trust_first_use=True, manifest=_manifest(), store=store)
    hub.files[BIG] = _safetensors(3, seed=5)
    manifest = _pinned(hub)
    with pytest.raises(WeightsError) as caught:
        find("world", manifest=manifest, store=store)
    assert caught.value.code == "weights.changed"
    pull("world", manifest=manifest, store=store)
    assert (find("world", manifest=manifest, store=store) / BIG).read_bytes() == hub.files[BIG]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("token", ["", "hf_of_somebody_else"])
def test_a_gated_repository_says_which_licence_and_where(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch, status: int, token: str
) -> None:
    hub.gate = (status, "GatedRepo")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(WeightsError) as caught:
        pull("world", trust_first_use=True, manifest=_manifest(gated=True), store=store)
    assert caught.value.code == "weights.gated"
    assert "OpenMDW-1.1" in caught.value.message
    assert "https://example.org/licence" in caught.value.hint
    assert ("set HF_TOKEN" in caught.value.hint) == (not token)
    with pytest.raises(WeightsError) as caught:
        pull("world", manifest=_pinned(hub, gated=True), store=store)
    assert caught.value.code == "weights.gated"


def test_the_token_opens_the_gate_and_is_not_shown_to_others(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token)
    hub.gate = (403, "GatedRepo")
    with serving(Hub(hub.files)) as cdn:
        hub.cdn = cdn.url
        pull("world", trust_first_use=True, manifest=_manifest(gated=True), store=store)
        assert cdn.ranges(BIG) == [""]
        assert all(not authorization for _, _, _, authorization in cdn.asked)
    assert all(authorization == f"Bearer {hub.token}" for _, _, _, authorization in hub.asked)


def test_offline_means_that_nothing_is_asked(hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError) as caught:
        pull("world", manifest=_pinned(hub), store=store)
    assert caught.value.code == "weights.offline"
    assert not hub.asked


def test_only_pickles_are_refused(hub: Hub, store: Store) -> None:
    hub.files = {"vae/model.bin": b"\x80\x04.", "model_index.json": b"{}"}
    with pytest.raises(WeightsError) as caught:
        pull("world", trust_first_use=True, manifest=_manifest(), store=store)
    assert caught.value.code == "weights.refused_format"
    assert "vae/model.bin" in caught.value.message
    assert not any("/resolve/" in p for _, p, _, _ in hub.asked)


@pytest.mark.parametrize("path", ["../outside.json", "a/../../b.json", "/etc/x.json", "a\\..\\b.json"])
def test_a_listing_cannot_write_outside_its_folder(hub: Hub, store: Store, path: str) -> None:
    hub.files = {path: b"{}", "transformer/m.safetensors": _safetensors(0.1)}
    pull("world", trust_first_use=True, manifest=_manifest(patterns=("*",)), store=store)
    written = {p.relative_to(store.root).as_posix() for p in store.root.rglob("[!.]*") if p.is_file()}
    assert written == {"world.json", "world/transformer/m.safetensors"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"broken": 503}, "weights.unreachable"),
        ({"repository": "someone/else"}, "weights.not_found"),
        ({"commit": "f" * 40}, "weights.not_found"),
    ],
)
def test_failures_of_the_hub_in_our_words(hub: Hub, store: Store, changes: dict, code: str) -> None:
    manifest = _pinned(hub)
    for name, value in changes.items():
        setattr(hub, name, value)
    with pytest.raises(WeightsError) as caught:
        pull("world", manifest=manifest, store=store)
    assert caught.value.code == code


def test_nobody_answers(store: Store, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsError) as caught:
        pull("world", manifest=_pinned(hub), store=store)
    assert caught.value.code == "weights.unreachable"
    assert "run the same command again" in caught.value.hint


def test_too_little_room_is_said_before_anything_is_fetched(hub: Hub, store: Store) -> None:
    # Real weights of a size that no disk has, not a disk that is said to be small.
    (entry,) = _pinned(hub).weights
    vast = tuple(pin.model_copy(update={"size": 10**18}) for pin in entry.files)
    manifest = Manifest(weights=(entry.model_copy(update={"files": vast}),))
    with pytest.raises(WeightsError) as caught:
        pull("world", manifest=manifest, store=store)
    assert caught.value.code == "weights.disk_full"
    assert not any("/resolve/" in p for _, p, _, _ in hub.asked)


def test_removing_gives_the_space_back(hub: Hub, store: Store) -> None:
    manifest = _pinned(hub)
    pull("world", manifest=manifest, store=store)
    assert store.remove("world") >= sum(f.size for f in manifest.weights[0].files)
    assert standing_of(manifest.weights[0], store).state == "missing"
    assert [p.name for p in store.root.iterdir()] == [".world.lock"]


def test_a_signed_address_that_ran_out_is_renewed(hub: Hub, store: Store) -> None:
    with serving(Hub(hub.files, expires=True)) as cdn:
        hub.cdn = cdn.url
        cdn.cut[BIG] = 15 * MEGABYTE
        pull("world", manifest=_pinned(hub), store=store)
        first, refused, renewed = cdn.ranges(BIG)
    assert first == ""
    assert refused == renewed, "what was there was kept"
    verify("world", manifest=_pinned(hub), store=store)


def test_two_fetches_of_one_checkpoint_do_not_write_into_each_other(hub: Hub, store: Store) -> None:
    caught: list[WeightsError] = []

    def again(file: str, done: int, total: int) -> None:
        if not caught:
            with pytest.raises(WeightsError) as second:
                pull("world", manifest=_pinned(hub), store=store)
            caught.append(second.value)

    pull("world", manifest=_pinned(hub), store=store, tell=again)
    assert caught[0].code == "weights.busy"
    verify("world", manifest=_pinned(hub), store=store)
