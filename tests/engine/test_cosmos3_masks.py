"""Masks beside a clip: planned, recorded, part of the name, and refused where nothing reads them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.situations_cosmos3 import SPEC, Situation, source_of
from worldgen.datatypes import GenerationPlan, Source
from worldgen.errors import ContractError, GenerationError, SourceError
from worldgen.media.encode import write_lossless
from worldgen.media.masks import read_mask
from worldgen.models.build import profile_of
from worldgen.planning import check_needs, masks_of, plan_generation
from worldgen.sources.masks import with_masks

pytestmark = pytest.mark.usefixtures("installed")


def masked(situation: Situation, path: Path, value: int, kind: str = "edge") -> Source:
    cv2.imwrite(str(path), np.full((54, 96), value, np.uint8))
    return with_masks(source_of(situation.clip), {kind: path})  # type: ignore[dict-item]  # a kind


def plan_of(situation: Situation, source: Source) -> GenerationPlan:
    profile = situation.model.profile
    return plan_generation(source, situation.material, SPEC, profile, variant_id="v" * 32)


def test_a_white_mask_changes_nothing_and_another_does(tmp_path: Path) -> None:
    situation = Situation(tmp_path / "s")
    white = masked(situation, tmp_path / "white.png", 255)
    grey = masked(situation, tmp_path / "grey.png", 40)
    assert len({masks_of(source_of(situation.clip)), masks_of(white), masks_of(grey)}) == 3
    kept, same, other = situation.frames(), *(situation.frames(plan_of(situation, s)) for s in (white, grey))
    assert np.abs(same.astype(int) - kept).max() <= 1
    assert not np.array_equal(other, kept)
    told = situation.make(plan_of(situation, grey)).rendered
    assert told["mask_edge"] == grey.masks["edge"].sha256[:16]


def test_a_mask_that_nothing_reads_is_refused_before_any_compute(tmp_path: Path) -> None:
    situation = Situation(tmp_path / "s")
    source = masked(situation, tmp_path / "m.png", 90, "depth")
    with pytest.raises(ContractError, match="physics reads no control maps"):
        check_needs(source, profile_of("physics"))
    with pytest.raises(ContractError, match="made from edge") as refused:
        plan_of(situation, source)
    assert "--weight depth=1" in refused.value.hint


def test_what_is_no_mask_of_this_clip_is_refused(tmp_path: Path) -> None:
    situation = Situation(tmp_path / "s")
    source = source_of(situation.clip)
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((10, 10), np.uint8))
    (tmp_path / "text.png").write_text("no picture")
    for name in ("small.png", "text.png", "missing.png"):
        with pytest.raises(SourceError, match=name):
            with_masks(source, {"edge": tmp_path / name})


def moving(situation: Situation, folder: Path) -> tuple[Path, Path]:
    """A white bar that moves: as a folder of pictures, and as a video without loss."""
    count = source_of(situation.clip).frames
    frames = np.zeros((count, 54, 96, 3), np.uint8)
    folder.mkdir()
    for index in range(count):
        frames[index, :, : 8 * (index + 1)] = 255
        cv2.imwrite(str(folder / f"{index}.png"), frames[index])
    video = folder.parent / "mask.mkv"
    write_lossless(video, frames, fps=10.0)
    return folder, video


def test_a_mask_may_move_frame_for_frame(tmp_path: Path) -> None:
    situation = Situation(tmp_path / "s")
    folder, video = moving(situation, tmp_path / "moving")
    of_folder, of_video = (with_masks(source_of(situation.clip), {"edge": path}) for path in (folder, video))
    assert masks_of(of_folder) != masks_of(of_video)
    steps = read_mask(of_folder.masks["edge"])
    assert steps.shape == (source_of(situation.clip).frames, 54, 96)
    assert np.abs(steps.astype(int) - read_mask(of_video.masks["edge"])).max() <= 2
    first, moves, same = (
        situation.frames(plan_of(situation, s))
        for s in (with_masks(source_of(situation.clip), {"edge": folder / "0.png"}), of_folder, of_video)
    )
    assert not np.array_equal(first, moves)
    assert np.abs(same.astype(int) - moves).mean() < 1


def test_a_mask_of_another_length_or_size_is_refused(tmp_path: Path) -> None:
    situation = Situation(tmp_path / "s")
    folder, video = moving(situation, tmp_path / "moving")
    short = source_of(situation.clip).model_copy(update={"frames": 3})
    wide = source_of(situation.clip).model_copy(update={"width": 98})
    for path in (folder, video):
        with pytest.raises(SourceError, match="the clip 3 frames"):
            with_masks(short, {"edge": path})
        with pytest.raises(SourceError, match="is 96x54, the clip 98x54"):
            with_masks(wide, {"edge": path})
    source = with_masks(source_of(situation.clip), {"edge": folder})
    (folder / "0.png").unlink()
    with pytest.raises(SourceError, match="changed since"):
        read_mask(source.masks["edge"])


def test_a_mask_that_changed_since_is_not_used(tmp_path: Path) -> None:
    situation = Situation(tmp_path / "s")
    plan = plan_of(situation, masked(situation, tmp_path / "m.png", 90))
    cv2.imwrite(str(tmp_path / "m.png"), np.zeros((54, 96), np.uint8))
    with pytest.raises(GenerationError, match="changed since"):
        situation.make(plan)
