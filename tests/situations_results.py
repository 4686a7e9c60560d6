"""Named situations of results: small real clips, encoded, with labels, verdicts and provenance."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from worldgen.datatypes import (
    Box2d,
    Camera,
    Candidate,
    Claims,
    Condition,
    Failure,
    Finding,
    Fit,
    FrameLabels,
    GenerationPlan,
    IgnoreRegion,
    Labels,
    ObjectLabel,
    Place,
    Provenance,
    Source,
    Spec,
    Variant,
    Verdict,
    VideoRef,
    Visibility,
    digest,
)

FPS = 12.0
CELL = 12
"""Side of one cell of the frame counter that every frame carries at its upper left: 8 bits, high first."""


@dataclass(frozen=True)
class Drive:
    """Frames of a straight road with two cars and a pedestrian, and where these are."""

    frames: np.ndarray
    depth_m: np.ndarray
    boxes: tuple[dict[int, tuple[str, Box2d, float]], ...]


def drive(frames: int = 36, width: int = 640, height: int = 360) -> Drive:
    """Draw a drive: the counter in the corner makes every decoded frame recognisable."""
    rng = np.random.default_rng(5)
    horizon = int(height * 0.45)
    rows = np.arange(height)[:, None]
    depth = np.where(rows > horizon, 1.5 * width * 0.9 / np.maximum(rows - horizon, 1), 200.0)
    depth = np.minimum(np.broadcast_to(depth, (height, width)), 200.0).astype(np.float32)
    texture = rng.normal(0, 3, (height, width, 1))
    skyline = [(int(x), int(rng.integers(30, 95)), int(rng.integers(90, 170))) for x in range(0, width, 58)]
    pictures, places = [], []
    for i in range(frames):
        sky = np.array([168, 196, 226]) * (1 - 0.25 * (rows[..., None] / height))
        picture = np.broadcast_to(sky, (height, width, 3)).copy()
        for x, tall, tone in skyline:
            left = int(width / 2 + (x - width / 2) * (1 + 0.006 * i))
            cv2.rectangle(
                picture, (left, horizon - tall), (left + 52, horizon + 4), (tone, tone - 8, tone - 20), -1
            )
            for k in range(4):
                for w in range(2):
                    corner = (left + 8 + 14 * k, horizon - tall + 12 + 22 * w)
                    cv2.rectangle(picture, corner, (corner[0] + 6, corner[1] + 10), (70, 84, 100), -1)
        picture[horizon:] = (98, 122, 84)
        middle = width / 2
        road = np.array(
            [[middle - 12, horizon], [middle + 12, horizon], [width * 0.98, height], [width * 0.02, height]]
        )
        cv2.fillPoly(picture, [road.astype(np.int32)], (92, 92, 96))
        for k in range(9):
            z = 4.0 + ((k * 7 - i * 0.9) % 63)
            top, bottom = horizon + 520 / z / 1.12, horizon + 520 / z
            if bottom < height + 60:
                half = 26 / z
                line = np.array(
                    [
                        [middle - half, top],
                        [middle + half, top],
                        [middle + half * 1.2, bottom],
                        [middle - half * 1.2, bottom],
                    ]
                )
                cv2.fillPoly(picture, [line.astype(np.int32)], (226, 226, 214))
        here = {}
        for number, kind, z0, speed, offset, size, colour in (
            (3, "truck", 70.0, -0.25, 3.2, (2.6, 3.4), (206, 208, 212)),
            (1, "car", 26.0, -0.12, -2.4, (1.9, 1.5), (168, 38, 34)),
            (2, "pedestrian", 15.0, -0.06, 5.4, (0.7, 1.75), (44, 52, 92)),
        ):
            z = z0 + speed * i
            scale = width * 0.9 / z
            x, ground = middle + offset * scale, horizon + 1.5 * scale
            box = Box2d(
                left=x - size[0] * scale / 2,
                top=ground - size[1] * scale,
                right=x + size[0] * scale / 2,
                bottom=ground,
            )
            corners = [int(v) for v in (box.left, box.top, box.right, box.bottom)]
            cv2.rectangle(picture, corners[:2], corners[2:], colour, -1)
            cv2.rectangle(
                picture,
                (corners[0] + 2, int(box.top + box.height * 0.12)),
                (corners[2] - 2, int(box.top + box.height * 0.4)),
                (36, 42, 50),
                -1,
            )
            here[number] = (kind, box, z)
        picture = np.clip(picture + texture, 0, 255).astype(np.uint8)
        pictures.append(picture)
        places.append(here)
    return Drive(frames=np.stack(pictures), depth_m=depth, boxes=tuple(places))


def with_counter(frames: np.ndarray) -> np.ndarray:
    """Write each frame's number into its upper left corner, high bit first, white for one."""
    frames = frames.copy()
    for i, frame in enumerate(frames):
        for bit in range(8):
            frame[:CELL, bit * CELL : (bit + 1) * CELL] = 235 if i >> (7 - bit) & 1 else 20
    return frames


