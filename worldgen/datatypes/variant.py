"""A variant: candidate, verdict, labels and provenance together; or the failure to make one."""

from typing import Any, TypeAlias

from worldgen.datatypes.candidate import Candidate
from worldgen.datatypes.digest import Value
from worldgen.datatypes.labels import Labels
from worldgen.datatypes.plan import GenerationPlan
from worldgen.datatypes.spec import Spec
from worldgen.datatypes.verdict import Verdict


class Provenance(Value):
    """Where a variant came from, complete enough to make it again."""

    source_uri: str
    source_sha256: str
    source_license: str = ""
    recipe: str
    """Digest of how geometry and control maps were made."""
    geometry_origins: dict[str, str] = {}
    spec: Spec
    model: str
    revision: str
    model_note: str = ""
    """What the world model says has to be said wherever its results are shown."""
    plan: GenerationPlan
    attempts: int
    earlier: tuple[Verdict, ...] = ()
    """Verdicts of rejected attempts before the last, without their observations."""
    critic: str
    code_version: str
    machine: dict[str, str]
    seconds: dict[str, float]
    created: str
    """ISO 8601, UTC; not part of any identity."""


class Variant(Value):
    """The result for one spec."""

    id: str
    spec: Spec
    candidate: Candidate
    verdict: Verdict
    labels: Labels | None
    provenance: Provenance


class Failure(Value):
    """A spec for which there is no variant: a value, so that the others go on."""

    id: str
    spec: Spec
    code: str
    """Stable error code; spec.unsupported and spec.no_change are ordinary answers."""
    message: str
    hint: str = ""
    details: dict[str, Any] = {}

    @property
    def is_expected(self) -> bool:
        """Whether this is an answer (unsupported, no change) rather than a fault."""
        return self.code in ("spec.unsupported", "spec.no_change")


Outcome: TypeAlias = Variant | Failure
