"""The nouns of worldgen: frozen values, numpy and pydantic only.

Values that hold arrays are frozen dataclasses compared by identity; values that are written to disk
or sent over a wire are frozen pydantic models with a canonical digest.
Names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# At once: the function bears its module's name, which would stand in its place.
from worldgen.datatypes.digest import canonical_json, digest

if TYPE_CHECKING:
    from worldgen.datatypes.audit import Audit, AuditFile, Decision
    from worldgen.datatypes.calibration import Camera, CameraModel
    from worldgen.datatypes.candidate import Candidate, GuardrailRecord, Progress
    from worldgen.datatypes.case import Case
    from worldgen.datatypes.clip import Clip, Frames
    from worldgen.datatypes.condition import Condition, ConditionClass
    from worldgen.datatypes.control import (
        CONTROL_KINDS,
        ControlKind,
        ControlRef,
        MaskRef,
    )
    from worldgen.datatypes.control_map import ControlMap
    from worldgen.datatypes.geometry import Geometry, GeometryRef
    from worldgen.datatypes.labels import (
        Box2d,
        Box3d,
        Claims,
        FrameLabels,
        IgnoreRegion,
        Labels,
        ObjectLabel,
        Visibility,
    )
    from worldgen.datatypes.material import Material
    from worldgen.datatypes.origin import Origin, Origins
    from worldgen.datatypes.plan import Fit, GenerationPlan
    from worldgen.datatypes.profile import ModelProfile
    from worldgen.datatypes.scene import MapElement, Matrix4, Scene, SceneBox
    from worldgen.datatypes.source import Source, SourceKind
    from worldgen.datatypes.spec import Keep, Spec
    from worldgen.datatypes.tags import Tag
    from worldgen.datatypes.variant import Failure, Outcome, Provenance, Variant
    from worldgen.datatypes.verdict import (
        Detectable,
        Finding,
        Observation,
        Place,
        Verdict,
        VerdictState,
    )
    from worldgen.datatypes.video_ref import VideoRef

_HOMES = {
    "Audit": "audit",
    "AuditFile": "audit",
    "Box2d": "labels",
    "Box3d": "labels",
    "CONTROL_KINDS": "control",
    "Camera": "calibration",
    "CameraModel": "calibration",
    "Candidate": "candidate",
    "Case": "case",
    "Claims": "labels",
    "Clip": "clip",
    "Condition": "condition",
    "ConditionClass": "condition",
    "ControlKind": "control",
    "ControlMap": "control_map",
    "ControlRef": "control",
    "Decision": "audit",
    "Detectable": "verdict",
    "Failure": "variant",
    "Finding": "verdict",
    "Fit": "plan",
    "FrameLabels": "labels",
    "Frames": "clip",
    "GenerationPlan": "plan",
    "Geometry": "geometry",
    "GeometryRef": "geometry",
    "GuardrailRecord": "candidate",
    "IgnoreRegion": "labels",
    "Keep": "spec",
    "Labels": "labels",
    "MaskRef": "control",
    "MapElement": "scene",
    "Material": "material",
    "Matrix4": "scene",
    "ModelProfile": "profile",
    "ObjectLabel": "labels",
    "Observation": "verdict",
    "Origin": "origin",
    "Origins": "origin",
    "Outcome": "variant",
    "Place": "verdict",
    "Progress": "candidate",
    "Provenance": "variant",
    "Scene": "scene",
    "SceneBox": "scene",
    "Source": "source",
    "SourceKind": "source",
    "Spec": "spec",
    "Tag": "tags",
    "Variant": "variant",
    "Verdict": "verdict",
    "VerdictState": "verdict",
    "VideoRef": "video_ref",
    "Visibility": "labels",
}

__all__ = [
    "CONTROL_KINDS",
    "Audit",
    "AuditFile",
    "Box2d",
    "Box3d",
    "Camera",
    "CameraModel",
    "Candidate",
    "Case",
    "Claims",
    "Clip",
    "Condition",
    "ConditionClass",
    "ControlKind",
    "ControlMap",
    "ControlRef",
    "Decision",
    "Detectable",
    "Failure",
    "Finding",
    "Fit",
    "FrameLabels",
    "Frames",
    "GenerationPlan",
    "Geometry",
    "GeometryRef",
    "GuardrailRecord",
    "IgnoreRegion",
    "Keep",
    "Labels",
    "MapElement",
    "MaskRef",
    "Material",
    "Matrix4",
    "ModelProfile",
    "ObjectLabel",
    "Observation",
    "Origin",
    "Origins",
    "Outcome",
    "Place",
    "Progress",
    "Provenance",
    "Scene",
    "SceneBox",
    "Source",
    "SourceKind",
    "Spec",
    "Tag",
    "Variant",
    "Verdict",
    "VerdictState",
    "VideoRef",
    "Visibility",
    "canonical_json",
    "digest",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- whatever the name stands for
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        message = f"module 'worldgen.datatypes' has no attribute {name!r}"
        raise AttributeError(message)
    found = getattr(import_module(f"worldgen.datatypes.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
