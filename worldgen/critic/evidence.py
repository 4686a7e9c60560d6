"""Evidence: what the checks of one case share, computed once and only when a check asks for it."""

from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Int32, UInt8

from worldgen.critic import shares
from worldgen.critic.asked import Asked
from worldgen.critic.classes import borders_of, class_of_tags
from worldgen.critic.difference import Difference, differ
from worldgen.critic.disturbance import known
from worldgen.critic.haze import LINEAR, Haze, encoded, fit_haze, linear, small_depth
from worldgen.critic.network import Segmenter
from worldgen.critic.spans import box_of
from worldgen.critic.survey import Allowance, Survey, survey
from worldgen.critic.thresholds import Thresholds
from worldgen.critic.view import View
from worldgen.datatypes import Box2d, Condition, Geometry, Labels, Place, Spec, Tag
from worldgen.datatypes.tags import EGO, FLAT, VEHICLES
from worldgen.imaging.condition import Recognition, measure_appearance, measure_change, recognise
from worldgen.imaging.edges import Gradient
from worldgen.imaging.visibility import transmission

_TABLE = 1 << 22
"""Largest id that is looked up in a table."""


class Evidence:
    """Source, candidate, geometry and the asked spec, at working size.

    Args:
        source: None for control videos without RGB.
        candidate: As decoded from the file that users get.
        geometry: At the source's size, frame for frame; None when there is none.
        spec: What was asked; None judges structure, time and technique only.
        condition: Of the source.
        labels: Of the source.
        thresholds: Every number that is compared with.
        segmenter: Sees classes; None where no weights are here.
    """

    def __init__(
        self,
        *,
        source: View | None,
        candidate: View,
        geometry: Geometry | None,
        spec: Spec | None,
        condition: Condition,
        labels: Labels | None,
        thresholds: Thresholds,
        segmenter: Segmenter | None = None,
    ) -> None:
        self.source = source
        self.candidate = candidate
        self.geometry = geometry
        self.spec = spec
        self.asked = Asked(spec)
        self.condition = condition
        self.labels = labels
        self.thresholds = thresholds
        self.segmenter = segmenter
        flow = None if geometry is None or geometry.origins.flow != "simulator" else geometry.flow
        if source is not None and flow is not None and len(flow) == len(source):
            source.follow(flow)

    @property
    def comparable(self) -> bool:
        """Whether source and candidate are frame for frame and of one size."""
        return (
            self.source is not None
            and len(self.source) == len(self.candidate)
            and self.source.size == self.candidate.size
        )

    @cached_property
    def survey(self) -> Survey:
        """Source and candidate compared in tiles. Only for comparable cases."""
        assert self.source is not None  # noqa: S101 -- every check asks `comparable` first
        return survey(
            self.source,
            self.candidate,
            tile=self.thresholds.tile_of(self.candidate.size[0]),
            floor=self.thresholds.structure.floor_levels,
            depth_m=self.depth_m,
            instances=None if self.objects is None else self.objects[1],
            borders=self.borders,
            allowance=Allowance(
                kept_share=shares.kept_share(self.spec, self.tags),
                new_share=self._new_share(),
                predicted=self.predicted_transmission,
                haze_edges=None if self.is_haze_known else self.haze_edges,
                hazed=self.haze_luma,
                is_dark=self.asked.is_dark,
                lamps=self.lamps,
                has_drops=self.spec is not None and (self.spec.lens_drops or 0) >= 0.05,
            ),
        )

    def _new_share(self) -> Float32[npt.NDArray[np.float32], "t h w"] | None:
        share = shares.new_share(self.spec, self.tags)
        smooth = None if self.depth_m is None else shares.smooth_share(self.spec, self.depth_m)
        if share is None or smooth is None:
            return smooth if share is None else share
        return np.minimum(share, smooth)

    @property
    def guessed(self) -> float:
        """How much more than a limit applies where the depth that decides what haze hides is estimated."""
        metric = self.geometry is not None and self.geometry.is_metric
        return 1.0 if metric or self.haze_light is None else self.thresholds.guessed_share

    def narrower(self, check: str, *, least: bool = False) -> float | None:
        """The narrower limit of a check where depth and tags are true and the condition disturbs little.

        Args:
            check: Its name.
            least: Whether values must lie above the limit.
        """
        if self.geometry is None or self.geometry.origins.tags != "simulator":
            return None
        limits = known(self.thresholds.least if least else self.thresholds.most, check, self.spec)
        if not limits:
            return None
        return min(limits) if least else max(limits)

    def at_most(self, check: str, loosest: float) -> float:
        """Largest value that passes: `loosest`, or a narrower limit."""
        narrow = self.narrower(check)
        return loosest if narrow is None else min(narrow, loosest)

    @property
    def is_plain(self) -> bool:
        """Whether light and ground are the source's: nothing was asked, or haze alone, and its fit is known.

        Then all that is left to explain is the encoder's loss; another sun shades every corner anew.
        """
        spec = self.spec
        if spec is None or not spec.changes:
            return True
        hazy = bool(spec.fog_mor_m or spec.dust_mor_m) and self.is_haze_known
        sky = spec.sun_elevation_deg is not None or spec.clouds_okta is not None
        return hazy and not (sky or self.asked.is_ground_changed or spec.snow_mm_h)

    @cached_property
    def predicted_transmission(self) -> Float32[npt.NDArray[np.float32], "t h w"] | None:
        """Light that the asked fog or dust lets through at each pixel; None where neither was asked.

        With the nearest depth that the geometry's scale allows, so that nothing visible is excused.
        """
        spec, depth = self.spec, self.depth_m
        mor = None if spec is None else spec.fog_mor_m or spec.dust_mor_m
        if mor is None or depth is None or self.geometry is None:
            return None
        return transmission(depth * np.float32(self.geometry.scale_interval[0]), mor)

    @cached_property
    def objects(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]] | None:
        """Ids of the things that have an instance, and [t, h, w] their places in that list (0 is none)."""
        if self.instances is None:
            return None
        top = int(self.instances.max())
        if self.instances.min() < 0 or top > _TABLE:
            ids, index = np.unique(self.instances, return_inverse=True)
            if ids[0] != 0:
                ids, index = np.concatenate([[0], ids]), index + 1
            return ids.astype(np.int32), index.reshape(self.instances.shape).astype(np.int32)
        # By a table, not by sorting: ids are small numbers, and there are many pixels.
        present = np.zeros(top + 1, np.bool_)
        present[0] = True
        present[self.instances] = True
        places = np.cumsum(present, dtype=np.int32) - np.int32(1)
        return np.flatnonzero(present).astype(np.int32), places[self.instances]

    @cached_property
    def object_pixels(self) -> Float32[npt.NDArray[np.float32], "t objects"]:
        """Working pixels of each of `objects` in every frame."""
        if self.objects is None:
            return np.zeros((len(self.candidate), 1), np.float32)
        ids, stack = self.objects
        counts = [np.bincount(plane.ravel(), minlength=len(ids)) for plane in stack]
        return np.array(counts, np.float32)

    @cached_property
    def haze_light(self) -> Float32[npt.NDArray[np.float32], "t h w"] | None:
        """Light let through by the haze that the condition may bring; None where it brings none."""
        spec, depth = self.spec, self.depth_m
        if spec is None or depth is None:
            return None
        mor = spec.fog_mor_m or spec.dust_mor_m or (300.0 if self.asked.has_particles else None)
        return None if mor is None else transmission(depth, mor)

    @cached_property
    def haze_edges(self) -> Float32[npt.NDArray[np.float32], "t h w"] | None:
        """Edges that haze draws where near stands before far: step of transmission times airlight, levels.

        For rain and snow a visibility of 300 m is assumed: what they may bring, not what they must.
        """
        light = self.haze_light
        if light is None:
            return None
        return np.stack(
            [Gradient.of(plane * 200, self.thresholds.gradient_sigma).magnitude for plane in light]
        )

    @cached_property
    def veil(self) -> tuple[Haze, Float32[npt.NDArray[np.float32], "h w"]] | None:
        """The haze that the candidate shows, and the brightness it explains (log2, mean over the clip).

        Of the small picture, where fog, dust, rain or snow was asked for and there is geometry; 0 where there
        is no fit. Ground that rain or snow changes takes no part.
        """
        spec, depth = self.spec, self.depth_m
        if self.haze_light is None or spec is None or depth is None or self.source is None:
            return None
        frames = np.unique(np.linspace(0, len(depth) - 1, min(5, len(depth))).round().astype(int))
        size = (self.candidate.small.shape[2], self.candidate.small.shape[1])
        deep = np.stack([small_depth(depth[i], size) for i in frames])
        before, after = linear(self.source.small[frames]), linear(self.candidate.small[frames])
        counts = deep < 900
        if self.tags is not None:
            tags = np.stack([cv2.resize(self.tags[i], size, interpolation=cv2.INTER_NEAREST) for i in frames])
            none = [Tag.SKY, EGO, *(FLAT if self.asked.is_ground_changed else ())]
            counts &= ~np.isin(tags, none)
        fit = fit_haze(before, after, deep, counts)
        if fit is None:
            return None
        shown = encoded(fit.predict(before, deep))
        gain = np.log2((shown + 4) / (255 * before ** np.float32(1 / 2.2) + 4))
        return fit, np.asarray(np.where(counts, gain, 0).mean(axis=0), np.float32)

    @cached_property
    def is_haze_known(self) -> bool:
        """Whether the fitted haze tells which outlines it swallows and which it draws."""
        if self.veil is None:
            return False
        fit = self.veil[0]
        most = self.thresholds.structure.haze_unexplained
        return fit.airlight > 0 and fit.gain > 0 and fit.unexplained <= most

    @cached_property
    def lamps(self) -> npt.NDArray[np.bool_] | None:
        """Where drivers may have switched lamps on: vehicles, in fog, rain, snow and the dark."""
        if self.tags is None or not (self.asked.has_low_light or self.haze_light is not None):
            return None
        return np.isin(self.tags, list(VEHICLES))

    def haze_luma(self, frame: int) -> Float32[npt.NDArray[np.float32], "h w"] | None:
        """Luma that the source has behind the haze that the candidate shows; None where none is fitted.

        A white car in white fog loses its outline and a dark one keeps it: contrast alone cannot tell.
        """
        if not self.is_haze_known or self.source is None or self.depth_m is None or self.veil is None:
            return None
        fit = self.veil[0]
        before = LINEAR[np.clip(self.source.luma[frame], 0, 255).astype(np.uint8)]
        return encoded(fit.predict(before, self.depth_m[frame]))

    def haze_colour(self, frame: int) -> Float32[npt.NDArray[np.float32], "h w 3"] | None:
        """As `haze_luma`, in colour, behind fog, which is grey; None where other haze was asked for, too."""
        is_fog = self.spec is not None and self.spec.fog_mor_m and not self.spec.dust_mor_m
        if not is_fog or not self.is_haze_known or self.source is None or self.depth_m is None:
            return None
        assert self.veil is not None  # noqa: S101 -- known
        before = LINEAR[self.source.rgb[frame]]
        return encoded(self.veil[0].predict(before, self.depth_m[frame][..., None]))

    @cached_property
    def difference(self) -> Difference:
        """How the candidate's weather and light differ from the source's. Only for comparable cases."""
        assert self.source is not None  # noqa: S101 -- every check asks `comparable` first
        return differ(self.source, self.candidate, self.survey, self.tags, self.depth_m)

    @cached_property
    def recognition(self) -> Recognition:
        """What the candidate looks like against its source. Only for comparable cases."""
        seen = measure_appearance(self.candidate.clip, self.geometry)
        if self.source is None:
            return recognise(seen)
        change = measure_change(self.candidate.clip, self.source.clip, self.geometry)
        return recognise(seen, self.source.appearance(self.geometry), change)

    @cached_property
    def depth_m(self) -> Float32[npt.NDArray[np.float32], "t h w"] | None:
        """Depth at working size."""
        return None if self.geometry is None else nearest(self.geometry.depth_m, self.candidate.size)

    @cached_property
    def tags(self) -> UInt8[npt.NDArray[np.uint8], "t h w"] | None:
        """Semantic tags at working size."""
        if self.geometry is None or self.geometry.tags is None:
            return None
        return nearest(self.geometry.tags, self.candidate.size)

    @cached_property
    def classes(self) -> UInt8[npt.NDArray[np.uint8], "t h w"] | None:
        """Number of the class in `CLASSES` of each pixel; None where tags are missing or guessed."""
        if self.geometry is None or self.geometry.origins.tags not in ("simulator", "sidecar"):
            return None
        return None if self.tags is None else class_of_tags(self.tags)

    @cached_property
    def borders(self) -> UInt8[npt.NDArray[np.uint8], "t h w"] | None:
        """Number of the class that has its border at each pixel, 0 for none; None as for `classes`."""
        return None if self.classes is None else borders_of(self.classes)

    def tile_tags(self, tile: int) -> UInt8[npt.NDArray[np.uint8], "t rows columns"]:
        """Tag at the middle of every tile; only where there are tags."""
        assert self.tags is not None  # noqa: S101 -- every caller asks first
        height, width = self.tags.shape[1:]
        rows, columns = (
            np.minimum(np.arange(tile // 2, n + tile // 2, tile), n - 1) for n in (height, width)
        )
        return self.tags[:, rows[:, None], columns]

    @cached_property
    def instances(self) -> Int32[npt.NDArray[np.int32], "t h w"] | None:
        """Instance ids at working size."""
        if self.geometry is None or self.geometry.instances is None:
            return None
        return nearest(self.geometry.instances, self.candidate.size)

    def object_place(self, first: int, last: int, index: int) -> Place:
        """Name the place of one of `objects` in the file's pixels."""
        assert self.objects is not None  # noqa: S101 -- asked for one of them
        ids, stack = self.objects
        box = box_of((stack[first : last + 1] == index).any(axis=0))
        if box is None:
            return Place(first_frame=first, last_frame=last, object_id=int(ids[index]))
        left, top, right, bottom = (v / self.candidate.scale for v in box)
        return Place(
            first_frame=first,
            last_frame=last,
            box2d=Box2d(left=left, top=top, right=right, bottom=bottom),
            object_id=int(ids[index]),
        )

    def place(self, first: int, last: int, tiles: tuple[int, int, int, int] | None = None) -> Place:
        """Name a place in the file's pixels; `tiles` is (left, top, right, bottom) in tiles, half-open."""
        if tiles is None:
            return Place(first_frame=first, last_frame=last)
        step = self.thresholds.tile_of(self.candidate.size[0]) / self.candidate.scale
        width, height = self.candidate.clip.size
        left, top, right, bottom = (v * step for v in tiles)
        box = Box2d(left=left, top=top, right=min(right, width), bottom=min(bottom, height))
        return Place(first_frame=first, last_frame=last, box2d=box)


Number = TypeVar("Number", bound=np.generic)


def nearest(stack: npt.NDArray[Number], size: tuple[int, int]) -> npt.NDArray[Number]:
    """Resize [t, h, w] to (width, height) by picking pixels, which suits ids and depth."""
    width, height = size
    if stack.shape[1:] == (height, width):
        return stack
    rows = ((np.arange(height) + 0.5) * stack.shape[1] / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * stack.shape[2] / width).astype(np.intp)
    return stack[:, rows[:, None], columns]
