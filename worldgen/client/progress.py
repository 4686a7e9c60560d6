"""How far a job is, for people: one bar for the job and one per variant that is under way."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from worldgen.wire import JobEvent, VariantLine

if TYPE_CHECKING:
    from rich.console import Console

_STYLES: Final = {
    "accepted": "green",
    "review": "yellow",
    "rejected": "red",
    "inconclusive": "magenta",
    "failed": "red",
}


class JobBars:
    """Bars on standard error; call it with every event.

    Args:
        total: How many variants there will be.
        console: Where to draw; default standard error.
        quiet: Draw nothing.
    """

    def __init__(self, total: int, *, console: "Console | None" = None, quiet: bool = False) -> None:
        # Loaded when it is needed: it is a third of this package's import time.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<28}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            disable=quiet,
        )
        self._job = self._bars.add_task("variants", total=total)
        self._tasks: dict[str, Any] = {}
        self._done: set[str] = set()

    def __enter__(self) -> Self:
        """Draw."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing."""
        self._bars.stop()

    def uploading(self, what: str, sent: int, total: int) -> None:
        """Show how far an upload is, in megabytes."""
        name = f"upload {what}"
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name[:28], total=total / 1e6)
        self._bars.update(self._tasks[name], completed=sent / 1e6)
        if sent >= total:
            self._bars.remove_task(self._tasks.pop(name))

    def expect(self, total: int) -> None:
        """Say how many variants there will be."""
        self._bars.update(self._job, total=total)

    def __call__(self, event: JobEvent) -> None:
        """Show one event."""
        if event.kind == "progress":
            self._progress(event)
        elif event.variant is not None:
            self._finished(event.variant)
        else:
            self._bars.update(self._job, description=f"variants ({event.state})")

    def _progress(self, event: JobEvent) -> None:
        key = event.variant_id or event.spec
        if key in self._done:
            return
        name = event.spec or event.variant_id[:8] or event.stage
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(name, total=event.steps)
        stage = f"{name}, {event.stage}" if event.stage else name
        self._bars.update(self._tasks[key], completed=event.step, total=event.steps, description=stage[:28])

    def _finished(self, line: VariantLine) -> None:
        if line.id in self._done:
            return
        self._done.add(line.id)
        self._bars.advance(self._job)
        if line.id in self._tasks:
            self._bars.remove_task(self._tasks.pop(line.id))
        if not self._bars.disable:
            from rich.text import Text

            text = Text(f"{line.spec or line.id[:8]:<28} ")
            text.append(line.state, style=_STYLES.get(line.state, "dim"))
            if why := reason_of(line):
                text.append(f"  {why}", style="dim")
            self._bars.console.print(text)


def reason_of(line: VariantLine) -> str:
    """Say in one sentence why a variant was not accepted; empty when nothing speaks against it."""
    failed = next((f for f in line.findings if f.get("passed") is False), None)
    return str(failed.get("reason") or "") if failed else line.message


def is_watched() -> bool:
    """Tell whether somebody would see bars: a terminal, or a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
