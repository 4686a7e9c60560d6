"""Depth: the veil of fog or dust lies as deep as the geometry says."""

from worldgen.critic.evidence import Evidence
from worldgen.datatypes import Finding


def veil_follows_depth(evidence: Evidence) -> tuple[Finding, ...]:
    """Haze over the source's own depth explains what fog or dust changed (Koschmieder 1924).

    Depth fidelity, measured without a network: fog on the geometry of another scene, on one side only, or
    flat like a curtain leaves much of the change unexplained. Rejects where depth was measured; where it
    was estimated from the clip the haze may be right and the depth wrong, so it asks for a look.
    """
    spec, geometry, veil = evidence.spec, evidence.geometry, evidence.veil
    if not evidence.comparable or spec is None or geometry is None or veil is None:
        return ()
    if not (spec.fog_mor_m or spec.dust_mor_m):
        return ()  # rain and snow bring some haze, and much else
    # Other light or a white ground changes more than haze; then the fit says nothing about depth.
    if spec.sun_elevation_deg is not None or spec.snow_cover or spec.sand_cover:
        return ()
    limit = evidence.thresholds.condition.veil_unexplained
    value = veil[0].unexplained
    return (
        Finding(
            check="depth.veil",
            passed=value <= limit,
            value=value,
            threshold=limit,
            unit="share",
            severity="reject" if geometry.is_metric else "review",
            reason=f"{value:.0%} of what fog changed is not explained by haze over the geometry's depth",
        ),
    )
