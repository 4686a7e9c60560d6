"""Fetching a source by its address: https and s3 only, from allowed places only, never from inside.

Every name is resolved here, every address it has is checked, and the connection goes to the address that was
checked (a name that answers otherwise the second time gains nothing). Redirects are followed by hand, each
checked like the first. Bodies are taken as they are sent: nothing is unpacked.
"""

import hashlib
import ipaddress
import os
import socket
import ssl
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx2

from serving.http_config import HttpConfig
from worldgen.datatypes.digest import Value
from worldgen.errors import ServiceError, SourceError, disk_errors

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_METADATA: Final = frozenset(
    ipaddress.ip_address(a) for a in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16")
)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MOST_REDIRECTS: Final = 3
_PIECE: Final = 1 << 20


class Fetched(Value):
    """A source that is now a file here."""

    sha256: str
    size: int


class Announced(Value):
    """What a source's server says of it before it is fetched."""

    size: int | None
    version: str
    """Changes with the content, as far as its server says so: an etag, or a time."""


class Fetcher:
    """Fetches sources into the folder of uploads, where each is named by its content.

    Args:
        config: Which places are allowed.
        folder: Of uploads.
        most_bytes: Of one source.
    """

    def __init__(self, config: HttpConfig, folder: Path, most_bytes: int) -> None:
        self._config = config
        self._folder = folder
        self._most = most_bytes
        self._context = ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None)

    def announce(self, address: str) -> Announced:
        """Check an address and ask its server how large the source is.

        Raises:
            ServiceError: `forbidden` for a place that is not allowed; `too_large`.
            SourceError: `not_found`, `timeout`, or `unexpected` when the server answers with something else.
        """
        size: int | None
        if address.startswith("s3://"):
            _, size, version = self._s3(address)
        else:
            with self._open(address, 30.0) as answer:
                size = _length(answer)
                version = str(answer.headers.get("etag") or answer.headers.get("last-modified") or "")
        if size is not None:
            self._check_size(size)
        return Announced(size=size, version=version)

    def fetch(self, address: str, *, seconds: float | None = None) -> Fetched:
        """Fetch a source into the folder of uploads.

        Args:
            address: ``https://...`` or ``s3://bucket/key``.
            seconds: In place of the configured time.

        Raises:
            ServiceError: `forbidden`, `too_large`.
            SourceError: `not_found`, `timeout`, `unexpected`.
            OutputError: `disk_full`.
        """
        end = time.monotonic() + (seconds or self._config.fetch_seconds)
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f".fetching-{os.getpid()}-{uuid.uuid4().hex}"
        try:
            with disk_errors("the folder of uploads"), partial.open("wb") as file:
                state, size = hashlib.sha256(), 0
                for piece in self._pieces(address, end):
                    size += len(piece)
                    self._check_size(size)
                    if time.monotonic() > end:
                        raise _late()
                    state.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            name = state.hexdigest()
            partial.replace(self._folder / name)
        finally:
            partial.unlink(missing_ok=True)
        return Fetched(sha256=name, size=size)

    def _pieces(self, address: str, end: float) -> Iterator[bytes]:
        if address.startswith("s3://"):
            yield from self._s3(address)[0]
            return
        with self._open(address, max(0.1, end - time.monotonic())) as answer:
            if (size := _length(answer)) is not None:
                self._check_size(size)
            try:
                yield from answer.iter_raw(_PIECE)
            except httpx2.TimeoutException:
                raise _late() from None
            except httpx2.HTTPError as error:
                message = f"the source broke off ({type(error).__name__})"
                raise SourceError(message, reason="truncated") from error

    @contextmanager
    def _open(self, address: str, seconds: float) -> Iterator[httpx2.Response]:
        for _ in range(_MOST_REDIRECTS + 1):
            parts = urlsplit(address)
            target = self._check_url(parts)
            host = parts.hostname or ""
            netloc = f"[{target}]" if target.version == 6 else str(target)
            pinned = parts._replace(netloc=f"{netloc}:{parts.port or 443}", fragment="").geturl()
            request = httpx2.Request(
                "GET",
                pinned,
                headers={"Host": parts.netloc, "Accept-Encoding": "identity", "User-Agent": "worldgen"},
                # The certificate has to be the name's, not the address's.
                extensions={"sni_hostname": host, "timeout": httpx2.Timeout(min(30.0, seconds)).as_dict()},
            )
            with httpx2.Client(verify=self._context, trust_env=False) as client:
                try:
                    answer = client.send(request, stream=True, follow_redirects=False)
                except httpx2.TimeoutException:
                    raise _late() from None
                except httpx2.HTTPError as error:
                    message = f"{host} did not answer ({type(error).__name__})"
                    raise SourceError(message, reason="unexpected") from error
                try:
                    if answer.status_code in _REDIRECTS and "location" in answer.headers:
                        address = urljoin(address, answer.headers["location"])
                        continue
                    yield _fine(answer, host)
                    return
                finally:
                    answer.close()
        message = f"more than {_MOST_REDIRECTS} redirects"
        raise ServiceError(message, reason="forbidden")

    def _check_url(self, parts: SplitResult) -> Address:
        """Check an address and return where to connect."""
        host = (parts.hostname or "").lower().rstrip(".")
        try:
            port = parts.port or 443
        except ValueError:
            raise _refused("the port of the address is no port") from None
        if parts.scheme != "https":
            raise _refused(f"sources come by https or s3, not by {parts.scheme or 'nothing'}")
        if parts.username is not None or parts.password is not None:
            raise _refused("an address may not hold a name or password")
        if not any(_matches(host, port, allowed) for allowed in self._config.url_hosts):
            raise _refused(f"sources may not come from {host or 'nowhere'}", "http.url_hosts names who may")
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            message = f"{host} has no address"
            raise SourceError(message, reason="not_found") from error
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        if not addresses or any(self._is_inside(address) for address in addresses):
            raise _refused(f"{host} is an address inside this network")
        return addresses[0]

    def _is_inside(self, address: Address) -> bool:
        address = _embedded(address)
        if address in _METADATA or address.is_link_local or address.is_multicast or address.is_unspecified:
            return True
        if address.is_global:
            return False
        networks = (ipaddress.ip_network(n) for n in self._config.private_networks)
        return not any(address.version == n.version and address in n for n in networks)

    def _s3(self, address: str) -> tuple[Iterator[bytes], int, str]:
        parts = urlsplit(address)
        bucket, key = parts.netloc, parts.path.lstrip("/")
        if bucket not in self._config.s3_buckets:
            raise _refused(
                f"sources may not come from the bucket {bucket or 'without a name'}",
                "http.s3_buckets names which",
            )
        try:
            import obstore
            from obstore.store import S3Store
        except ImportError as error:
            message = "this service has no s3 support: it needs the s3 extra"
            raise ServiceError(message, reason="forbidden", hint='pip install "worldgen[s3]"') from error
        endpoint = self._config.s3_endpoint
        options = {"timeout": "60s", "allow_http": bool(endpoint and endpoint.startswith("http://"))}
        store = S3Store(bucket, client_options=options, **({"endpoint": endpoint} if endpoint else {}))  # type: ignore[arg-type]  # typed by literal keys
        try:
            found = obstore.get(store, key)
        except FileNotFoundError as error:
            message = f"there is no {key!r} in the bucket {bucket}"
            raise SourceError(message, reason="not_found") from error
        except Exception as error:
            message = f"the bucket {bucket} did not answer ({type(error).__name__})"
            raise SourceError(message, reason="unexpected") from error
        pieces = (bytes(piece) for piece in found.stream(min_chunk_size=_PIECE))
        return pieces, int(found.meta["size"]), str(found.meta.get("e_tag") or "")

    def _check_size(self, size: int) -> None:
        if size > self._most:
            message = f"a source may have at most {self._most} bytes"
            raise ServiceError(message, reason="too_large", hint="cut the clip into pieces")


