"""Material: geometry, control maps, labels and condition of one source, made once for all specs."""

from worldgen.datatypes.condition import Condition
from worldgen.datatypes.control import ControlRef
from worldgen.datatypes.digest import Value
from worldgen.datatypes.geometry import GeometryRef
from worldgen.datatypes.labels import Labels
from worldgen.datatypes.video_ref import VideoRef


class Material(Value):
    """References only: arrays stay in the scratch store that both sides can read."""

    video: VideoRef | None
    """The source's RGB frames, readable through the scratch store; None for control videos."""
    geometry: GeometryRef | None
    controls: tuple[ControlRef, ...] = ()
    condition: Condition
    labels: Labels | None = None
    recipe: str
    """Digest of how it was made: kinds, origins, parameters, extractor revision."""
    seconds: dict[str, float] = {}
