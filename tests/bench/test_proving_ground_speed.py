"""How long the proving ground takes; prints figures, asserts none in seconds."""

import os
import time

import pytest

from worldgen.datatypes import Spec
from worldgen.sources.proving_ground import render_drive

SPECS = {
    "own": None,
    "fog": Spec(seed=1, fog_mor_m=80),
    "rain": Spec(seed=1, rain_mm_h=20, wetness=0.8),
    "snow": Spec(seed=1, snow_mm_h=3, snow_cover=0.8),
    "night": Spec(seed=1, sun_elevation_deg=-25),
}
SEEDS = tuple(range(8))


@pytest.mark.bench
@pytest.mark.parametrize("name", SPECS)
def test_seconds_for_17_frames_at_256x144(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    render_drive(0, frames=1, spec=SPECS[name])
    seconds = []
    for seed in SEEDS:
        start = time.process_time()
        drive = render_drive(seed, spec=SPECS[name])
        seconds.append(time.process_time() - start)
        assert len(drive.clip) == 17
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    with capsys.disabled():
        ordered = sorted(seconds)
        print(
            f"\nproving ground, {name}: 17 frames at 256x144 in {ordered[len(ordered) // 2]:.2f} s of one core "
            f"(median of {len(SEEDS)} seeds, worst {ordered[-1]:.2f} s; OMP_NUM_THREADS {threads})"
        )
