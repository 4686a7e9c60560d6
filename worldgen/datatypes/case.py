"""A case: all that the critic may see. Never who made the candidate."""

from worldgen.datatypes.condition import Condition
from worldgen.datatypes.control import ControlRef
from worldgen.datatypes.digest import Value
from worldgen.datatypes.geometry import GeometryRef
from worldgen.datatypes.labels import Labels
from worldgen.datatypes.spec import Spec
from worldgen.datatypes.video_ref import VideoRef


class Case(Value):
    """Source, geometry, candidate and the asked spec."""

    source: VideoRef | None
    geometry: GeometryRef | None
    controls: tuple[ControlRef, ...] = ()
    """Judged against when there is no RGB source."""
    candidate: VideoRef
    spec: Spec | None
    """None: judge without an asked condition (structure, time and technique only)."""
    condition: Condition
    """Of the source."""
    labels: Labels | None = None
