"""An audit: what one person decided about one variant."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, field_validator

from worldgen.datatypes.digest import Value
from worldgen.datatypes.verdict import VerdictState

Decision: TypeAlias = Literal["accept", "reject", "unsure"]


class Audit(Value):
    """One decision of one person on one variant."""

    variant_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    decision: Decision
    reason: Annotated[str, Field(max_length=4000)] = ""
    by: Annotated[str, Field(max_length=200)] = ""
    """Name or initials, as the person gave them."""
    at: str
    """ISO 8601 with a time zone."""
    frame: Annotated[int, Field(ge=0)] | None = None
    """Zero-based frame that was shown when the decision was made."""
    verdict: VerdictState | None = None
    """The critic's, as the person saw it."""

    @field_validator("at")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        if datetime.fromisoformat(value).tzinfo is None:
            msg = f"needs a time zone, got {value!r}"
            raise ValueError(msg)
        return value

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """Equal for the same statement: on which variant, who, when, what and why."""
        return self.variant_id, self.by, self.at, self.decision, self.reason


class AuditFile(Value):
    """What the report page saves, and what the catalogue keeps."""

    format: Literal["worldgen-audits"] = "worldgen-audits"
    version: Literal[1] = 1
    audits: tuple[Audit, ...]
