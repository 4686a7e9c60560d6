"""The parts of the service's bench: arrivals, percentiles, the open loop, memory, and its options."""

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from serving.bench.arrivals import poisson, regular
from serving.bench.latency import Latencies
from serving.bench.load import get, loading, send_all
from serving.bench.memory import Memory, growth_percent, remembering
from serving.bench.options import options_of
from serving.bench.processes import by_name, processes_under, processor_seconds
from worldgen.errors import ConfigError


class _Slow(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seconds = 0.0

    def do_GET(self) -> None:
        time.sleep(self.seconds)
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        pass


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def slow() -> Iterator[tuple[str, type[_Slow]]]:
    kind = type("Slow", (_Slow,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", kind
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TestArrivals:
    def test_poisson_has_the_rate_and_its_spread(self) -> None:
        moments = np.array(list(islice(poisson(4.0, seed=1), 4000)))
        gaps = np.diff(moments, prepend=0.0)
        assert (gaps > 0).all()
        assert gaps.mean() == pytest.approx(0.25, rel=0.05)
        # What tells an exponential gap from a regular one: it is as wide as it is long.
        assert gaps.std() == pytest.approx(gaps.mean(), rel=0.1)

    def test_poisson_is_the_same_for_the_same_seed(self) -> None:
        assert list(islice(poisson(2.0, seed=3), 9)) == list(islice(poisson(2.0, seed=3), 9))
        assert list(islice(poisson(2.0, seed=3), 9)) != list(islice(poisson(2.0, seed=4), 9))

    def test_an_infinite_rate_is_all_at_once(self) -> None:
        assert list(islice(poisson(math.inf, seed=1), 5)) == [0.0] * 5

    def test_regular(self) -> None:
        assert list(islice(regular(50.0), 4)) == pytest.approx([0.0, 0.02, 0.04, 0.06])


class TestLatencies:
    def test_percentiles_lie_between_two_requests(self) -> None:
        found = Latencies(tuple(float(n) for n in range(101)))
        assert [found.percentile(p) for p in (0, 50, 99, 100)] == [0.0, 50.0, 99.0, 100.0]
        assert Latencies((1.0, 2.0)).percentile(50) == 1.5

    def test_nothing_is_not_a_number(self) -> None:
        assert math.isnan(Latencies(()).percentile(99))
        assert math.isnan(Latencies(()).mean)


class TestOpenLoop:
    def test_every_request_is_sent_and_counted(self, slow: tuple[str, type[_Slow]]) -> None:
        url, _ = slow
        load = send_all(url, islice(regular(100.0), 20), get("/"))
        assert (len(load.waited), load.refused, load.broken) == (20, 0, 0)
        assert len(load.late) == 20

    def test_waiting_for_a_free_connection_counts(self, slow: tuple[str, type[_Slow]]) -> None:
        url, kind = slow
        kind.seconds = 0.1
        # Ten requests at once over one connection: the last one waits for nine others.
        load = send_all(url, islice(poisson(math.inf, seed=1), 10), get("/"), connections=1)
        assert max(load.waited) > 0.9
        assert sorted(load.waited) == load.waited
        assert max(load.late) > 0.8

    def test_what_is_refused_is_no_latency(self, slow: tuple[str, type[_Slow]]) -> None:
        url, _ = slow
        load = send_all(url, islice(regular(100.0), 3), get("/broken"))
        assert (len(load.waited), load.refused, load.broken) == (0, 3, 0)

    def test_nobody_there_is_broken_and_does_not_end_the_load(self) -> None:
        load = send_all("http://127.0.0.1:9", islice(regular(100.0), 3), get("/"))
        assert (len(load.waited), load.refused, load.broken) == (0, 0, 3)

    def test_it_ends_with_its_block(self, slow: tuple[str, type[_Slow]]) -> None:
        url, _ = slow
        with loading(url, regular(20.0), get("/"), connections=2) as load:
            _until(lambda: len(load.waited) >= 2)
        sent = len(load.waited)
        time.sleep(0.2)
        assert len(load.waited) == sent


class TestMemory:
    def test_growth_leaves_the_warm_up_out(self) -> None:
        seconds = [float(n) for n in range(100)]
        filled = [min(n, 20) * 10.0 + 100.0 for n in range(100)]
        assert growth_percent(seconds, filled) == 0.0
        leaking = [100.0 + n for n in range(100)]
        assert growth_percent(seconds, leaking) == pytest.approx(100.0 * (192.0 / 132.0 - 1.0), rel=0.02)

    def test_the_warm_up_is_at_most_ten_minutes(self) -> None:
        seconds = [60.0 * n for n in range(121)]
        # Two hours, of which the second quarter of an hour grows: that is no warm-up any more.
        held = [100.0 + 10.0 * min(max(n - 15, 0), 15) for n in range(121)]
        assert growth_percent(seconds, held) > 50.0

    @pytest.mark.parametrize("held", [[], [1.0], [0.0, 0.0, 0.0]])
    def test_too_little_says_nothing(self, held: list[float]) -> None:
        assert math.isnan(growth_percent([float(n) for n in range(len(held))], held))

    def test_a_process_that_came_later_was_nothing_before(self) -> None:
        memory = Memory(seconds=[0.0, 5.0], resident=[{"a": 1_000_000}, {"a": 1_000_000, "b": 2_500_000}])
        assert memory.names == ("a", "b")
        assert memory.series("b") == (0, 2_500_000)
        assert memory.series() == (1_000_000, 3_500_000)
        assert memory.table() == {
            "seconds": [0.0, 5.0],
            "resident_mb": {"a": [1.0, 1.0], "b": [0.0, 2.5]},
        }


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc")
class TestProcesses:
    def test_a_child_is_found_with_its_memory_and_time(self) -> None:
        code = "import time; held = bytearray(64 << 20); print('up', flush=True); time.sleep(60)"
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            try:
                assert child.stdout is not None
                child.stdout.readline()
                found = {process.pid: process for process in processes_under(os.getpid())}
                assert found[child.pid].rss_bytes > 64 << 20
                assert processor_seconds(os.getpid()) >= processor_seconds(child.pid) > 0
                assert sum(by_name(tuple(found.values())).values()) == sum(
                    p.rss_bytes for p in found.values()
                )
                with remembering(child.pid, every=0.05) as memory:
                    _until(lambda: len(memory.seconds) >= 2)
                assert len(memory.seconds) == len(memory.resident) >= 2
                assert min(memory.series()) > 64 << 20
            finally:
                child.kill()


class TestOptions:
    def test_what_is_not_given_has_its_default(self) -> None:
        found = options_of({"dataset": None, "max_concurrency": 2})
        assert (found.dataset, found.max_concurrency, found.model) == ("random", 2, "physics")
        assert math.isinf(found.request_rate)

    @pytest.mark.parametrize(
        "wrong",
        [{"dataset": "cityscapes"}, {"request_rate": 0.0}, {"max_concurrency": 0}, {"soak_minutes": -1}],
    )
    def test_what_is_wrong_is_said(self, wrong: dict[str, object]) -> None:
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            options_of(wrong)
