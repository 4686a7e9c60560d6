"""What a notebook shows: source and variants as video, side by side.

Small videos are part of the page (fetched by the kernel, which has the key and may reach a server that the
browser cannot); large ones are named by address, which works where the server asks for no key.
"""

import base64
import html
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from worldgen.client.downloads import read
from worldgen.client.http import Http
from worldgen.client.progress import reason_of
from worldgen.client.saving import file_path
from worldgen.client.uploads import Given
from worldgen.errors import WorldgenError
from worldgen.wire import JobStatus, VariantLine

MOST_BYTES: Final = 8_000_000
"""Of one video that becomes part of the page."""
MOST_TOTAL_BYTES: Final = 40_000_000
MOST_VARIANTS: Final = 24
VIDEO: Final = "variant.mp4"
SOURCE: Final = "source.mp4"

_COLOURS: Final = {
    "accepted": "#1a7f37",
    "review": "#9a6700",
    "rejected": "#cf222e",
    "inconclusive": "#8250df",
}
Tile: TypeAlias = tuple[str, str, str]
"""Caption, colour, HTML of what is above it."""


async def job_page(http: Http, status: JobStatus, source: Given | None) -> str:
    """Return a job as HTML: where it is, its source and its variants."""
    done = f"{status.variants_done} of {status.variants_total} variants"
    counts = ", ".join(f"{number} {state}" for state, number in sorted(status.counts.items()))
    head = f"<b>{_text(status.state)}</b> · {done}{' · ' + _text(counts) if counts else ''}"
    head += f" · <code>{_text(status.id)}</code>"
    if status.error:
        head += f"<br>{_text(status.error.get('code', ''))}: {_text(status.error.get('message', ''))}"
    tiles = [tile async for tile in _tiles(http, status.variants[:MOST_VARIANTS], source)]
    left = len(status.variants) - MOST_VARIANTS
    foot = f"<div>and {left} more: <code>job.save(folder)</code></div>" if left > 0 else ""
    return _page(head, tiles, foot)


async def variant_page(http: Http, line: VariantLine, source: Given | None) -> str:
    """Return a variant as HTML, beside its source where that is known."""
    head = f"<b>{_text(line.spec or line.id[:12])}</b> · <code>{_text(line.id)}</code>"
    return _page(head, [tile async for tile in _tiles(http, [line], source)], "")


async def _tiles(http: Http, lines: Sequence[VariantLine], source: Given | None) -> AsyncGenerator[Tile]:
    left = MOST_TOTAL_BYTES
    if (clip := await _source(http, lines, source)) is not None:
        left -= len(clip)
        yield "source", "inherit", _video(_data(clip))
    for line in lines:
        colour = _COLOURS.get(line.state, "inherit")
        caption = f"{line.spec or line.id[:12]}: {line.state}"
        if why := reason_of(line):
            caption += f" ({why})"
        if VIDEO not in line.files:
            yield caption, colour, ""
            continue
        path = file_path(line.id, VIDEO)
        try:
            body = await read(http, path, most_bytes=min(MOST_BYTES, left)) if left > 0 else None
        except WorldgenError as error:
            yield f"{caption}; {error.message}", colour, ""
            continue
        if body is not None:
            left -= len(body)
            yield caption, colour, _video(_data(body))
        elif http.settings.key:
            yield f"{caption}; too large to be shown here: variant.save(folder)", colour, ""
        else:
            yield caption, colour, _video(http.settings.url + path)


async def _source(http: Http, lines: Sequence[VariantLine], source: Given | None) -> bytes | None:
    """Find the source: here, where this client sent it, else beside a variant on the server."""
    if (clip := await http.connection.work(partial(_local, source))) is not None:
        return clip
    made = next((line.id for line in lines if VIDEO in line.files), None)
    if made is None:
        return None
    try:
        return await read(http, file_path(made, SOURCE), most_bytes=MOST_BYTES)
    except WorldgenError:
        return None


def _local(source: Given | None) -> bytes | None:
    if isinstance(source, bytes):
        return source if len(source) <= MOST_BYTES else None
    if source is None:
        return None
    path = Path(source)
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= MOST_BYTES else None
    except OSError:
        return None


def _page(head: str, tiles: Sequence[Tile], foot: str) -> str:
    shown = "".join(
        f'<figure style="margin:0;flex:1 1 260px;max-width:420px">{picture}'
        f'<figcaption style="color:{colour}">{_text(caption)}</figcaption></figure>'
        for caption, colour, picture in tiles
    )
    row = f'<div style="display:flex;flex-wrap:wrap;gap:12px;margin-top:6px">{shown}</div>'
    return f"<div><div>{head}</div>{row if tiles else ''}{foot}</div>"


def _video(address: str) -> str:
    shown = "controls autoplay loop muted playsinline"
    return f'<video src="{html.escape(address)}" style="width:100%" {shown}></video>'


def _data(video: bytes) -> str:
    return "data:video/mp4;base64," + base64.b64encode(video).decode()


def _text(text: str) -> str:
    return html.escape(str(text))
