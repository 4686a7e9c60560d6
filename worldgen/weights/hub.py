"""The hub: what worldgen asks of huggingface_hub, in one place, with its failures in our words.

``HF_TOKEN`` (or the token of ``hf auth login``) and ``HF_ENDPOINT`` (a mirror) are honoured;
``HF_HUB_OFFLINE=1`` means that nothing is asked. Files are fetched with huggingface_hub's own HTTP reader
into a partial file of ours: `hf_hub_download` throws a partial file away when the process ends, and these
are of several gigabytes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from worldgen.errors import ConfigError, WeightsError, WorldgenError, disk_errors
from worldgen.weights.manifest import WeightsEntry
from worldgen.weights.store import Tell

_PUBLIC: Final = "https://huggingface.co"
_TRIES: Final = 5
"""Without any new byte, before giving up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One file of a repository, as the hub lists it."""

    path: str
    size: int
    sha256: str
    """Empty for small files, which the hub names by their git digest only."""
    git_sha1: str


def endpoint() -> str:
    """Return the hub's address: ``$HF_ENDPOINT``, else the public one."""
    return os.environ.get("HF_ENDPOINT", _PUBLIC).rstrip("/")


def is_offline() -> bool:
    """Whether the user asked that nothing be fetched."""
    return any(
        os.environ.get(name, "").lower() in ("1", "true", "yes", "on")
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )


def list_files(entry: WeightsEntry, revision: str) -> tuple[str, tuple[RemoteFile, ...]]:
    """Ask for a revision's commit and its files.

    Args:
        entry: Its repository is asked for.
        revision: A commit or a branch.

    Raises:
        WeightsError: `gated`, `not_found`, `unreachable`, `offline`.
    """
    hub = _library()
    with _in_our_words(entry, f"list the files of {entry.repository}"):
        info = hub.HfApi(endpoint=endpoint()).model_info(
            entry.repository, revision=revision, files_metadata=True, timeout=30
        )
    if not info.sha or not info.siblings:
        message = f"{endpoint()} lists no files of {entry.repository} at {revision}"
        raise WeightsError(message, reason="not_found")
    files = tuple(
        RemoteFile(
            path=s.rfilename,
            size=int((s.lfs.size if s.lfs else s.size) or 0),
            sha256=s.lfs.sha256 if s.lfs else "",
            git_sha1="" if s.lfs else (s.blob_id or ""),
        )
        for s in info.siblings
    )
    return info.sha, files


def fetch_file(entry: WeightsEntry, commit: str, path: str, size: int, to: Path, tell: Tell) -> bool:
    """Fetch one file, going on where a partial file ends.

    Args:
        entry: Its repository.
        commit: Which revision of it.
        path: Of the file, inside the repository.
        size: Bytes that the file must have.
        to: The partial file.
        tell: Called with the file's name and its bytes done and in all; may raise to stop.

    Returns:
        Whether a partial file was continued.

    Raises:
        WeightsError: `gated`, `not_found`, `unreachable`, `offline`, `damaged` (another size than expected).
    """
    with _in_our_words(entry, f"fetch {path} of {entry.repository}"), disk_errors(to.parent):
        to.parent.mkdir(parents=True, exist_ok=True)
        began = _size_of(to)
        if began > size:
            to.unlink()
            began = 0
        counter = _counter(path, size, began, tell)
        while True:
            had = _size_of(to)
            where, headers = _place_of(entry, commit, path, size)
            try:
                _read(where, headers, size, to, counter)
            except _expired() as exc:
                # The hub redirects to addresses that are signed for an hour; large files take longer.
                if exc.response.status_code != 403 or _size_of(to) <= had:
                    raise
            else:
                return began > 0


def _place_of(entry: WeightsEntry, commit: str, path: str, size: int) -> tuple[str, dict[str, str]]:
    """Ask where a file is now, and with which headers it is read; the token stays with the hub."""
    hub = _library()
    url = hub.hf_hub_url(entry.repository, path, revision=commit, endpoint=endpoint())
    headers = hub.utils.build_hf_headers(library_name="worldgen")
    meta = hub.get_hf_file_metadata(url, headers=headers, timeout=30, endpoint=endpoint())
    if meta.size is not None and meta.size != size:
        message = f"{path} of {entry.repository} has {meta.size} bytes there, {size} were expected"
        raise WeightsError(message, reason="damaged")
    where = meta.location or url
    if urlsplit(where).netloc != urlsplit(url).netloc:
        headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
    return where, {**headers, "Accept-Encoding": "identity"}


