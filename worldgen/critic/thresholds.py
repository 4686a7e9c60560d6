"""Thresholds: every number the panel compares with, typed, from configs/critic/*.yaml."""

from pathlib import Path

from worldgen.critic.disturbance import LEAST, MOST, Limits
from worldgen.datatypes import digest
from worldgen.datatypes.digest import Value
from worldgen.weights.revision import revision_of


class TechnicalLimits(Value):
    """Frames, size, time stamps, blanks and clipping."""

    timestamp_tolerance_frames: float = 0.5
    """Largest difference of a frame's time stamp from the source's, in frame durations."""
    blank_contrast: float = 2.0
    """A frame whose luma spreads less than this (standard deviation, levels) shows nothing."""
    blank_source_contrast: float = 8.0
    """... unless the source's frame spreads less than this too."""
    clipped_share: float = 0.35
    """Largest share of pixels at 0 or 255 beyond the source's."""
    copy_level: float = 1.5
    """Mean difference from the source (levels) below which a candidate is a copy."""
    banded_share: float = 0.2
    """Largest share of the places that are smooth in the source that may consist of steps."""
    banded_tiles: int = 40
    """So many smooth places are needed to tell."""
    mirrored_margin: float = 0.0
    """How much better (correlation) the mirrored picture must fit to be called mirrored."""


class StructureLimits(Value):
    """Edges that should survive, per picture, tile and object."""

    floor_levels: float = 1.0
    """Source gradients (levels per pixel at working size) below this carry no structure."""
    whole_lost: float = 0.6
    """Largest share of the visible structure that a frame may lose."""
    tile_lost: float = 0.78
    """Largest share that any place of two by two tiles may lose over `tile_frames`."""
    tile_lost_plain: float = 0.5
    """... where light and ground are the source's."""
    tile_frames: int = 3
    prior: float = 900.0
    """Structure (levels x alignment) that a place needs before its share counts fully."""
    object_lost: float = 0.82
    object_lost_plain: float = 0.64
    object_prior: float = 400.0
    object_frames: int = 5
    object_pixels: float = 120.0
    """Working pixels that an object must have on average to be judged by itself."""
    object_pixels_plain: float = 30.0
    """... where light and ground are the source's."""
    new_edges: float = 0.13
    """Largest mean strength of lasting edges without a cause, against the mean edge strength."""
    new_edges_redrawn: float = 0.385
    """... where another sun or a wet or covered ground draws edges of its own."""
    haze_unexplained: float = 0.8
    """Share of the change that haze may leave unexplained for its fit to say which outlines it swallows."""
    visible_share: float = 0.02
    """Share of the source's edges that must be expected visible for an answer."""


class AlignmentLimits(Value):
    """Displacement against the source."""

    enough_structure: float = 150.0
    """Visible structure that a region needs for its displacement to count."""
    whole_px: float = 0.5
    """Largest displacement of the picture, working pixels, in the median frame."""
    frame_px: float = 1.0
    """The same in the worst frame."""
    region_px: float = 0.9
    """Largest displacement of the fourth-worst region, working pixels, in the median frame."""
    fit_gain: float = 0.04
    """Correlation with the source that undoing the displacement must win for it to count."""
    region_gain: float = 0.05
    """The same within a region."""


