"""Publishing under bad luck: killed at any point, raced by others, on a full disk. One result, whole, or none."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.situations_results import one_variant
from worldgen.catalog import Catalog
from worldgen.catalog.files import sha256_of, sweep
from worldgen.errors import OutputError
from worldgen.media.failpoint import VARIABLE

PUBLISH = """
import sys, time
from pathlib import Path
from worldgen.catalog import Catalog
from worldgen.datatypes import Source, Variant
folder = Path(sys.argv[1])
source = Source.model_validate_json((folder / "source.json").read_bytes())
variant = Variant.model_validate_json((folder / "variant.json").read_bytes())
while len(sys.argv) > 3 and not Path(sys.argv[3]).exists():
    time.sleep(0.0005)  # a loop that never sleeps starved whoever opens the gate, on two cores
published = Catalog(Path(sys.argv[2])).publish(variant, source)
print("new" if published.is_new else "old", flush=True)
"""

STAGES = (
    "source.before_rename",
    "source.after_rename",
    "publish.after_copy",
    "publish.after_files",
    "publish.before_rename",
    "publish.after_rename",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    source, variant = one_variant(folder)
    (folder / "source.json").write_text(source.model_dump_json())
    (folder / "variant.json").write_text(variant.model_dump_json())
    return folder, source, variant


def publish_elsewhere(made_folder: Path, out: Path, *more: str, die_at: str = "") -> subprocess.Popen[str]:
    """Publish in another process."""
    command = [sys.executable, "-c", PUBLISH, str(made_folder), str(out), *more]
    return subprocess.Popen(command, env={**os.environ, VARIABLE: die_at}, stdout=subprocess.PIPE, text=True)


def assert_whole(out: Path, variant) -> None:
    """Exactly one result, every file as it was written, nothing left over."""
    catalog = Catalog(out)
    assert [entry.id for entry in catalog.entries()] == [variant.id]
    assert catalog.damaged() == ()
    assert catalog.load(variant.id).verdict == variant.verdict
    assert len(list((out / "variants").iterdir())) == 1
    assert len(list((out / "sources").glob("*/source.mp4"))) == 1
    assert list((out / ".partial").iterdir()) == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_at_any_stage_loses_and_doubles_nothing(made, tmp_path, stage):
    folder, source, variant = made
    killed = publish_elsewhere(folder, tmp_path, die_at=stage)
    assert killed.wait(30) == -signal.SIGKILL, "the test must really die there"
    found = Catalog(tmp_path).find(variant.id)
    assert (found is not None) == (stage == "publish.after_rename")
    is_clean = stage.endswith("after_rename")
    assert bool(list((tmp_path / ".partial").iterdir())) != is_clean, "it left something behind to be swept"

    assert Catalog(tmp_path).publish(variant, source).is_new == (stage != "publish.after_rename")
    assert_whole(tmp_path, variant)


def test_kills_at_odd_moments_in_a_row_lose_and_double_nothing(made, tmp_path):
    folder, source, variant = made
    out = tmp_path / "out"
    for k, milliseconds in enumerate((0, 5, 15, 30, 60, 120)):
        go = tmp_path / f"go{k}"
        writer = publish_elsewhere(folder, out, str(go))
        time.sleep(0.7)
        go.touch()
        time.sleep(milliseconds / 1000)
        writer.kill()
        writer.wait(30)
        for entry in Catalog(out).entries():
            assert entry.id == variant.id
            assert Catalog(out).damaged() == (), "what can be found is whole"
    Catalog(out).publish(variant, source)
    assert_whole(out, variant)


def test_of_several_writers_exactly_one_wins(made, tmp_path):
    folder, _, variant = made
    go = tmp_path / "go"
    writers = [publish_elsewhere(folder, tmp_path / "out", str(go)) for _ in range(3)]
    time.sleep(1.0)
    go.touch()
    said = sorted(writer.communicate(timeout=60)[0].strip() for writer in writers)
    assert said == ["new", "old", "old"]
    assert_whole(tmp_path / "out", variant)


FULL = """
import resource, signal, sys
from pathlib import Path
from worldgen.catalog import Catalog
from worldgen.datatypes import Source, Variant
from worldgen.errors import OutputError
folder = Path(sys.argv[1])
source = Source.model_validate_json((folder / "source.json").read_bytes())
variant = Variant.model_validate_json((folder / "variant.json").read_bytes())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    Catalog(Path(sys.argv[2])).publish(variant, source)
except OutputError as error:
    print(error.code, error.exit_code)
"""


@pytest.mark.parametrize("limit", [100, 3000])
def test_a_file_that_cannot_grow_is_a_full_disk_and_leaves_nothing(made, tmp_path, limit):
    folder, source, variant = made
    command = [sys.executable, "-c", FULL, str(folder), str(tmp_path), str(limit)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert said.stdout.split() == ["output.disk_full", "2"], said.stderr
    assert Catalog(tmp_path).find(variant.id) is None
    assert not any(
        (tmp_path / name).exists() and list((tmp_path / name).iterdir()) for name in ("variants", ".partial")
    )
    assert Catalog(tmp_path).publish(variant, source).is_new, "space again: it resumes"
    assert_whole(tmp_path, variant)


@pytest.fixture
def tiny_disk(tmp_path):
    """A real file system of 64 KiB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this user cannot mount a tmpfs; the file size limit above tries the same")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_really_full_disk(made, tiny_disk, tmp_path):
    _, source, variant = made
    (tiny_disk / "ballast").write_bytes(bytes(40_000))
    with pytest.raises(OutputError) as caught:
        Catalog(tiny_disk / "out").publish(variant, source)
    assert caught.value.code == "output.disk_full"
    left = {p.name for p in (tiny_disk / "out").rglob("*") if p.is_file()}
    assert left <= {"catalog.json", "source.json", "source.mp4"}, "whole files or none"
    kept = Catalog(tiny_disk / "out").source_video(source.sha256)
    assert kept is None or sha256_of(kept) == source.sha256
    (tiny_disk / "ballast").unlink()
    assert Catalog(tiny_disk / "out").publish(variant, source).is_new
    assert_whole(tiny_disk / "out", variant)


def test_a_folder_that_may_not_be_written_is_said(made, tmp_path):
    _, source, variant = made
    if os.geteuid() == 0:
        frozen = Path("/sys/worldgen-out")  # even root cannot make files there
    else:
        frozen = tmp_path / "frozen" / "out"
        frozen.parent.mkdir(mode=0o555)
    with pytest.raises(OutputError):
        Catalog(frozen).publish(variant, source)


def test_sweeping_keeps_what_a_living_process_writes(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    from worldgen.catalog.files import _host

    names = {
        "dead": f"{_host()}-{dead.pid}-aa-00000000",
        "alive": f"{_host()}-{os.getpid()}-bb-00000000",
        "elsewhere": "ffffffff-1-cc-00000000",
        "old": "ffffffff-2-dd-00000000",
    }
    for name in names.values():
        (tmp_path / name).mkdir()
    long_ago = time.time() - 3700
    os.utime(tmp_path / names["old"], (long_ago, long_ago))
    assert sweep(tmp_path) == 2
    assert {p.name for p in tmp_path.iterdir()} == {names["alive"], names["elsewhere"]}