def _read(url: str, headers: dict[str, str], size: int, to: Path, counter: Any) -> None:  # noqa: ANN401 -- stands in for a tqdm class
    import httpx2
    from huggingface_hub.file_download import http_get

    tries = 0
    while True:
        began = _size_of(to)
        try:
            with to.open("r+b" if began else "wb") as file:
                file.seek(began)
                http_get(
                    url,
                    file,
                    resume_size=began,
                    headers=dict(headers),
                    expected_size=size,
                    tqdm_class=counter,
                )
        except httpx2.TransportError:
            tries = 0 if _size_of(to) > began else tries + 1
            if tries >= _TRIES:
                raise
        else:
            return


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _expired() -> Any:  # noqa: ANN401 -- an exception class of an optional library
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError


def _counter(path: str, size: int, began: int, tell: Tell) -> Any:  # noqa: ANN401 -- stands in for a tqdm class
    """Make what huggingface_hub takes for a progress bar, and reports to us instead of the terminal."""

    class Counter:
        def __init__(self, **options: Any) -> None:  # noqa: ANN401 -- those of tqdm
            self.done = int(options.get("initial") or 0)

        def __enter__(self) -> "Counter":
            return self

        def __exit__(self, *problem: object) -> None:
            del problem

        def update(self, count: float = 1) -> None:
            self.done += int(count)
            tell(path, min(size, self.done), size)

    tell(path, began, size)
    return Counter


@contextmanager
def _in_our_words(entry: WeightsEntry, doing: str) -> Iterator[None]:
    """Turn huggingface_hub's failures into `WeightsError`s that say what to do."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except WorldgenError:
        raise
    except errors.GatedRepoError as exc:
        raise _gated(entry) from exc
    except (errors.RevisionNotFoundError, errors.EntryNotFoundError) as exc:
        message = f"could not {doing}: {endpoint()} has no such file or revision"
        raise WeightsError(message, reason="not_found") from exc
    except errors.RepositoryNotFoundError as exc:
        if entry.gated:
            raise _gated(entry) from exc
        message = f"{endpoint()} shows no repository {entry.repository}: missing, or private to others"
        hint = "a private repository needs HF_TOKEN; a mirror (HF_ENDPOINT) may not have it"
        raise WeightsError(message, reason="not_found", hint=hint) from exc
    except errors.OfflineModeIsEnabled as exc:
        raise offline(entry) from exc
    except errors.HfHubHTTPError as exc:
        status = getattr(getattr(exc, "response", None), "status_code", 0)
        if status in (401, 403):
            raise _gated(entry) from exc
        message = f"could not {doing}: {endpoint()} answered {status or 'with an error'}"
        raise WeightsError(message, reason="unreachable", hint=_GO_ON) from exc
    except (httpx2.HTTPError, ConnectionError, TimeoutError) as exc:
        message = f"could not {doing} from {endpoint()}: {type(exc).__name__}: {exc}"
        raise WeightsError(message, reason="unreachable", hint=_GO_ON) from exc
    except OSError as exc:
        if exc.errno is not None:
            raise
        message = f"could not {doing}: {exc}"
        raise WeightsError(message, reason="damaged", hint=_GO_ON) from exc


_GO_ON: Final = "what is here is kept; run the same command again to go on (HF_ENDPOINT names a mirror)"


def _gated(entry: WeightsEntry) -> WeightsError:
    page = entry.license_url or f"{endpoint()}/{entry.repository}"
    has_token = bool(_library().get_token())
    message = f"{entry.repository} is gated: its licence ({entry.license}) has to be accepted first"
    step = (
        "the token that is set is of an account that has not done so, or may not read gated repositories"
        if has_token
        else "then make a token there with read access to gated repositories and set HF_TOKEN"
    )
    return WeightsError(message, reason="gated", hint=f"sign in and accept at {page}; {step}")


def offline(entry: WeightsEntry) -> WeightsError:
    """Make the error for a fetch that the user forbade."""
    message = f"{entry.name} would be fetched from {endpoint()}, but offline mode is set (HF_HUB_OFFLINE)"
    hint = "unset HF_HUB_OFFLINE, or copy the store of another machine (WORLDGEN_WEIGHTS)"
    return WeightsError(message, reason="offline", hint=hint)


def _library() -> Any:  # noqa: ANN401 -- the module huggingface_hub
    try:
        import huggingface_hub
    except ImportError as exc:
        message = "fetching weights needs huggingface_hub"
        raise ConfigError(message, reason="missing_extra", hint="pip install 'worldgen[models]'") from exc
    return huggingface_hub
