"""The contract of world models, kept by every implementation without exception."""

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.situations_cosmos3 import install
from tests.situations_physics import street
from worldgen.datatypes import (
    Candidate,
    Clip,
    Condition,
    ControlMap,
    GenerationPlan,
    Material,
    Progress,
    Source,
    Spec,
)
from worldgen.errors import Cancelled, ContractError, GenerationError, SpecError
from worldgen.media.scratch import Scratch
from worldgen.media.video import read_clip, sha256_of
from worldgen.models.build import build_model, profile_of, profiles
from worldgen.models.protocol import WorldModel
from worldgen.planning import plan_generation

NAMES = ("physics", "fake", "cosmos3-nano")
SAME_CODE = {"cosmos3-super": "cosmos3-nano", "cosmos3-embedded": "cosmos3-nano"}
"""Models that differ from another in their configuration alone."""
DIFFUSION = ("cosmos3-nano", "cosmos3-super")
QUICK = {n: {"tier": 256, "steps": 4, "device": "cpu", "dtype": "float32"} for n in DIFFUSION}
"""Settings that let a model with tiny weights run in a second."""
SPECS = {
    "fog": Spec(seed=3, fog_mor_m=80),
    "rain at night": Spec(seed=3, rain_mm_h=20, wetness=0.8, lens_drops=0.3, sun_elevation_deg=-20),
    "snow": Spec(seed=3, snow_mm_h=2, snow_cover=0.7),
}


@dataclass(frozen=True)
class Bench:
    """A world model over a scratch store that holds one small clip."""

    model: WorldModel
    scratch: Scratch
    clip: Clip
    material: Material

    def plan(self, spec: Spec = SPECS["fog"], *, seed: int | None = None) -> GenerationPlan:
        source = Source(
            kind="video",
            uri="street.mp4",
            sha256="0" * 64,
            video=self.material.video,
            frames=len(self.clip),
            width=self.clip.size[0],
            height=self.clip.size[1],
            fps=self.clip.fps,
        )
        plan = plan_generation(source, self.material, spec, self.model.profile, variant_id="v" * 32)
        return plan if seed is None else plan.model_copy(update={"seed": seed})

    def events(self, plan: GenerationPlan) -> list[Progress | Candidate]:
        return list(self.model.generate(plan, threading.Event()))

    def candidate(self, plan: GenerationPlan) -> Candidate:
        last = self.events(plan)[-1]
        assert isinstance(last, Candidate)
        return last

    def left_behind(self) -> set[str]:
        return {p.name for p in self.scratch.root.rglob("*") if p.is_file() and "candidate" in p.name}


