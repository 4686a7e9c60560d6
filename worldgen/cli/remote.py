"""`worldgen augment --server URL`: the same command, run elsewhere."""

from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from worldgen.cli.output import VERDICT_STYLE, console, errors, print_json
from worldgen.client import Client
from worldgen.wire import JobEvent


def augment_on_server(
    server: str, clip: Path, specs: list[str], out: Path, *, seed: int, as_json: bool
) -> None:
    """Upload, submit, follow, save.

    Raises:
        ServiceError: The server refused or did not answer.
        SourceError: There is no such file here.
    """
    from worldgen.errors import SourceError

    if not clip.is_file():
        message = f"no file {clip}; a server takes single video files"
        raise SourceError(message, reason="not_found")
    bars = Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=errors,
        disable=as_json,
    )
    with Client(server) as client, bars:
        job = client.submit(clip, specs, seed=seed)
        task = bars.add_task(f"job {job.id[:8]}", total=None)

        def show(event: JobEvent) -> None:
            if event.kind == "progress":
                bars.update(task, description=event.spec, completed=event.step, total=event.steps)
            elif event.variant is not None and not as_json:
                state = event.variant.state
                style = VERDICT_STYLE.get(state, "dim")
                bars.console.print(f"{event.variant.spec:<28} [{style}]{state}[/{style}]", highlight=False)

        status = job.wait(progress=show)
        folders = job.save(out)
    if as_json:
        by_id = {folder.name.rpartition("-")[2]: folder for folder in folders}
        print_json(
            {
                "variants": [
                    {
                        "id": line.id,
                        "spec": line.spec,
                        "model": "physics",
                        "verdict": line.state,
                        "findings": list(line.findings),
                        "video": str(by_id[line.id[:12]] / "variant.mp4"),
                        "labels": str(by_id[line.id[:12]] / "labels.coco.json")
                        if "labels.coco.json" in line.files
                        else None,
                        "provenance": str(by_id[line.id[:12]] / "provenance.json"),
                    }
                    for line in status.variants
                    if line.id[:12] in by_id
                ],
                "failures": [line.model_dump() for line in status.variants if not line.files],
                "report": None,
                "seconds": None,
            }
        )
    else:
        console.print(f"{len(folders)} variants saved to {out}", highlight=False)
