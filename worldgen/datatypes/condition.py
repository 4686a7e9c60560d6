"""A condition: the weather and light that a clip has, or shall have."""

from typing import Literal, TypeAlias

from worldgen.datatypes.digest import Value

ConditionClass: TypeAlias = Literal[
    "clear", "overcast", "fog", "rain", "snow", "low_sun", "dusk", "night", "wet"
]
"""The nine classes that recognition is measured on; finer times of day are not separable."""


class Condition(Value):
    """The source's own weather and light, estimated or given."""

    label: ConditionClass = "clear"
    origin: Literal["given", "simulator", "estimated", "assumed"] = "assumed"
    confidence: float = 0.0
    """0..1; 1 when given or from a simulator."""
    fog_mor_m: float | None = None
    """Meteorological optical range if fog is there."""
    is_wet: bool = False
    is_snowy: bool = False
    is_night: bool = False
    is_precipitating: bool = False
    has_hard_shadows: bool = False
    """Hard sun shadows stay at night unless removed, which lowers the grade."""
    evidence: tuple[tuple[str, float], ...] = ()
    """The measures the estimate was made from."""
