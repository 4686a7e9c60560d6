"""Audits: reading the file that the report page saved, storing it, comparing people with the critic."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from worldgen.datatypes import Audit, AuditFile, Decision, VerdictState
from worldgen.errors import ConfigError
from worldgen.report.protocol import Results

_MAX_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How often the critic and people say the same, counted per variant."""

    variants: int
    """With a decision of people: the newest of each person, then the majority of persons."""
    agree: int
    critic_too_strict: int
    """The critic rejects what people accept."""
    critic_too_lenient: int
    """The critic accepts what people reject."""
    undecided: int
    """People are unsure or divided, or the critic neither accepts nor rejects."""

    @property
    def decided(self) -> int:
        """Variants on which both sides say yes or no."""
        return self.variants - self.undecided

    @property
    def share(self) -> float | None:
        """Agreement among decided variants, 0..1; None when there is none."""
        return self.agree / self.decided if self.decided else None


def read_audits(path: Path) -> tuple[Audit, ...]:
    """Read a file that the report page saved.

    Raises:
        ConfigError: `not_found`, or `invalid` with the first thing that is wrong.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            message = f"{path} is larger than any file of audits"
            raise ConfigError(message, reason="invalid")
        return AuditFile.model_validate_json(path.read_bytes()).audits
    except OSError as exc:
        message = f"cannot read {path}: {exc.strerror}"
        raise ConfigError(message, reason="not_found") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        message = f"{path} is not a file of audits: {where}: {first['msg']}"
        hint = "save it with the button on the report page"
        raise ConfigError(message, reason="invalid", hint=hint) from exc


def import_audits(results: Results, path: Path) -> tuple[Audit, ...]:
    """Add a saved file's audits to the results; nothing that was there is changed or lost.

    Importing the same file twice adds nothing.

    Returns:
        The audits that are new.

    Raises:
        ConfigError: The file is not valid, or speaks of variants that are not here; nothing is imported.
        OutputError: The folder cannot be written.
    """
    audits = read_audits(path)
    foreign = sorted({a.variant_id for a in audits if results.find(a.variant_id) is None})
    if foreign:
        named = ", ".join(name[:12] for name in foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        message = f"{path} speaks of {len(foreign)} variants that are not in {results.root}: {named}"
        raise ConfigError(message, reason="invalid", hint="give the folder that the report page lies in")
    return results.add_audits(audits)


def agreement_of(pairs: Iterable[tuple[VerdictState, tuple[Audit, ...]]]) -> Agreement:
    """Compare the critic's verdicts with what people decided.

    Args:
        pairs: Verdict and audits of each variant; variants without audits are not counted.
    """
    counts = {"agree": 0, "critic_too_strict": 0, "critic_too_lenient": 0, "undecided": 0}
    for state, audits in pairs:
        if audits:
            counts[_compare(state, majority_of(audits))] += 1
    return Agreement(variants=sum(counts.values()), **counts)


def majority_of(audits: tuple[Audit, ...]) -> Decision:
    """Take the newest decision of each person, and of these the majority; a tie is `unsure`."""
    newest: dict[str, Audit] = {}
    for audit in sorted(audits, key=lambda a: datetime.fromisoformat(a.at).astimezone(UTC)):
        newest[audit.by] = audit
    votes = [a.decision for a in newest.values()]
    accept, reject = votes.count("accept"), votes.count("reject")
    return "unsure" if accept == reject else "accept" if accept > reject else "reject"


def _compare(state: VerdictState, decision: Decision) -> str:
    if decision == "unsure" or state not in ("accepted", "rejected"):
        return "undecided"
    if (state == "accepted") == (decision == "accept"):
        return "agree"
    return "critic_too_lenient" if state == "accepted" else "critic_too_strict"
