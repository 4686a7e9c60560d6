"""Claims: what may still be said of a whole frame."""

from worldgen.datatypes import Claims, Verdict
from worldgen.datatypes.labels import ClaimState
from worldgen.labelling.signs import Signs


def claims_of(signs: Signs, verdict: Verdict) -> Claims:
    """Say what may still be claimed for a whole frame; a check that measured it decides."""
    buried = signs.snow_cover >= 0.6 or signs.sand_cover >= 0.6
    lanes_faint = (
        signs.snow_cover >= 0.1,
        signs.sand_cover >= 0.1,
        signs.wetness >= 0.3,
        signs.rain_mm_h >= 0.5,
        signs.mor_m < 200,
        signs.night,
        signs.painted,
    )
    # Particles, drops and mirror images move on their own; the scene's flow holds behind them.
    flow_disturbed = (
        signs.lens_drops >= 0.1,
        signs.rain_mm_h >= 0.5,
        signs.snow_mm_h >= 0.1,
        signs.wetness >= 0.3,
        signs.mor_m < 200,
        signs.night,
        signs.painted,
    )
    # Buried lanes keep their geometry in the labels; nobody can see them.
    lanes = _worst(void=buried or signs.mor_m < 30, degraded=any(lanes_faint))
    flow = _worst(void=signs.lens_drops >= 0.7, degraded=any(flow_disturbed))
    return Claims(
        boxes=_worst(void=False, degraded=signs.painted),
        lanes=_measured(verdict, "lanes", lanes),
        depth=_worst(void=False, degraded=signs.painted),
        flow=_measured(verdict, "flow", flow),
    )


def _worst(*, void: bool, degraded: bool) -> ClaimState:
    if void:
        return "void"
    return "degraded" if degraded else "kept"


def _measured(verdict: Verdict, what: str, assumed: ClaimState) -> ClaimState:
    """Let a finding ``labels.<what>`` decide: passed keeps, failed voids."""
    finding = next((f for f in verdict.findings if f.check == f"labels.{what}"), None)
    if finding is None or finding.passed is None:
        return assumed
    return "kept" if finding.passed else "void"


def weaker(given: Claims, now: Claims) -> Claims:
    """Never claim more than the source's own labels did."""
    order = ("kept", "degraded", "void")

    def worse(a: ClaimState, b: ClaimState) -> ClaimState:
        return max(a, b, key=order.index)

    return Claims(**{name: worse(getattr(given, name), getattr(now, name)) for name in Claims.model_fields})
