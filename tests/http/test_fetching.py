"""Sources by address: from allowed places only, and never from inside."""

import contextlib
import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from serving.fetching import Fetcher
from serving.http_config import HttpConfig
from tests.situations_http import running
from worldgen.errors import WorldgenError


@dataclass
class Store:
    """A real https server on the loopback, with a certificate for `localhost`."""

    port: int
    ca_file: Path
    files: dict[str, bytes] = field(default_factory=dict)
    moves: dict[str, str] = field(default_factory=dict)
    unsized: set[str] = field(default_factory=set)

    def address(self, name: str) -> str:
        return f"https://localhost:{self.port}/{name}"

    def config(self, **more: object) -> HttpConfig:
        settings = {
            "url_hosts": (f"localhost:{self.port}",),
            "private_networks": ("127.0.0.0/8", "::1/128"),
            "ca_file": self.ca_file,
        }
        return HttpConfig(**(settings | more))


def _certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate, private = folder / "ca.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, private


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    pytest.importorskip("cryptography")
    certificate, private = _certificate(tmp_path_factory.mktemp("ca"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            if name in found.moves:
                self.send_response(302)
                self.send_header("Location", found.moves[name])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = found.files.get(name)
            self.send_response(404 if content is None else 200)
            if name not in found.unsized:
                self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(content or b"")

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found = Store(server.server_address[1], certificate)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()


def _code(fetcher: Fetcher, address: str) -> str:
    with pytest.raises(WorldgenError) as refused:
        fetcher.fetch(address)
    return refused.value.code


def test_a_source_by_https_is_made(store: Store, clip: Path, tmp_path: Path) -> None:
    store.files["clip.mp4"] = clip.read_bytes()
    store.moves["moved.mp4"] = "/clip.mp4"
    http = store.config().model_dump()
    with running(tmp_path / "runs", http=http) as service:
        job = service.submit({"source": store.address("moved.mp4"), "specs": ["fog"]})
        assert job.status_code == 202, job.text
        assert job.json()["source"].startswith("blob:"), "what was fetched is pinned by content"
        assert service.wait(job.json()["id"])["state"] == "completed"
        refused = service.submit({"source": "https://169.254.169.254/latest/meta-data", "specs": ["fog"]})
        assert refused.status_code == 403
        gone = service.submit({"source": store.address("gone.mp4"), "specs": ["fog"]})
        assert (gone.status_code, gone.json()["code"]) == (404, "source.not_found")
    with running(tmp_path / "later", http=http | {"fetch_first_bytes": 10}) as service:
        job = service.submit({"source": store.address("clip.mp4"), "specs": ["fog"]})
        assert job.json()["source"].startswith("https:")
        assert service.wait(job.json()["id"])["state"] == "completed", (
            "a large one is fetched while it prepares"
        )
    with running(tmp_path / "off", works=False) as service:
        assert service.submit({"source": store.address("clip.mp4"), "specs": ["fog"]}).status_code == 403


def test_nothing_from_inside(store: Store, tmp_path: Path) -> None:
    inside = {
        "private": "10.0.0.1", "loopback": "127.0.0.1", "metadata": "169.254.169.254", "v6 loopback": "[::1]",
        "mapped": "[::ffff:10.0.0.1]", "unique local": "[fd00:ec2::254]", "nat64": "[64:ff9b::a9fe:a9fe]",
        "6to4": "[2002:a9fe:a9fe::1]", "nothing": "0.0.0.0", "shared": "100.100.100.200", "decimal": "2852039166",
    }  # fmt: skip
    hosts = tuple(host.strip("[]") for host in inside.values())
    allowed = Fetcher(HttpConfig(url_hosts=("localhost",)), tmp_path, 1000)
    assert _code(allowed, "https://localhost/x") == "service.forbidden", "an allowed name may not lead inside"
    for name, host in inside.items():
        fetcher = Fetcher(HttpConfig(), tmp_path, 1000)
        object.__setattr__(
            fetcher, "_config", HttpConfig.model_construct(**{**HttpConfig().__dict__, "url_hosts": hosts})
        )
        code = _code(fetcher, f"https://{host}/x")
        assert code in ("service.forbidden", "source.not_found"), name
    open_inside = Fetcher(
        store.config(private_networks=("0.0.0.0/0",), url_hosts=("169.254.169.254",)), tmp_path, 1000
    )
    assert _code(open_inside, "https://169.254.169.254/latest") == "service.forbidden", (
        "metadata stays refused"
    )
    for address in (
        "http://localhost/x",
        "https://user:pw@localhost/x",
        "https://localhost:22/x",
        "https://evil.localhost/x",
        "https:///x",
        "https://localhost:99999999/x",
    ):
        assert _code(Fetcher(store.config(), tmp_path, 1000), address) == "service.forbidden", address
    assert not list(tmp_path.iterdir()), "nothing half-written"


def test_redirects_are_checked_like_the_first(store: Store, tmp_path: Path) -> None:
    fetcher = Fetcher(store.config(), tmp_path, 1000)
    store.moves |= {
        "metadata": "https://169.254.169.254/latest/meta-data",
        "plain": f"http://localhost:{store.port}/clip.mp4",
        "file": "file:///etc/passwd",
        "other": "https://example.com/x",
        "round": "/round",
    }
    for name in ("metadata", "plain", "file", "other", "round"):
        assert _code(fetcher, store.address(name)) == "service.forbidden", name


def test_the_size_is_bounded_said_or_not(store: Store, tmp_path: Path) -> None:
    store.files |= {"said": b"x" * 5000, "unsaid": b"x" * 5000}
    store.unsized.add("unsaid")
    fetcher = Fetcher(store.config(), tmp_path, 1000)
    assert _code(fetcher, store.address("said")) == "service.too_large"
    assert _code(fetcher, store.address("unsaid")) == "service.too_large"
    assert not list(tmp_path.iterdir())


def test_the_certificate_is_the_names(store: Store, tmp_path: Path) -> None:
    stranger = Fetcher(store.config(ca_file=None), tmp_path, 1000)
    assert _code(stranger, store.address("clip.mp4")) == "source.unexpected"
    by_number = Fetcher(store.config(url_hosts=(f"127.0.0.1:{store.port}",)), tmp_path, 1000)
    assert _code(by_number, f"https://127.0.0.1:{store.port}/clip.mp4") == "source.unexpected"


def test_addresses_inside_are_known_as_such() -> None:
    fetcher = Fetcher(HttpConfig(), Path(), 1)
    for inside in (
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ):
        assert fetcher._is_inside(ipaddress.ip_address(inside)), inside
    for outside in ("8.8.8.8", "2606:4700::1111"):
        assert not fetcher._is_inside(ipaddress.ip_address(outside)), outside


def test_s3_from_allowed_buckets(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore")
    content = clip.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here = self.path == "/clips/day/a.mp4"
            self.send_response(200 if here else 404)
            self.send_header("Content-Length", str(len(content) if here else 0))
            self.send_header("ETag", '"1"')
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            self.end_headers()
            if here:
                self.wfile.write(content)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    config = HttpConfig(s3_buckets=("clips",), s3_endpoint=f"http://127.0.0.1:{server.server_address[1]}")
    try:
        fetcher = Fetcher(config, tmp_path, 1 << 30)
        assert fetcher.announce("s3://clips/day/a.mp4").size == len(content)
        fetched = fetcher.fetch("s3://clips/day/a.mp4")
        assert (tmp_path / fetched.sha256).read_bytes() == content
        assert _code(fetcher, "s3://clips/day/b.mp4") == "source.not_found"
        assert _code(fetcher, "s3://others/day/a.mp4") == "service.forbidden"
        assert _code(Fetcher(config, tmp_path, 10), "s3://clips/day/a.mp4") == "service.too_large"
    finally:
        server.shutdown()