class ObjectLimits(Value):
    """How well things and their parts follow the source's pattern; correlations, -1..1."""

    frames: int = 5
    """Frames over which a whole thing is judged; parts are judged over the clip."""
    pattern: float = 0.5
    """Least correlation of a thing with itself in the source."""
    pattern_dusk: float = 0.42
    pattern_gone: float = 0.2
    """A thing below this is not the source's; only where more is asked for, as flakes and haze take as much
    from honest ones. Of 222 goods of 37 development scenes none lies below 0.32 there."""
    pattern_gone_relit: float = 0.08
    """The same where another light shades things anew, or haze: rendered under it, 7 of 1008 goods lay below
    0.2 there, one of them below 0."""
    pattern_snow: float = 0.15
    pattern_haze: float = 0.15
    haze_signal: float = 30.0
    """As `signal`, where haze hides more than the noise of flat areas tells."""
    parts: float = 0.4
    """Least correlation of a ninth of a thing."""
    parts_dusk: float = 0.3
    parts_haze: float = 0.1
    night_deg: float = -6.0
    """Below this sun (civil dusk) lamps draw things anew."""
    signal: float = 4.0
    """Pattern that is due over noise (variances) from which a thing is judged."""
    part_signal: float = 10.0
    contrast: float = 6.0
    """Least contrast in the source, levels per channel."""
    pixels: float = 60.0
    """Working pixels per frame, with the ring around it, from which a thing is judged."""
    part_pixels: float = 20.0
    rounding: float = 0.3
    """Variance that codecs and rounding leave per pixel and channel, levels squared."""
    usual_pixels: float = 100.0
    """Pixels over the clip from which a thing counts for what is usual."""
    usual_share: float = 0.6
    """Share of the usual contrast that is expected of every thing."""
    present_pixels: float = 4.0
    """Working pixels per frame from which it is asked whether a thing is there."""
    present_levels: float = 1.0
    """Contrast that must be left for it, levels."""
    present_share: float = 0.9
    """Share of what is due that must be found where nothing was asked and no codec blurs it."""
    present_share_changed: float = 0.35
    """The same under a condition; honest physics of five drives keeps 0.41."""


class TemporalLimits(Value):
    """What changes between frames that the source does not explain."""

    flicker_stops: float = 0.03
    """Largest jump of brightness between two frames beyond the source's, log2."""
    drift_stops: float = 0.08
    """Largest slow change of brightness against the source over the clip, log2."""
    hue_drift_stops: float = 0.022
    """Largest slow change of one colour channel against the others, log2."""
    still_ratio: float = 0.3
    """A frame changes less than this share of what the clip usually does: it repeats the one before."""
    still_source_level: float = 0.6
    """... where the source's change is at least this many levels."""
    order_margin: float = 0.045
    """How much better (correlation) a frame must fit its neighbour's source frame to be out of order."""
    boiling_levels: float = 0.62
    """Largest transient darkening beyond source and noise, against the spread of the picture, percent."""
    stuck_share: float = 0.56
    """Largest share of fine structure that stands still on the screen while the source moves."""
    stuck_motion_share: float = 0.02
    """Travel of the source over the clip, as a share of the width, that makes a tile count as moving."""


class ColourLimits(Value):
    """Colour of things against their surroundings."""

    tile_stops: float = 1.88
    """Largest change of a place's colour against its surroundings, log2 of channel ratios."""
    low_light_times: float = 1.35
    """... so many times that under a low sun, which lights one side of a thing and not the other."""
    darkest_level: float = 28.0
    """Places darker than this (luma) have no colour that could be judged."""


class DetailLimits(Value):
    """Fine detail, what lingers or shines through, and where colour lies."""

    kept: float = 0.42
    """Least contrast of fine detail (median place) against what coarse structure keeps."""
    floor_levels: float = 2.0
    """Fine detail below this (levels, root mean square) is not judged."""
    noise_times: float = 1.5
    """... nor below so many times the noise."""
    judged_share: float = 0.03
    """Share of tiles that must be judged for an answer."""
    moved_share: float = 0.3
    """How different two moments of the source must be (1 - correlation squared) to tell which is shown."""
    lingering: float = 0.32
    """Largest share of another moment in what a frame shows."""
    shining: float = 0.35
    """Largest share of lasting structure without a cause, in the median place."""
    shining_redrawn: float = 0.75
    """... where another light or another ground draws structure of its own."""
    colour_beside: float = 0.05
    """How much better (correlation) the source's colour may fit beside its place."""
    colour_told: float = 0.2
    """Correlation with the source's colour from which its place can be told."""


class LabelLimits(Value):
    """Label truth."""

    overlap: float = 0.5
    """Least overlap (median over its frames) of a label's box with its instance in the geometry."""
    vanished_share: float = 0.3
    """Largest share of labels predicted to be clear that cannot be measured."""
    glare_contrast: float = 0.35
    """Contrast left below which a bright place is veiled by glare."""
    glare_level: float = 120.0
    """Luma from which a place may be glare, and how many levels more than the rest it must have won."""
    glare_gain: float = 20.0
    glare_tiles: int = 4
    """Least size of glare, tiles."""
    saturated_share: float = 0.002
    """Share of the picture from which a burnt-out area becomes an ignore region."""


