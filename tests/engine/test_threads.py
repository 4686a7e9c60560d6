"""Threads of the host: said, used, and put back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


_TWO = """
import sys, threading
from pathlib import Path
import torch
from tests.situations_cosmos3 import Situation
torch.set_num_threads(1)
situation = Situation(Path(sys.argv[1]), threads=2, steps=1)
running = situation.model.generate(situation.plan(), threading.Event())
next(running)
inside = torch.get_num_threads()
last = list(running)[-1]
print("threads", inside, torch.get_num_threads(), last.rendered["threads"])
"""


@pytest.mark.usefixtures("installed")
@pytest.mark.skipif(ALLOWED < 2, reason="one processor alone")
def test_a_generation_computes_with_what_was_asked_and_leaves_torch_as_it_was(tmp_path: Path) -> None:
    """In a process of its own: torch keeps a pool of threads once it has started one, and others would have it."""
    words = [sys.executable, "-c", _TWO, str(tmp_path)]
    root = Path(__file__).parents[2]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=300, cwd=root, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "threads 2 1 2.0" in ended.stdout
