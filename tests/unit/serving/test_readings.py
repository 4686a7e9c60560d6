"""What replicas measure: told by several, gone with who told it, and absent where there is nothing to measure."""

import time

import pytest
import sqlalchemy as sa

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from serving.gpu_memory import NAME, GpuReporter, gpu_memory
from serving.store.readings import FRESH_SECONDS, Reading, Readings
from tests.situations_http import running


def memory(device, used):
    return (
        Reading(name=NAME, labels={"device": device, "kind": "used"}, value=used),
        Reading(name=NAME, labels={"device": device, "kind": "total"}, value=80e9),
    )


def test_readings_are_replaced_shared_and_forgotten(database):
    readings = Readings(database)
    readings.tell("a", memory("GPU-1", 5e9))
    readings.tell("a", memory("GPU-1", 7e9))
    readings.tell("b", memory("GPU-1", 6e9))
    readings.tell("c", memory("GPU-2", 1e9))
    used = {r.labels["device"]: r.value for r in readings.read() if r.labels["kind"] == "used"}
    assert used == {"GPU-1": 7e9, "GPU-2": 1e9}
    with database.write() as connection:
        old = {"at": time.time() - FRESH_SECONDS - 5}
        connection.execute(sa.text("UPDATE worldgen_readings SET at = :at WHERE process = 'c'"), old)
    assert {r.labels["device"] for r in readings.read()} == {"GPU-1"}
    readings.tell("b", ())
    with database.read() as connection:
        assert set(connection.exec_driver_sql("SELECT process FROM worldgen_readings").scalars()) == {"a"}


def test_prometheus_reads_them(tmp_path):
    with running(tmp_path / "runs", works=False) as service:
        assert NAME not in service.http.get("/metrics").text, "nothing is told of a GPU that is not there"
        Readings(service.backend.database).tell("a", memory("GPU-1", 5e9))
        text = service.http.get("/metrics").text
        assert f'{NAME}{{device="GPU-1",kind="used"}} 5e+09' in text
        assert f"# TYPE {NAME} gauge" in text


def test_without_a_gpu_nothing_is_measured_and_no_database_is_opened(tmp_path):
    torch = pytest.importorskip("torch", reason="the models extra is not installed")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert gpu_memory() == ()
    reporter = GpuReporter(f"sqlite:///{tmp_path}/none/service.db", seconds=60)
    reporter.tell()
    reporter.close()
    assert not (tmp_path / "none").exists()


@pytest.mark.gpu
def test_a_gpu_is_measured(tmp_path):
    torch = pytest.importorskip("torch", reason="the models extra is not installed")
    held = torch.zeros(64 << 20, dtype=torch.uint8, device="cuda")
    found = {(r.labels["device"], r.labels["kind"]): r.value for r in gpu_memory()}
    device = next(iter(found))[0]
    assert held.numel() <= found[device, "used"] <= found[device, "total"]