class ConditionLimits(Value):
    """The asked condition."""

    visible: float = 0.2
    """How well the difference from the source must fit the asked class, 0..1."""
    named: float = 0.01
    """Least probability that the asked class, or one that cannot be told from it, is what is seen."""
    veiled: float = 0.9
    """How well rain or snow must be visible to be excused for looking like fog."""
    fog_amount_times: float = 2.0
    """How far (factor) the measured range may lie from the asked one."""
    veil_unexplained: float = 0.4
    """Largest part of what fog or dust changed that haze over the geometry's depth may leave unexplained."""
    seam_stops: float = 0.23
    """Largest straight step in brightness across the picture that the source does not have, log2."""


class MarkingLimits(Value):
    """Paint on the road, against the asphalt beside it."""

    contrast: float = 0.25
    """Least contrast of paint in the source (log) to be judged."""
    shown_contrast: float = 0.15
    """... and in the candidate, for its colour to be judged."""
    least_cells: int = 8
    least_road_cells: int = 50
    cells: int = 15
    """The so many weakest cells of paint (0.15 x 0.5 m) are not asked."""
    cells_share: float = 0.08
    """... nor this share of them: a strong codec loses some."""
    kept: float = 0.25
    """Least share of the contrast that paint keeps."""
    kept_haze: float = 0.015
    night_deg: float = -6.0
    lamps_share: float = 0.5
    """Share of the cells that is not asked below this sun: lamps may leave lines in the dark."""
    kept_mirrored: float = 0.05
    """The same of most paint on a wet road, whose mirror images may turn the contrast of some over."""
    warmer: float = 0.9
    """Largest rise of red over blue of paint against asphalt, natural logarithm."""
    warmer_lamps: float = 1.25
    """The same by lamp light."""
    new: float = 0.28
    """Largest contrast (log) of a line that the source does not have."""
    new_dark: float = 0.6
    """The same by lamp light."""
    new_cells: int = 30


class SkyLimits(Value):
    """Steps in the sky."""

    step_levels: float = 6.5
    """Largest straight upright step that four in five rows share."""
    least_share: float = 0.03
    """Share of sky from which it is judged."""
    least_samples: int = 60
    alike_levels: float = 10.0
    """Largest difference of any channel from the sky right above at which a thing shows the sky."""
    unlike_levels: float = 30.0
    """Least difference from it of what the thing should show."""


class LampLimits(Value):
    """States of lamps."""

    lit_levels: float = 40.0
    """Red less green (or green less red) from which a lamp counts as lit in the source."""
    seen_levels: float = 36.0
    """... and from which its colour is seen in the candidate."""
    frames: int = 3
    rear_levels: float = 75.0
    """Largest rise of red over the other channels in the reddest spots of a vehicle by day."""
    rear_gain: float = 1.15
    """So many times the source's own red is let pass."""
    rear_pixels: int = 40
    rear_frames: int = 4
    rear_rain_mm_h: float = 8.0
    """From this rain on lamps are lit by day too."""


class TrackLimits(Value):
    """How steadily a thing follows the source along its track."""

    frames: int = 3
    """Two spans of so many frames are compared."""
    jump: float = 0.42
    """Largest change of a thing's correlation with the source between neighbouring spans."""
    jump_hidden: float = 0.72
    """The same where haze, flakes, streaks or drops may hide a thing for a moment."""
    night_deg: float = -6.0
    """Below this sun lamps draw things anew as they pass."""
    alike: float = 0.7
    """Correlation that one of both spans must reach."""
    contrast: float = 6.0
    """Least contrast in the source, levels per channel."""
    signal: float = 10.0
    """Pattern that is due over noise (variances) from which a thing is judged."""
    pixels: float = 40.0
    """Working pixels per frame from which a thing is judged."""
    bright: float = 25.0
    """Level of green from which a thing's colour is judged, in both clips."""
    drift_levels: float = 46.0
    """Largest drift of an actor's colour against the source (red and blue less green), levels."""
    drift_pixels: float = 60.0
    """Pixels inside it, of a picture 256 wide, from which it counts in full."""
    drift_least_pixels: float = 12.0
    """... and from which it counts at all."""
    paint_frames: int = 4
    red_paint: float = 0.42
    """How far red over green of a thing may lie beyond what tint and greying explain, natural logarithm."""
    blue_paint: float = 0.52
    """The same of blue over green."""
    paint_dark: float = 1.8
    """So many times of both by lamp light and dusk."""