def make_bench(name: str, root: Path, *, even: bool = True) -> Bench:
    clip, geometry = street(frames=5, size=(96, 54))
    if not even:
        times = np.array([0.0, 0.1, 0.25, 0.3, 0.5])
        clip = Clip(frames=clip.frames, timestamps_seconds=times, fps=clip.fps)
    scratch = Scratch(root / name)
    lines = np.where(np.abs(np.diff(clip.frames.astype(int), axis=2, append=0)) > 12, 255, 0)
    edges = ControlMap(kind="edge", frames=lines.astype(np.uint8), origin="simulator")
    material = Material(
        video=scratch.put_clip(clip),
        geometry=scratch.put_geometry(geometry),
        controls=(scratch.put_control(edges, fps=clip.fps),),
        condition=Condition(),
        recipe="by hand",
    )
    return Bench(build_model(name, scratch, QUICK.get(name)), scratch, clip, material)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny weights, where the production path looks for them, in the production layout."""
    torch.set_num_threads(1)  # Threads that wait for a busy machine's cores cost seconds per picture.
    root = tmp_path_factory.mktemp("weights")
    install(root, *DIFFUSION)
    return root


@pytest.fixture(autouse=True)
def _weights(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDGEN_WEIGHTS", str(weights))


@pytest.fixture(params=NAMES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return make_bench(request.param, tmp_path)


def test_every_model_is_under_this_contract() -> None:
    assert {p.name for p in profiles()} == set(NAMES) | set(SAME_CODE)


@pytest.mark.parametrize(("name", "other"), SAME_CODE.items())
def test_models_of_one_code_differ_in_configuration_alone(name: str, other: str, tmp_path: Path) -> None:
    one, two = (build_model(n, Scratch(tmp_path / n), QUICK.get(n)) for n in (name, other))
    assert type(one) is type(two)
    assert one.profile != two.profile


def test_the_profile_is_read_without_building(bench: Bench) -> None:
    profile = bench.model.profile
    assert profile_of(profile.name, QUICK.get(profile.name)) == profile
    assert profile.revision
    assert profile.title
    assert profile.needs
    unknown = profile.makes - set(Spec.model_fields)
    assert not unknown, f"{profile.name} claims fields that no spec has: {unknown}"


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ContractError, match="physics") as refused:
        profile_of("cosmos9")
    assert refused.value.reason == "unknown_model"


def test_progress_is_counted_and_ends_in_one_candidate(bench: Bench) -> None:
    events = bench.events(bench.plan())
    progress = [e for e in events if isinstance(e, Progress)]
    assert [type(e) for e in events].count(Candidate) == 1
    assert isinstance(events[-1], Candidate)
    assert [p.step for p in progress] == list(range(1, progress[0].steps + 1))
    assert {p.steps for p in progress} == {len(progress)}
    assert all(0 <= p.chunk < p.chunks for p in progress)
    assert all(p.seconds_left is None or p.seconds_left >= 0 for p in progress)


def test_the_file_has_the_sources_frames_size_and_rate(bench: Bench) -> None:
    plan = bench.plan()
    candidate = bench.candidate(plan)
    video = candidate.video
    assert (video.frames, video.width, video.height) == (len(bench.clip), *bench.clip.size)
    assert video.fps == pytest.approx(bench.clip.fps)
    assert sha256_of(Path(video.uri)) == video.sha256
    decoded = read_clip(Path(video.uri), trusted=True)
    assert decoded.frames.shape == bench.clip.frames.shape
    assert decoded.timestamps_seconds == pytest.approx(bench.clip.timestamps_seconds, abs=1e-3)
    assert (candidate.variant_id, candidate.attempt_id) == (plan.variant_id, plan.attempt_id)


@pytest.mark.parametrize("name", NAMES)
def test_a_variable_rate_is_kept(name: str, tmp_path: Path) -> None:
    bench = make_bench(name, tmp_path, even=False)
    decoded = read_clip(Path(bench.candidate(bench.plan()).video.uri), trusted=True)
    assert decoded.timestamps_seconds == pytest.approx(bench.clip.timestamps_seconds, abs=2e-3)


@pytest.mark.parametrize("spec", SPECS.values(), ids=list(SPECS))
def test_the_same_plan_gives_the_same_bytes(bench: Bench, spec: Spec, tmp_path: Path) -> None:
    again = make_bench(bench.model.profile.name, tmp_path / "again")
    first, second = bench.candidate(bench.plan(spec)), again.candidate(again.plan(spec))
    assert first.video.sha256 == second.video.sha256
    assert bench.candidate(bench.plan(spec)).video.sha256 == first.video.sha256


def test_another_seed_gives_other_frames(bench: Bench) -> None:
    spec = SPECS["rain at night"]
    one, other = (bench.candidate(bench.plan(spec, seed=s)).video.sha256 for s in (1, 2))
    assert one != other


def test_what_is_rendered_is_told_in_finite_numbers(bench: Bench) -> None:
    candidate = bench.candidate(bench.plan())
    assert candidate.rendered
    assert all(np.isfinite(v) for v in candidate.rendered.values() if isinstance(v, float))
    assert candidate.seconds
    assert all(v >= 0 for v in candidate.seconds.values())


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_stop_is_heeded_within_one_step_and_leaves_no_file(bench: Bench, steps: int) -> None:
    stop = threading.Event()
    before = bench.left_behind()
    stream = bench.model.generate(bench.plan(), stop)
    for _ in range(steps):
        assert isinstance(next(stream), Progress)
    stop.set()
    with pytest.raises(Cancelled):
        next(stream)
    assert next(stream, None) is None, "events after cancel"
    assert bench.left_behind() == before


def test_a_stream_that_is_closed_leaves_no_file(bench: Bench) -> None:
    before = bench.left_behind()
    stream = bench.model.generate(bench.plan(), threading.Event())
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # implementations are generators
    assert bench.left_behind() == before


def test_a_plan_without_what_the_model_needs_is_refused(bench: Bench) -> None:
    empty = {
        "rgb": {"source": None},
        "geometry": {"geometry": None},
        "controls": {"controls": ()},
    }
    for need in bench.model.profile.needs:
        plan = bench.plan().model_copy(update=empty[need])
        with pytest.raises(GenerationError) as refused:
            bench.events(plan)
        assert refused.value.reason == "unavailable"


def test_physics_takes_nothing_away(tmp_path: Path) -> None:
    bench = make_bench("physics", tmp_path)
    material = bench.material.model_copy(update={"condition": Condition(label="wet", is_wet=True)})
    wet = Bench(bench.model, bench.scratch, bench.clip, material)
    with pytest.raises(SpecError) as refused:
        wet.plan(Spec(seed=1, wetness=0.0))
    assert refused.value.reason == "unsupported"
