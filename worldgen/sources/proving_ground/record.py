"""Recording: drives the proving ground and writes what every sensor saw, in the sensor-dump layout."""

from pathlib import Path

from worldgen.datatypes import Spec
from worldgen.sources.proving_ground.drive import Progress, Take
from worldgen.sources.proving_ground.edits import Edit
from worldgen.sources.proving_ground.labelling import seen_in
from worldgen.sources.proving_ground.scene import Scene
from worldgen.sources.proving_ground.world import boxes_of, elements_of, light_states_of

VERSION = "1"


def record(
    seed: int,
    folder: Path,
    *,
    frames: int = 33,
    size: tuple[int, int] = (640, 360),
    fps: float = 10.0,
    spec: Spec | None = None,
    edits: tuple[Edit, ...] = (),
    scene: Scene | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the drive of a seed as a recording, frame by frame; it appears whole or not at all.

    Args are those of `render_drive`; `folder` must not exist, or be empty.

    Raises:
        OutputError: The folder is there already or cannot be written.
    """
    # Here, because recordings read videos: drives alone must run where no video library is.
    from worldgen.sources.carla.manifest import DumpHead, Recorder
    from worldgen.sources.carla.writer import DumpWriter

    take = Take(seed, frames=frames, size=size, fps=fps, spec=spec, edits=edits, scene=scene)
    head = DumpHead(
        origin=Recorder(name="proving_ground", version=VERSION),
        fps=fps,
        map=f"proving_ground/{take.scene.place}/{seed}",
        weather=weather_numbers(take, spec),
        elements=elements_of(take.scene),
        license="CC0-1.0",
        seed=seed,
    )
    with DumpWriter(folder, head, cameras={"front": take.camera}) as writer:
        for t, frame in enumerate(take.shoot(progress)):
            states = light_states_of(take.scene, take.lit[t])
            writer.write_frame(
                t,
                frame.rgb,
                frame.depth,
                frame.tags,
                frame.instances,
                frame.flow,
                pose=take.out_poses[t],
                # An actor without a visible pixel is not in the frame's labels, as in CARLA's own export.
                actors=boxes_of(take.stage, t, take.lit[t], seen_in(frame)),
                seconds=float(take.times[t]),
                light_states=states,
            )
    return Path(folder)


def weather_numbers(take: Take, spec: Spec | None) -> dict[str, float]:
    """State the weather in the manifest's names: CARLA's percent for wetness, spec names beside."""
    weather = take.weather
    numbers = {
        "sun_elevation_deg": weather.elevation_deg,
        "clouds_okta": round(weather.clouds * 8),
        "rain_mm_h": weather.rain_mm_h,
        "snow_mm_h": weather.snow_mm_h,
        "snow_cover": weather.snow_cover,
        "wetness": weather.wetness * 100,
        "cloudiness": weather.clouds * 100,
    }
    if spec is not None and spec.fog_mor_m is not None:
        numbers["fog_mor_m"] = spec.fog_mor_m
    if spec is not None and spec.dust_mor_m is not None:
        numbers["dust_mor_m"] = spec.dust_mor_m
    return {k: float(v) for k, v in numbers.items()}