class GroundLimits(Value):
    """What lasts on plain ground without a cause; levels, root mean square of a place of two by two tiles."""

    colour: float = 12.5
    colour_glow: float = 16.5
    """The same where a low sun, dusk or mirror images colour the ground."""
    colour_lamps: float = 20.0
    """The same where lamps do."""
    luma: float = 24.5
    night_deg: float = -6.0
    """Below this sun lamps shade the ground anew."""
    plain_share: float = 0.97
    """Share of ground that a place must show."""
    least_places: int = 12


class SegmentationLimits(Value):
    """Whether a pixel still shows what the true tags say."""

    border_lost: float = 0.6
    """Largest share of a class's outlines that may be lost over `border_frames`."""
    border_frames: int = 5
    border_due: float = 400.0
    """Outline (levels x alignment) per frame that a class needs to be judged."""
    network_frames: int = 5
    """So many frames of a clip are shown to the network, when there is one."""
    class_share: float = 0.005
    """Share of the pixels from which a class counts for the network."""
    least_light: float = 0.2
    """Pixels of which haze may leave less light than this are not asked of the network."""
    source_overlap: float = 0.35
    """Mean intersection over union that the network must reach on the source to judge by it."""
    overlap_kept: float = 0.7
    """Least mean intersection over union on the candidate, as a share of the source's. A guess: no weights
    were here when it was set."""


class NetworkSettings(Value):
    """A segmentation network in a local folder; nothing is ever downloaded."""

    folder: str = ""
    """Folder in the layout of `save_pretrained` (config.json, preprocessor_config.json, *.safetensors);
    empty: no network is used."""
    revision: str = ""
    """Name of the weights, part of the critic's version; empty: sha256 of config and file sizes."""
    names: tuple[str, ...] = ()
    """Names of its classes in their order, where its configuration does not give them."""
    device: str = "cpu"

    @property
    def identity(self) -> str:
        """Name of the weights and their classes, wherever they lie and whatever runs them; '' for none."""
        if not self.folder:
            return ""
        revision = self.revision or revision_of(Path(self.folder))
        return f"{revision}:{','.join(self.names)}" if self.names else revision


class Thresholds(Value):
    """All limits of one panel."""

    name: str = "measured"
    working_width: int = 640
    """Frames wider than this are judged at this width."""
    tiles_across: int = 40
    """Tiles of at least 8 working pixels; about so many in a row of a wide frame."""
    gradient_sigma: float = 1.0
    guessed_share: float = 1.25
    """How much more of a limit applies where haze was asked and the depth is not metric."""
    deadline_seconds: float = 600.0
    """Processor time of the judging thread: a busy machine makes no clip harder to judge."""
    technical: TechnicalLimits = TechnicalLimits()
    structure: StructureLimits = StructureLimits()
    alignment: AlignmentLimits = AlignmentLimits()
    objects: ObjectLimits = ObjectLimits()
    temporal: TemporalLimits = TemporalLimits()
    colour: ColourLimits = ColourLimits()
    detail: DetailLimits = DetailLimits()
    condition: ConditionLimits = ConditionLimits()
    labels: LabelLimits = LabelLimits()
    markings: MarkingLimits = MarkingLimits()
    sky: SkyLimits = SkyLimits()
    lamps: LampLimits = LampLimits()
    tracks: TrackLimits = TrackLimits()
    ground: GroundLimits = GroundLimits()
    segmentation: SegmentationLimits = SegmentationLimits()
    network: NetworkSettings = NetworkSettings()
    most: Limits = MOST
    least: Limits = LEAST
    """Narrower limits where the condition disturbs little (`disturbance`), by check."""

    @property
    def identity(self) -> str:
        """Digest of every number, and of the network's weights if there is one; not of where they lie."""
        return digest(self.model_dump(mode="json", exclude={"network"}), self.network.identity)

    def tile_of(self, width: int) -> int:
        """Side of a tile for frames of this working width, a multiple of 4."""
        return max(8, round(width / self.tiles_across / 4) * 4)
