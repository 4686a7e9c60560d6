"""Run lengths: COCO's order, both ways, and the same by the fast path."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from worldgen.datatypes import Box2d
from worldgen.imaging.rle import area_of, box_of, decode_mask, encode_mask, encode_part, parse_compressed

MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def test_columns_first_and_zeros_first():
    mask = np.array([[1, 0], [1, 0], [0, 1]], bool)
    assert encode_mask(mask) == (0, 2, 3, 1)


@given(MASKS)
def test_masks_come_back(mask: np.ndarray):
    height, width = mask.shape
    runs = encode_mask(mask)
    assert area_of(runs) == mask.sum()
    np.testing.assert_array_equal(decode_mask(runs, width=width, height=height), mask)


@given(MASKS, st.integers(0, 5), st.integers(0, 5), st.integers(0, 4), st.integers(0, 4))
def test_a_part_is_counted_as_in_the_whole(mask: np.ndarray, left: int, top: int, right: int, bottom: int):
    whole = np.pad(mask, ((top, bottom), (left, right)))
    height, width = whole.shape
    assert encode_part(mask, left=left, top=top, width=width, height=height) == encode_mask(whole)


@given(MASKS)
def test_the_box_of_runs_is_the_box_of_the_mask(mask: np.ndarray):
    box = box_of(encode_mask(mask), height=mask.shape[0])
    if not mask.any():
        assert box is None
        return
    rows, columns = np.nonzero(mask)
    assert box == Box2d(left=columns.min(), top=rows.min(), right=columns.max() + 1, bottom=rows.max() + 1)


def test_runs_of_another_size_are_refused():
    with pytest.raises(ValueError, match="12 pixels"):
        decode_mask((3, 4), width=4, height=3)


def compress(runs: tuple[int, ...]) -> str:
    """COCO's rleToString, written again from its description: 5 bits a character, differences from the third on."""
    out = []
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = not ((value == 0 and not bits & 0x10) or (value == -1 and bits & 0x10))
            out.append(chr((bits | 0x20 if more else bits) + 48))
    return "".join(out)


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=12))
def test_compressed_runs_are_read(runs: list[int]):
    assert parse_compressed(compress(tuple(runs))) == tuple(runs)


def test_a_string_from_cocos_own_tools_is_read():
    # What pycocotools.mask.encode writes for rows 12..19, columns 10..21 of 36 x 64.
    mask = np.zeros((36, 64), bool)
    mask[12:20, 10:22] = True
    assert parse_compressed("d;8l0000000000000000000000l^1") == encode_mask(mask)


def test_other_strings_are_refused():
    with pytest.raises(ValueError, match="run-length"):
        parse_compressed("~~~")
