"""The service beside the bare loop; prints the figures of `worldgen bench serve`, asserts none in seconds."""

import math

import pytest

pytest.importorskip("ray", reason="the serve extra is not installed")

from serving.bench.serve import measure


def _show(name: str, figures: dict[str, dict[str, object]], samples: str) -> None:
    print(f"\n{name}: {samples}")
    for figure, row in figures.items():
        print(f"  {figure}: {row['value']:.4g} {row['unit']} (goal {row['goal']})")


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_beside_the_bare_loop(capsys: pytest.CaptureFixture[str]) -> None:
    figures, samples, _ = measure(full=False)
    with capsys.disabled():
        _show("serve", figures, samples)
    # A ratio of one run; who works on a machine that others use reads the figure, not this bound.
    assert figures["service_efficiency"]["value"] >= 0.7
    assert figures["service_efficiency_under_status_load"]["value"] > 0
    assert figures["status_not_answered"]["value"] == 0
    assert figures["jobs_not_completed"]["value"] == 0
    assert figures["accepted_clips_per_hour"]["value"] > 0
    for name in ("status_p99_ms", "submit_p99_ms", "first_variant_seconds", "latency_p99_seconds"):
        assert math.isfinite(figures[name]["value"])
        assert figures[name]["value"] > 0
    assert figures["service_efficiency"]["value"] == pytest.approx(
        figures["loop_seconds"]["value"] / figures["service_seconds"]["value"], rel=0.2
    )


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_short_soak(capsys: pytest.CaptureFixture[str]) -> None:
    figures, samples, series = measure(full=False, soak_minutes=1.0, max_concurrency=2)
    with capsys.disabled():
        _show("soak", figures, samples)
    assert figures["errors"]["value"] == 0
    assert figures["jobs_completed"]["value"] > 0
    assert figures["jobs_not_completed"]["value"] == 0
    assert figures["files_downloaded"]["value"] > 0
    memory = series["memory"]
    assert len(memory["seconds"]) >= 10
    assert {"worldgen", "raylet"} <= memory["resident_mb"].keys()
    replicas = [name for name in memory["resident_mb"] if name.startswith("ServeReplica:worldgen:")]
    assert len(replicas) == 4
    assert all(len(held) == len(memory["seconds"]) for held in memory["resident_mb"].values())
