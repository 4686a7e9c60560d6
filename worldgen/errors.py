"""The error tree: every failure belongs to one border and carries a stable code.

    WorldgenError                          exit 1
    |-- BadInput                           exit 2: the user can mend it
    |   |-- SourceError       source.*     a clip, recording or control video that cannot be used
    |   |-- LabelError        labels.*     labels or calibration that do not fit the source
    |   |-- SpecError         spec.*       a condition that is unknown, out of range or contradictory
    |   |-- ContractError     contract.*   a request that a world model cannot take
    |   |-- WeightsError      weights.*    weights of a network: missing, gated, damaged, not to be trusted
    |   |-- ConfigError       config.*     a configuration file or an option
    |   `-- OutputError       output.*     a place that cannot be written
    |-- ExtractError          extract.*    geometry and control maps
    |-- GenerationError       generate.*   a world model
    |-- JudgeError            judge.*      the critic
    |-- PublishError          publish.*    the catalogue
    |-- ServiceError          service.*    the HTTP service, as its client sees it
    `-- Cancelled             cancelled    somebody asked to stop; not a failure

A code is ``border.reason``. The reasons of a border are listed in its class, so a code that is not
listed cannot be raised, and `worldgen doctor --codes` can print them all.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class WorldgenError(Exception):
    """Something went wrong, and we can say where.

    Args:
        message: What was wrong, where, and what is allowed.
        reason: One of the class's `reasons`; the code is ``border.reason``.
        hint: What to do next, if there is something to do.
    """

    border: ClassVar[str] = "internal"
    reasons: ClassVar[frozenset[str]] = frozenset({"unexpected"})
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, reason: str = "unexpected", hint: str = "") -> None:
        if reason not in self.reasons:
            allowed = ", ".join(sorted(self.reasons))
            msg = f"{type(self).__name__} has no reason {reason!r}; it has: {allowed}"
            raise ValueError(msg)
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.hint = hint

    @property
    def code(self) -> str:
        """The stable code, ``border.reason``."""
        return f"{self.border}.{self.reason}"

    def __reduce__(self) -> tuple[object, ...]:
        """Keep reason and hint when the error crosses a process."""
        return (_rebuild, (type(self), self.message, self.reason, self.hint))


def _rebuild(cls: type[WorldgenError], message: str, reason: str, hint: str) -> WorldgenError:
    return cls(message, reason=reason, hint=hint)


class BadInput(WorldgenError):  # noqa: N818 -- the name of a family, read as a noun
    """What the user gave cannot be used; nothing was written."""

    border = "input"
    reasons = frozenset({"unexpected", "invalid"})
    exit_code = 2


class SourceError(BadInput):
    """A source that cannot be read, or that does not hold what it promises."""

    border = "source"
    reasons = frozenset(
        {
            "unexpected",
            "not_found",
            "empty",
            "not_a_video",
            "refused_format",
            "no_video_stream",
            "truncated",
            "count_mismatch",
            "too_large",
            "too_short",
            "timeout",
            "not_metric",
            "missing_frame",
            "doubled_frame",
            "unequal_sensors",
            "missing_sensor",
            "missing_calibration",
            "unknown_version",
            "bad_manifest",
            "unknown_camera",
            "bad_sensor",
            "damaged",
            "mixed_sizes",
            "missing_fps",
            "bad_caption",
        }
    )


class LabelError(BadInput):
    """Labels or calibration that cannot be read or belong to another source."""

    border = "labels"
    reasons = frozenset(
        {"unexpected", "not_found", "unknown_format", "invalid", "other_source", "bad_calibration"}
    )


class SpecError(BadInput):
    """A spec with an unknown word, a value out of range or parts that exclude each other."""

    border = "spec"
    reasons = frozenset(
        {"unexpected", "unknown_word", "out_of_range", "impossible", "unsupported", "no_change", "not_found"}
    )


class ContractError(BadInput):
    """A request outside a world model's contract; the message names the nearest that would fit."""

    border = "contract"
    reasons = frozenset(
        {
            "unexpected",
            "frames",
            "fps",
            "size",
            "controls",
            "needs",
            "unknown_model",
            "missing_weights",
            "parameters",
        }
    )


class WeightsError(BadInput):
    """Weights of a network that are missing, gated, damaged or not to be trusted."""

    border = "weights"
    reasons = frozenset(
        {
            "unexpected",
            "unknown_model",
            "missing",
            "incomplete",
            "damaged",
            "mismatch",
            "unpinned",
            "changed",
            "refused_format",
            "gated",
            "not_found",
            "offline",
            "unreachable",
            "disk_full",
            "busy",
        }
    )


class ConfigError(BadInput):
    """A configuration file or an option that is wrong."""

    border = "config"
    reasons = frozenset({"unexpected", "not_found", "invalid", "missing_extra", "not_permitted"})


class OutputError(BadInput):
    """A place for results that cannot be used."""

    border = "output"
    reasons = frozenset({"unexpected", "not_writable", "other_version", "disk_full", "not_a_folder"})


class ExtractError(WorldgenError):
    """Geometry or control maps could not be made."""

    border = "extract"
    reasons = frozenset({"unexpected", "missing_weights", "missing_geometry"})


class GenerationError(WorldgenError):
    """A world model failed."""

    border = "generate"
    reasons = frozenset({"unexpected", "out_of_memory", "not_finite", "unavailable"})


class JudgeError(WorldgenError):
    """The critic failed; never a yes, never a no."""

    border = "judge"
    reasons = frozenset({"unexpected", "timeout", "unreadable"})


class PublishError(WorldgenError):
    """A result could not be published; nothing half-written is left."""

    border = "publish"
    reasons = frozenset({"unexpected", "disk_full", "verification", "conflict", "not_found", "damaged"})


class ServiceError(WorldgenError):
    """The service answered with an error, or did not answer."""

    border = "service"
    reasons = frozenset(
        {
            "unexpected",
            "unreachable",
            "unauthorized",
            "forbidden",
            "not_found",
            "invalid",
            "busy",
            "conflict",
            "too_large",
            "failed",
            "timeout",
            "bad_answer",
            "unsupported",
        }
    )


class Cancelled(WorldgenError):  # noqa: N818 -- not a failure
    """Somebody asked to stop."""

    border = "cancelled"
    reasons = frozenset({"unexpected", "by_user", "deadline"})


@contextmanager
def boundary(error: type[WorldgenError], doing: str) -> Iterator[None]:
    """Attribute every untyped failure inside to one border.

    Typed errors pass unchanged, so that a `SpecError` raised deep inside a world model stays a
    `SpecError`. Everything else becomes `error` with what was being done.
    """
    try:
        yield
    except WorldgenError:
        raise
    except Exception as exc:
        message = f"could not {doing}: {type(exc).__name__}: {exc}"
        raise error(message) from exc


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def disk_errors(place: object) -> Iterator[None]:
    """Turn what the file system refuses into an `OutputError` that says where.

    Raises:
        OutputError: `disk_full`, `not_writable` or `not_a_folder`.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            message = f"no space left while writing to {place}"
            hint = "free some space and run again; it resumes"
            raise OutputError(message, reason="disk_full", hint=hint) from exc
        if exc.errno in _REFUSED:
            message = f"cannot write to {place}: {exc.strerror}"
            raise OutputError(message, reason="not_writable") from exc
        if exc.errno in (errno.ENOTDIR, errno.EEXIST):
            message = f"{place} is not a folder"
            raise OutputError(message, reason="not_a_folder") from exc
        raise