def _matches(host: str, port: int, allowed: str) -> bool:
    # One colon is before a port; several are an address of version 6.
    name, _, said = allowed.partition(":") if allowed.count(":") == 1 else (allowed, "", "")
    if port != int(said or 443):
        return False
    return host.endswith(name[1:]) and host != name[2:] if name.startswith("*.") else host == name


def _embedded(address: Address) -> Address:
    """Take the address of version 4 out of one of version 6 that leads to it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _fine(answer: httpx2.Response, host: str) -> httpx2.Response:
    if answer.status_code in (404, 410):
        message = f"{host} has no such source"
        raise SourceError(message, reason="not_found")
    if answer.status_code != 200:
        message = f"{host} answered {answer.status_code}"
        raise SourceError(message, reason="unexpected")
    if answer.headers.get("content-encoding", "identity") != "identity":
        message = f"{host} sent a packed body, which was not asked for"
        raise SourceError(message, reason="refused_format")
    return answer


def _length(answer: httpx2.Response) -> int | None:
    said = str(answer.headers.get("content-length", ""))
    return int(said) if said.isdigit() else None


def _refused(why: str, hint: str = "") -> ServiceError:
    return ServiceError(why, reason="forbidden", hint=hint)


def _late() -> SourceError:
    message = "fetching the source took too long"
    return SourceError(message, reason="timeout")
