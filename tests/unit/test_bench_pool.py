import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from worldgen.bench.pool import finished
from worldgen.errors import WorldgenError


def test_results_come_with_their_names() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(abs, -i): f"piece {i}" for i in range(3)}
        assert dict(finished(waiting)) == {"piece 0": 0, "piece 1": 1, "piece 2": 2}


def test_a_process_that_dies_is_told_in_words() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(os._exit, 1): "scene 7"}
        with pytest.raises(WorldgenError, match="died at scene 7") as told:
            dict(finished(waiting))
    assert "run again" in told.value.hint
