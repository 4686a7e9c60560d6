"""Figures: contact sheets of clips, and curves of a log."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from checkpoints.loop import read_log

Picture = npt.NDArray[np.uint8]
_CAPTION_ROWS = 14


def sheet(path: Path, rows: Sequence[Sequence[tuple[str, Picture]]], *, scale: float = 1.5) -> None:
    """Draw pictures [h, w, 3] in rows, each under its words.

    Args:
        path: Of the PNG; its folder is made.
        rows: Pictures of one size with their words.
        scale: Of the pictures.
    """
    drawn = [
        np.concatenate([_captioned(words, picture, scale) for words, picture in row], axis=1) for row in rows
    ]
    width = max(row.shape[1] for row in drawn)
    whole = np.concatenate([np.pad(r, ((0, 0), (0, width - r.shape[1]), (0, 0))) for r in drawn])
    save_picture(path, whole)


def save_picture(path: Path, picture: Picture) -> None:
    """Write an RGB picture as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _, code = cv2.imencode(path.suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    path.write_bytes(code.tobytes())


def _captioned(words: str, picture: Picture, scale: float) -> Picture:
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    shown = cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_NEAREST)
    bar = np.zeros((_CAPTION_ROWS, size[0], 3), np.uint8)
    cv2.putText(bar, words, (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(np.pad(np.concatenate([bar, shown]), ((0, 2), (0, 2), (0, 0))), np.uint8)


def curves(log: Path, path: Path) -> None:
    """Draw every number of a log over its steps, one panel each."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    lines = read_log(log)
    names = sorted({name for line in lines for name in line if name != "step"})
    if not names:
        return
    columns = min(4, len(names))
    figure, axes = plt.subplots(
        -(-len(names) // columns),
        columns,
        figsize=(4 * columns, 2.6 * -(-len(names) // columns)),
        squeeze=False,
    )
    for axis, name in zip(axes.flat, names, strict=False):
        _panel(axis, name, lines)
    for axis in list(axes.flat)[len(names) :]:
        axis.axis("off")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _panel(axis: Any, name: str, lines: list[dict[str, Any]]) -> None:  # noqa: ANN401 -- of matplotlib
    there = [(line["step"], line[name]) for line in lines if name in line]
    steps, values = (np.array(column, float) for column in zip(*there, strict=True))
    is_noisy = len(values) > 60
    axis.plot(steps, values, color="0.75" if is_noisy else "C0", linewidth=0.8)
    if is_noisy:
        window = max(3, len(values) // 40)
        smooth = np.convolve(values, np.ones(window) / window, mode="valid")
        axis.plot(steps[window - 1 :], smooth, color="C0", linewidth=1.4)
    axis.set_title(name.replace("_", " "), fontsize=9)
    axis.tick_params(labelsize=7)
    axis.grid(visible=True, alpha=0.3)
    if name == "loss" and (values > 0).all():
        axis.set_yscale("log")
