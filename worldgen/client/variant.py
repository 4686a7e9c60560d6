"""A variant on the server."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worldgen.client import calls, downloads, saving
from worldgen.client.connection import Blocking, drive
from worldgen.client.http import Http
from worldgen.client.notebook import variant_page
from worldgen.client.uploads import Given
from worldgen.datatypes.audit import Audit, Decision
from worldgen.wire import AuditRequest, VariantLine


@dataclass(frozen=True, slots=True, repr=False)
class _Known:
    """What both kinds of variant know without asking."""

    _http: Http = field(repr=False)
    line: VariantLine
    """As the wire has it."""
    source: Given | None = None
    """What it was made from, where this client submitted it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.spec or self.id[:8]}, {self.state})"

    @property
    def id(self) -> str:
        """The variant's id: the same source, spec, model and seed have the same."""
        return self.line.id

    @property
    def spec(self) -> str:
        """The spec's name."""
        return self.line.spec

    @property
    def state(self) -> str:
        """The verdict (accepted, review, rejected, inconclusive), or failed, unsupported, no_change."""
        return self.line.state

    @property
    def is_accepted(self) -> bool:
        """Whether it may be trained on without a look."""
        return self.line.state == "accepted"

    @property
    def recognised(self) -> str:
        """The condition that the critic sees in it."""
        return self.line.recognised

    @property
    def message(self) -> str:
        """Why there is no variant, where there is none."""
        return self.line.message

    @property
    def findings(self) -> tuple[dict[str, Any], ...]:
        """What was measured, with threshold and reason."""
        return self.line.findings

    @property
    def files(self) -> tuple[str, ...]:
        """Names of its files; none where there is no variant."""
        return self.line.files

    def url(self, name: str = "variant.mp4") -> str:
        """Return the address of a file."""
        return self._http.settings.url + saving.file_path(self.id, name)

    def _repr_html_(self) -> str:
        # A notebook asks for this outside any coroutine, so a connection of its own fetches what is shown.
        connection = Blocking(self._http.settings)
        try:
            return drive(variant_page(Http(connection, self._http.settings), self.line, self.source))
        finally:
            drive(connection.close())


class Variant(_Known):
    """A finished spec of a job: a variant with its verdict, or the reason why there is none."""

    __slots__ = ()

    def save(self, out: str | Path) -> Path:
        """Fetch all its files into ``out/variants/<what>-<id>/`` and return that folder.

        What is there already is not fetched again; a broken download goes on where it broke.

        Raises:
            ServiceError: The server refused, was out of reach for too long, or sent other content.
            OutputError: The folder cannot be written.
        """
        return drive(saving.save(self._http, self.line, Path(out)))

    def read(self, name: str = "variant.mp4") -> bytes:
        """Fetch one file into memory.

        Raises:
            ServiceError: The server refused, or was out of reach for too long.
        """
        return drive(downloads.read(self._http, saving.file_path(self.id, name))) or b""

    def audit(self, decision: Decision, *, reason: str = "", by: str = "", frame: int | None = None) -> Audit:
        """Say what a person thinks of it.

        Args:
            decision: accept, reject or unsure.
            reason: In words.
            by: Who; where the server has keys, it knows.
            frame: Zero-based frame that was shown.
        """
        said = AuditRequest(decision=decision, reason=reason, by=by, frame=frame)
        return drive(calls.audit(self._http, self.id, said))


class AsyncVariant(_Known):
    """A finished spec of a job: a variant with its verdict, or the reason why there is none."""

    __slots__ = ()

    async def save(self, out: str | Path) -> Path:
        """Fetch all its files into ``out/variants/<what>-<id>/`` and return it; see `Variant.save`."""
        return await saving.save(self._http, self.line, Path(out))

    async def read(self, name: str = "variant.mp4") -> bytes:
        """Fetch one file into memory; see `Variant.read`."""
        return await downloads.read(self._http, saving.file_path(self.id, name)) or b""

    async def audit(
        self, decision: Decision, *, reason: str = "", by: str = "", frame: int | None = None
    ) -> Audit:
        """Say what a person thinks of it; see `Variant.audit`."""
        said = AuditRequest(decision=decision, reason=reason, by=by, frame=frame)
        return await calls.audit(self._http, self.id, said)
