"""Stress: a user's own detector over a ladder of conditions, counting what can still be seen."""

import json
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from worldgen.assembly.augmenting import Augmented, Options, augment
from worldgen.assembly.specs import specs_of
from worldgen.datatypes import Box2d, Variant
from worldgen.errors import ConfigError, LabelError
from worldgen.report.figures import recall_plot
from worldgen.report.recall import Detection, Recall, recall_of

LADDERS = {"fog": "stress_fog", "rain": "stress_rain", "darkness": "stress_darkness"}
"""Name of a ladder -> preset in configs/specs."""

_AXES = {
    "fog": ("fog_mor_m", "meteorological optical range (m)"),
    "rain": ("rain_mm_h", "rain rate (mm/h)"),
    "darkness": ("exposure_stops", "exposure relative to the source (stops)"),
}


def stress(
    path: str | Path,
    *,
    labels: str | Path | None,
    predict: str,
    out: str | Path,
    ladders: tuple[str, ...] = ("fog",),
    options: Options | None = None,
    min_iou: float = 0.5,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run a detector over a ladder of conditions and plot its recall against the condition.

    Args:
        path: Clip or recording.
        labels: Its labels; None when the recording carries them.
        predict: Command with ``{video}`` and ``{output}``; it must write a JSON list of
            ``{"frame", "category", "bbox": [x, y, width, height], "score"}`` to the output.
        out: Folder of results; variants made before are not made again.
        ladders: Of fog, rain, darkness.
        options: As for `augment`.
        min_iou: Smallest overlap that counts as found.
        progress: Called with a sentence now and then.

    Raises:
        ConfigError: The command has no placeholders, fails, or writes something else.
        LabelError: There are no labels to count.
    """
    if "{video}" not in predict or "{output}" not in predict:
        message = f"the command needs {{video}} and {{output}}, got: {predict}"
        hint = 'worldgen stress CLIP --labels L --predict "python detect.py {video} {output}"'
        raise ConfigError(message, reason="invalid", hint=hint)
    unknown = [name for name in ladders if name not in LADDERS]
    if unknown:
        message = f"no ladder {', '.join(unknown)}; there are: {', '.join(LADDERS)}"
        raise ConfigError(message, reason="invalid")
    options = options or Options()
    options.labels = labels
    results: dict[str, Any] = {}
    for ladder in ladders:
        wanted = specs_of(LADDERS[ladder], seed=options.seed)
        progress(f"{ladder}: {len(wanted)} levels")
        made = augment(path, wanted, out=out, **_as_kwargs(options))
        results[ladder] = _climb(ladder, made, predict, Path(out), min_iou, progress)
    return {"ladders": results, "out": str(out)}


def _as_kwargs(options: Options) -> dict[str, Any]:
    return {name: getattr(options, name) for name in Options.__dataclass_fields__}


def _climb(
    ladder: str, made: Augmented, predict: str, out: Path, min_iou: float, progress: Callable[[str], None]
) -> dict[str, Any]:
    axis, title = _AXES[ladder]
    rows = []
    for variant in made.variants:
        if variant.labels is None or not any(f.objects for f in variant.labels.frames):
            message = "stress needs labels with objects; give --labels, or a recording that carries them"
            raise LabelError(message, reason="not_found")
        recall = recall_of(
            variant.labels, detect(predict, made.folders[variant.id] / "variant.mp4"), min_iou=min_iou
        )
        level = float(getattr(variant.spec, axis) or 0.0)
        progress(f"  {variant.spec.name}: recall {recall.value:.2f} of {recall.visible} that can be seen")
        rows.append(_row(variant, level, recall))
    rows.sort(key=lambda row: row["level"])
    plot = out / f"recall_{ladder}.png"
    recall_plot(
        levels=[r["level"] for r in rows],
        recall=[r["recall"] for r in rows],
        low=[r["low"] for r in rows],
        high=[r["high"] for r in rows],
        path=plot,
        title=f"Recall under {ladder}",
        x_label=title,
        log_x=ladder == "fog",
    )
    return {"axis": axis, "rows": rows, "plot": str(plot)}


def _row(variant: Variant, level: float, recall: Recall) -> dict[str, Any]:
    return {
        "id": variant.id,
        "spec": variant.spec.name,
        "level": level,
        "verdict": variant.verdict.state,
        "recall": round(recall.value, 4),
        "low": round(recall.low, 4),
        "high": round(recall.high, 4),
        "found": recall.found,
        "tracks": recall.tracks,
        "visible": recall.visible,
        "ignored": recall.ignored,
    }


def detect(predict: str, video: Path) -> list[Detection]:
    """Run the user's command on one video.

    Raises:
        ConfigError: It failed, or did not write a list of detections.
    """
    with tempfile.TemporaryDirectory(prefix="worldgen-stress-") as folder:
        output = Path(folder) / "detections.json"
        words = [w.format(video=str(video), output=str(output)) for w in shlex.split(predict)]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            message = f"the detector ended with {ended.returncode}: {ended.stderr.strip()[-400:]}"
            raise ConfigError(message, reason="invalid")
        try:
            rows = json.loads(output.read_text())
            return [
                Detection(
                    frame=int(row["frame"]),
                    category=str(row.get("category", "")),
                    box2d=Box2d(
                        left=row["bbox"][0],
                        top=row["bbox"][1],
                        right=row["bbox"][0] + row["bbox"][2],
                        bottom=row["bbox"][1] + row["bbox"][3],
                    ),
                    score=float(row.get("score", 1.0)),
                )
                for row in rows
            ]
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            message = f"the detector did not write a list of detections: {type(error).__name__}: {error}"
            hint = 'expected [{"frame": 0, "category": "car", "bbox": [x, y, w, h], "score": 0.9}, ...]'
            raise ConfigError(message, reason="invalid", hint=hint) from error
