"""Settings of the ingress: keys, limits, and where sources may come from."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class HttpConfig(BaseModel):
    """What the ingress asks for, allows and bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    keys: Literal["auto", "on", "off"] = "auto"
    """Whether requests need a key; auto: off on the loopback alone, on everywhere else."""
    host_names: tuple[str, ...] = ()
    """Names under which the service may be asked (the Host header); empty: its own loopback names where no
    keys are asked for, any where they are."""
    max_body_bytes: int = Field(default=1 << 20, gt=0)
    """Of a JSON body. Uploads have their own limit, `max_upload_bytes`."""
    idle_seconds: float = Field(default=30.0, gt=0)
    """A body that brings nothing for this long is given up."""
    body_seconds: float = Field(default=60.0, gt=0)
    """A JSON body has to be whole by then; an upload has no limit as long as it flows."""
    least_bytes_per_second: int = Field(default=1024, ge=0)
    """A body that is slower than this on average, after `idle_seconds`, is given up."""
    max_streams: int = Field(default=256, gt=0)
    """Event streams at once, per ingress replica."""
    heartbeat_seconds: float = Field(default=15.0, gt=0)
    """A comment is sent on an event stream that has been silent for this long."""
    poll_seconds: float = Field(default=0.2, gt=0)
    """How often an event stream looks for new events."""
    sync_seconds: float = Field(default=300.0, gt=0)
    """How long `/v1/videos/sync` waits before it answers 504 with the job's id."""
    retry_after_seconds: int = Field(default=5, gt=0)
    """Told with 429 when the queue is full."""
    max_specs: int = Field(default=200, gt=0)
    """Of one job, after presets are taken apart."""
    jobs_in_flight: int = Field(default=50, gt=0)
    """Jobs of one owner that wait or run; a key may have its own number."""
    batches_in_flight: int = Field(default=4, gt=0)
    """Batches of one owner that have not ended."""
    variants_per_day: int = Field(default=20_000, gt=0)
    """Of one owner, per day in UTC; a key may have its own number."""
    check_decode_bytes: int = Field(default=64 << 20, ge=0)
    """A clip whose decoded frames are at most this is decoded once before it is accepted."""
    url_hosts: tuple[str, ...] = ()
    """Hosts that https sources may come from: `data.example.com`, or `*.example.com`; empty: none."""
    s3_buckets: tuple[str, ...] = ()
    """Buckets that s3 sources may come from; empty: none."""
    s3_endpoint: str | None = None
    """Of an object store that is not AWS."""
    private_networks: tuple[str, ...] = ()
    """Private networks, as 10.1.0.0/16, that `url_hosts` may be in; the address of cloud metadata stays
    refused."""
    ca_file: Path | None = None
    """Certificates to trust for https sources, in place of the system's."""
    fetch_seconds: float = Field(default=600.0, gt=0)
    """For fetching one source."""
    fetch_first_bytes: int = Field(default=64 << 20, ge=0)
    """A source by address of at most this size is fetched and checked before the job is accepted; a larger
    one while the job prepares."""
    fetch_first_seconds: float = Field(default=10.0, gt=0)
    open_metrics: bool = False
    """Whether /metrics answers without a key where keys are on."""

    @field_validator("url_hosts", "host_names")
    @classmethod
    def _lower(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name.lower().rstrip(".") for name in value)

    def asks_for_keys(self, host: str) -> bool:
        """Whether requests to a service that listens on `host` need a key."""
        return self.keys == "on" or (self.keys == "auto" and host not in LOOPBACK)
