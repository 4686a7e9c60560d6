"""`worldgen caption`: describe a clip for models that read text, by a vision model that you choose."""

from pathlib import Path
from typing import Annotated

import typer

from worldgen.cli.output import JsonOption, console, print_json, reporting
from worldgen.errors import OutputError, disk_errors


def caption_command(
    clip: Annotated[Path, typer.Argument(help="A video file, a folder of images, or a recording.")],
    endpoint: Annotated[
        str, typer.Option(help="OpenAI-compatible address up to /v1, such as http://127.0.0.1:8000/v1.")
    ],
    model: Annotated[str, typer.Option(help="Name of the vision model there.")],
    allow_egress: Annotated[
        bool, typer.Option("--allow-egress", help="Permit sending frames to another machine.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Caption file; default CLIP.caption.json.")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, max=5, help="How many frames are shown.")] = 5,
    camera: Annotated[str | None, typer.Option(help="Which camera of a recording.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frame rate of a folder of images.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a caption that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the clip's caption beside it, where `augment` finds it; models that read text start from it.

    Nothing is sent to another machine without --allow-egress, the same question is sent once, and what was
    sent is logged. WORLDGEN_CHAT_KEY holds the endpoint's key. Read the caption: it is a model's word.
    """
    from worldgen.assembly.captioning import caption_source
    from worldgen.chat import Chat, ChatSettings
    from worldgen.config import validated

    with reporting(as_json):
        target = out or (
            clip / "caption.json" if clip.is_dir() else clip.with_name(f"{clip.stem}.caption.json")
        )
        if target.exists() and not force:
            message = f"{target} is there already"
            raise OutputError(message, reason="not_writable", hint="--force writes over it")
        chat = Chat(validated(ChatSettings, url=endpoint, model=model), may_leave=allow_egress)
        made = caption_source(clip, chat, camera=camera, fps=fps, frames=frames)
        with disk_errors(target):
            target.write_text(made.caption.to_json() + "\n", encoding="utf-8")
    if as_json:
        print_json({"caption": str(target), "frames": made.frames, "notes": made.notes})
        return
    console.print(f"{target}: {made.caption.temporal_caption}", highlight=False, markup=False)
    for note in made.notes:
        console.print(f"[yellow]note[/] {note}", highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("caption")(caption_command)