def fogged(scene: Drive, mor_m: float) -> np.ndarray:
    """Koschmieder's law with the scene's own depth."""
    share = np.exp(-2.996 / mor_m * scene.depth_m)[None, :, :, None]
    return (scene.frames * share + 205 * (1 - share)).astype(np.uint8)


def darkened(scene: Drive, stops: float) -> np.ndarray:
    """Fewer photons in linear light, with noise."""
    linear = (scene.frames / 255.0) ** 2.2 * 2.0**-stops
    noise = np.random.default_rng(1).normal(0, 0.004, scene.frames.shape[1:3])[None, :, :, None]
    return (np.clip(linear + noise, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def rained(scene: Drive) -> np.ndarray:
    """Streaks, and less contrast."""
    rng = np.random.default_rng(2)
    frames = (scene.frames * 0.72 + 34).astype(np.uint8)
    for frame in frames:
        for x, y in rng.integers((0, 0), (frame.shape[1], frame.shape[0]), (130, 2)):
            cv2.line(frame, (int(x), int(y)), (int(x) + 2, int(y) + 16), (196, 200, 204), 1)
    return frames


def encode(path: Path, frames: np.ndarray, *, codec: str = "libx264", pix_fmt: str = "yuv420p") -> VideoRef:
    """Encode frames and say what is in the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=int(FPS), options={"preset": "veryfast", "crf": "16"})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], pix_fmt
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    return VideoRef(
        uri=str(path),
        sha256=hashlib.sha256(content).hexdigest(),
        frames=len(frames),
        width=frames.shape[2],
        height=frames.shape[1],
        fps=FPS,
        size_bytes=len(content),
    )


def source_of(video: VideoRef, name: str = "") -> Source:
    """A plain video source."""
    return Source(
        kind="video",
        uri=name or video.uri,
        sha256=video.sha256,
        video=video,
        frames=video.frames,
        width=video.width,
        height=video.height,
        fps=video.fps,
        license="CC0-1.0",
    )


def labels_of(scene: Drive, *, gone_after_m: float = 1e9, ignore_lens: bool = False) -> Labels:
    """Boxes of a drive; what is farther than `gone_after_m` cannot be seen, what is near it is degraded."""
    frames = []
    for i, here in enumerate(scene.boxes):
        objects = []
        for number, (kind, box, z) in here.items():
            state = "not_visible" if z > gone_after_m else "degraded" if z > gone_after_m * 0.6 else "clear"
            seen = Visibility(predicted=state, measured=state, transmission=float(np.exp(-z / gone_after_m)))
            objects.append(
                ObjectLabel(
                    id=number,
                    category=kind,
                    box2d=box,
                    origin="simulator",
                    range_m=z,
                    pixels_high=box.height,
                    visibility=seen,
                    use="ignore" if state == "not_visible" else "train",
                    reason="beyond_visibility" if state == "not_visible" else None,
                )
            )
        drop = IgnoreRegion(reason="lens_drop", box2d=Box2d(left=450, top=90, right=490, bottom=130))
        frames.append(
            FrameLabels(
                frame=i,
                objects=tuple(objects),
                ignore=(drop,) if ignore_lens else (),
                claims=Claims(lanes="degraded") if gone_after_m < 1e9 else Claims(),
            )
        )
    height, width = scene.frames.shape[1:3]
    return Labels(width=width, height=height, frames=tuple(frames), geometry_origin="simulator")


def finding(
    check: str, *, passed: bool | None, value: float, threshold: float, reason: str, **more: object
) -> Finding:
    """One finding."""
    return Finding(check=check, passed=passed, value=value, threshold=threshold, reason=reason, **more)


def good_verdict(recognised: str) -> Verdict:
    """Accepted, with the numbers that say why."""
    return Verdict.of(
        (
            finding(
                "structure.edges",
                passed=True,
                value=0.94,
                threshold=0.8,
                reason="edges that should survive are where they were",
            ),
            finding(
                "condition.visible",
                passed=True,
                value=0.91,
                threshold=0.5,
                reason=f"{recognised} is recognised",
            ),
            finding(
                "temporal.flicker", passed=True, value=0.4, threshold=2.0, unit="levels", reason="no flicker"
            ),
            finding(
                "technical.count",
                passed=True,
                value=36,
                threshold=36,
                unit="frames",
                reason="as many frames as the source",
            ),
        ),
        recognised=recognised,
        critic="measured-1:test",
    )


def bad_verdict(scene: Drive) -> Verdict:
    """Rejected: a car vanished for some frames, with its place."""
    _, box, _ = scene.boxes[14][1]
    return Verdict.of(
        (
            finding(
                "objects.vanished",
                passed=False,
                value=0.12,
                threshold=0.5,
                reason="car 1 has no structure left in frames 12 to 20",
                places=(Place(first_frame=12, last_frame=20, box2d=box, object_id=1),),
            ),
            finding(
                "temporal.frozen",
                passed=False,
                value=3,
                threshold=0,
                unit="frames",
                severity="review",
                reason="frames 25 to 27 repeat frame 24",
                places=(Place(first_frame=25, last_frame=27),),
            ),
            finding(
                "structure.edges",
                passed=True,
                value=0.88,
                threshold=0.8,
                reason="edges that should survive are where they were",
            ),
        ),
        recognised="rain",
        critic="measured-1:test",
    )


def variant_of(
    source: Source,
    spec: Spec,
    video: VideoRef,
    verdict: Verdict,
    *,
    labels: Labels | None = None,
    model: str = "physics",
    scale: str = "assumed",
    blocked: str = "",
    attempts: int = 1,
) -> Variant:
    """A variant with complete provenance."""
    variant_id = digest(source.sha256, spec.identity, model)[:32]
    size = (source.width, source.height)
    plan = GenerationPlan(
        variant_id=variant_id,
        attempt=attempts,
        model=model,
        revision="1",
        spec=spec,
        seed=spec.seed,
        source=source.video,
        geometry=None,
        controls=(),
        condition=Condition(label="clear", origin="given", confidence=1.0),
        fit=Fit(
            source_frames=source.frames,
            model_frames=source.frames,
            source_size=size,
            model_size=size,
            source_fps=source.fps,
            model_fps=source.fps,
        ),
        parameters={"noise": 0.004, "curve": "filmic"},
    )
    return Variant(
        id=variant_id,
        spec=spec,
        candidate=Candidate(
            variant_id=variant_id,
            attempt_id=plan.attempt_id,
            video=video,
            rendered={"extinction_per_m": 0.015},
            blocked=blocked,
            seconds={"render": 1.25, "encode": 0.31},
        ),
        verdict=verdict,
        labels=labels,
        provenance=Provenance(
            source_uri=source.uri,
            source_sha256=source.sha256,
            source_license=source.license,
            recipe=digest("recipe", 1),
            geometry_origins={
                "depth": "from_motion",
                "scale": scale,
                "camera": "assumed",
                "tags": "estimated",
            },
            spec=spec,
            model=model,
            revision="1",
            plan=plan,
            attempts=attempts,
            critic=verdict.critic,
            code_version="0.1.0",
            machine={"cpu": "one core", "python": "3.11"},
            seconds={"extract": 2.1, "generate": 1.56, "judge": 0.8},
            created="2026-01-02T03:04:05Z",
        ),
    )


def camera_of(scene: Drive) -> Camera:
    """The camera that `drive` draws with."""
    height, width = scene.frames.shape[1:3]
    focal = width * 0.9
    return Camera(width=width, height=height, fx=focal, fy=focal, cx=width / 2, cy=height * 0.45)


@dataclass(frozen=True)
class Results:
    """All that a job of one source would hand to the catalogue."""

    source: Source
    variants: tuple[Variant, ...]
    failures: tuple[Failure, ...]


def one_variant(folder: Path, *, frames: int = 6, seed: int = 1) -> tuple[Source, Variant]:
    """The smallest result: one accepted fog variant of a short small clip."""
    scene = drive(frames, 160, 90)
    source = source_of(encode(folder / f"source{seed}.mp4", with_counter(scene.frames)))
    video = encode(folder / f"candidate{seed}.mp4", with_counter(fogged(scene, 60)))
    spec = Spec(name="fog", fog_mor_m=60, seed=seed)
    return source, variant_of(
        source, spec, video, good_verdict("fog"), labels=labels_of(scene, gone_after_m=40)
    )


def a_set_of_results(folder: Path) -> Results:
    """Accepted, review, rejected, inconclusive, blocked; unsupported, no change and a fault."""
    scene = drive()
    source = source_of(encode(folder / "drive.mp4", with_counter(scene.frames)))
    frozen = with_counter(rained(scene))
    undecided = Verdict.of(
        (
            finding(
                "structure.objects",
                passed=None,
                value=0.31,
                threshold=0.5,
                reason="pedestrian 2 is below the size that can be seen at this contrast",
                places=(Place(first_frame=0, last_frame=9, object_id=2),),
            ),
            finding(
                "condition.visible", passed=True, value=0.97, threshold=0.5, reason="night is recognised"
            ),
        ),
        recognised="night",
        critic="measured-1:test",
    )
    review = Verdict.of(
        (
            finding(
                "colour.drift",
                passed=False,
                value=5.2,
                threshold=4.0,
                unit="dE",
                severity="review",
                reason="the truck drifts in colour",
                places=(Place(first_frame=8, last_frame=30, object_id=3),),
            ),
            finding(
                "structure.edges", passed=True, value=0.9, threshold=0.8, reason="edges are where they were"
            ),
        ),
        recognised="fog",
        critic="measured-1:test",
    )
    blocked = Verdict.of(
        (
            finding(
                "guardrail",
                passed=False,
                value=1,
                threshold=0,
                reason="the world model's guardrail refused this clip",
            ),
        ),
        critic="measured-1:test",
    )
    missing = VideoRef(uri="", sha256="", frames=0, width=0, height=0, fps=0)
    made = (
        variant_of(
            source,
            Spec(name="fog at 120 m", fog_mor_m=120, seed=1),
            encode(folder / "a.mp4", with_counter(fogged(scene, 120))),
            good_verdict("fog"),
            labels=labels_of(scene, gone_after_m=60),
        ),
        variant_of(
            source,
            Spec(name="dense fog", fog_mor_m=50, seed=1),
            encode(folder / "b.mp4", with_counter(fogged(scene, 50))),
            review,
            labels=labels_of(scene, gone_after_m=24.5),
        ),
        variant_of(
            source,
            Spec(name="heavy rain", rain_mm_h=20, wetness=0.8, seed=1),
            encode(folder / "c.mp4", frozen),
            bad_verdict(scene),
            labels=labels_of(scene, gone_after_m=90, ignore_lens=True),
            attempts=2,
        ),
        variant_of(
            source,
            Spec(name="night", sun_elevation_deg=-20, seed=1),
            encode(folder / "d.mp4", with_counter(darkened(scene, 4))),
            undecided,
            labels=labels_of(scene, gone_after_m=40),
        ),
        variant_of(
            source,
            Spec(name="dusk", sun_elevation_deg=-3, seed=1),
            encode(folder / "e.mp4", with_counter(darkened(scene, 2))),
            good_verdict("dusk"),
            labels=labels_of(scene),
            model="fake-diffusion",
            scale="simulator",
        ),
        variant_of(
            source,
            Spec(name="snow", snow_mm_h=2, snow_cover=0.8, seed=1),
            missing,
            blocked,
            model="fake-diffusion",
            blocked="the guardrail refused this clip",
        ),
    )
    failed = (
        Failure(
            id=digest("f1")[:32],
            spec=Spec(name="dry noon", wetness=0.0, sun_elevation_deg=60, seed=1),
            code="spec.unsupported",
            message="physics cannot remove wet from this source (its condition is wet, estimated)",
            hint="a diffusion world model repaints the scene",
        ),
        Failure(
            id=digest("f2")[:32],
            spec=Spec(name="clear", clouds_okta=1, seed=1),
            code="spec.no_change",
            message="the source is already clear; the spec asks for nothing else",
        ),
        Failure(
            id=digest("f3")[:32],
            spec=Spec(name="dust storm", dust_mor_m=80, seed=1),
            code="generate.out_of_memory",
            message="the world model needed 9.1 GiB and got 7.9 GiB",
            hint="use a smaller size",
        ),
    )
    return Results(source=source, variants=made, failures=failed)
