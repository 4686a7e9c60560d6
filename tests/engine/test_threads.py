"""Threads of the host: said, used, and put back."""

import os
import threading
from pathlib import Path

import pytest
import torch

from tests.situations_cosmos3 import Situation
from worldgen.errors import ConfigError
from worldgen.models.engine.threads import computing_with, physical_cores, threads_for

ALLOWED = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def test_what_torch_was_given_is_the_most_that_is_taken_unasked() -> None:
    with computing_with(1):
        assert threads_for(0) == 1
    with computing_with(4 * ALLOWED):
        assert threads_for(0) == physical_cores() <= ALLOWED
    assert threads_for(ALLOWED) == ALLOWED


@pytest.mark.parametrize("asked", [-1, ALLOWED + 1])
def test_what_this_process_may_not_use_is_refused(asked: int) -> None:
    with pytest.raises(ConfigError, match=f"1 to {ALLOWED}"):
        threads_for(asked)


@pytest.mark.usefixtures("installed")
@pytest.mark.skipif(ALLOWED < 2, reason="one processor alone")
def test_a_generation_computes_with_what_was_asked_and_leaves_torch_as_it_was(tmp_path: Path) -> None:
    situation = Situation(tmp_path, threads=2, steps=1)
    running = situation.model.generate(situation.plan(), threading.Event())
    next(running)
    assert torch.get_num_threads() == 2
    last = list(running)[-1]
    assert torch.get_num_threads() == 1
    assert last.rendered["threads"] == 2  # type: ignore[union-attr]  # a candidate
