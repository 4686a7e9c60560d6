"""The nouns of worldgen: frozen values, numpy and pydantic only.

Values that hold arrays are frozen dataclasses compared by identity; values that are written to disk
or sent over a wire are frozen pydantic models with a canonical digest.
"""

from worldgen.datatypes.audit import Audit, AuditFile, Decision
from worldgen.datatypes.calibration import Camera, CameraModel
from worldgen.datatypes.candidate import Candidate, GuardrailRecord, Progress
from worldgen.datatypes.case import Case
from worldgen.datatypes.clip import Clip, Frames, VideoRef
from worldgen.datatypes.condition import Condition, ConditionClass
from worldgen.datatypes.control import (
    CONTROL_KINDS,
    ControlKind,
    ControlMap,
    ControlRef,
    MaskRef,
)
from worldgen.datatypes.digest import canonical_json, digest
from worldgen.datatypes.geometry import Geometry, GeometryRef, Origin, Origins
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
from worldgen.datatypes.plan import Fit, GenerationPlan
from worldgen.datatypes.profile import ModelProfile
from worldgen.datatypes.scene import MapElement, Matrix4, Scene, SceneBox
from worldgen.datatypes.source import Source, SourceKind
from worldgen.datatypes.spec import Keep, Spec
from worldgen.datatypes.tags import Tag
from worldgen.datatypes.variant import Failure, Outcome, Provenance, Variant
from worldgen.datatypes.verdict import (
    Finding,
    Observation,
    Place,
    Verdict,
    VerdictState,
)

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
