"""Pictures that people look at outside the page: contact sheets and curves, as PNG files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

INK: Final = "#1c2530"
QUIET: Final = "#66727f"
LINE: Final = "#1f6feb"
_TILE_WIDTH: Final = 320


def contact_sheet(
    rows: Sequence[tuple[str, UInt8[npt.NDArray[np.uint8], "t h w 3"]]],
    path: Path,
    *,
    columns: int = 5,
    tile_width: int = _TILE_WIDTH,
) -> Path:
    """Draw evenly spaced frames of several clips, one row each, with their names.

    Args:
        rows: Name and frames (RGB, 0..255) of each clip.
        path: PNG to write.
        columns: Frames per row; the first and the last frame are always among them.
        tile_width: Of one frame in pixels.
    """
    import cv2

    strips = []
    for name, frames in rows:
        picked = np.linspace(0, len(frames) - 1, min(columns, len(frames))).round().astype(int)
        height = max(1, round(frames.shape[1] * tile_width / frames.shape[2]))
        tiles = [cv2.resize(frames[i], (tile_width, height), interpolation=cv2.INTER_AREA) for i in picked]
        tiles += [np.full_like(tiles[0], 255)] * (columns - len(tiles))
        head = np.full((26, tile_width * columns, 3), 255, np.uint8)
        words = f"{name}   frames {', '.join(str(i) for i in picked)}"
        cv2.putText(head, words, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (28, 37, 48), 1, cv2.LINE_AA)
        strips.append(np.vstack([head, np.hstack(tiles)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    done, encoded = cv2.imencode(".png", cv2.cvtColor(np.vstack(strips), cv2.COLOR_RGB2BGR))
    if not done:
        message = f"could not encode {path}"
        raise OSError(message)
    path.write_bytes(encoded.tobytes())
    return path


def recall_plot(
    *,
    levels: Sequence[float],
    recall: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    path: Path,
    title: str,
    x_label: str,
    log_x: bool = False,
) -> Path:
    """Draw recall against a condition, with its interval as a band.

    Args:
        levels: Of the condition, ascending.
        recall: At each level, 0..1.
        low: Lower ends of the intervals, 0..1.
        high: Upper ends of the intervals, 0..1.
        path: PNG to write.
        title: What is drawn.
        x_label: The condition with its unit.
        log_x: Space the levels by ratio; needs levels above zero.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, PercentFormatter, StrMethodFormatter

    # No pyplot: it keeps global state and would look for a display.
    figure = Figure(figsize=(7.2, 4.2), dpi=160, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.fill_between(levels, low, high, color=LINE, alpha=0.14, linewidth=0, label="95% interval")
    axes.plot(levels, recall, color=LINE, linewidth=2, marker="o", markersize=5, label="recall")
    if log_x:
        axes.set_xscale("log")
        axes.set_xticks(list(levels))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="x", which="minor", length=0)
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title(title, loc="left", color=INK, fontsize=12, fontweight="bold", pad=12)
    axes.set_xlabel(x_label, color=QUIET)
    axes.set_ylabel("recall of objects that can be seen", color=QUIET)
    axes.grid(axis="y", color="#e6eaef", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=QUIET, labelsize=9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#c9d1d9")
    axes.legend(frameon=False, fontsize=9, labelcolor=QUIET, loc="best")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path
