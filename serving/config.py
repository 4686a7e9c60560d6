"""Settings of the service: the typed half of configs/serving/*.yaml."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from serving.http_config import HttpConfig
from worldgen.errors import ContractError

Parameters = dict[str, float | int | str | bool]

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class AutoscaleConfig(_Section):
    """Replicas by what waits for them."""

    least: int = Field(default=1, ge=0)
    most: int = Field(default=4, ge=1)
    ongoing: float = Field(default=1.0, gt=0)
    """Generations per replica that are aimed at, those that wait included; 1: whatever waits gets a replica
    of its own, up to `most`. A runner sends at most `most` at once: a lone one needs 1 to get that far."""

    @model_validator(mode="after")
    def _is_a_range(self) -> "AutoscaleConfig":
        if self.least > self.most:
            msg = f"least ({self.least}) is more than most ({self.most})"
            raise ValueError(msg)
        return self


class ModelConfig(_Section):
    """One world model and the replicas that hold it."""

    name: str = "physics"
    """Of configs/models, or physics or fake."""
    parameters: Parameters = {}
    """In place of the model's own."""
    replicas: int = Field(default=1, ge=1)
    autoscale: AutoscaleConfig | None = None
    """In place of a fixed number of replicas."""
    cpus: float = Field(default=1.0, ge=0)
    gpus: float = Field(default=0.0, ge=0)
    """Per replica; a fraction below 1 shares a GPU, a whole number above 1 is one replica over several GPUs
    of one node."""

    @field_validator("gpus")
    @classmethod
    def _shares_or_gathers(cls, value: float) -> float:
        if value > 1 and value != int(value):
            msg = f"a replica has a fraction of one GPU, or whole GPUs, not {value:g}"
            raise ValueError(msg)
        return value


class IngressConfig(_Section):
    """The HTTP replicas."""

    replicas: int = Field(default=1, ge=1)
    cpus: float = Field(default=0.1, ge=0)
    ongoing: int = Field(default=800, ge=1)
    """Requests at once per replica, event streams included."""
    waiting: int = Field(default=400, ge=1)
    """Requests that may wait for a replica; more are answered 429 with Retry-After."""


class RunnerConfig(_Section):
    """The replicas that take jobs."""

    replicas: int = Field(default=1, ge=1)
    cpus: float = Field(default=0.1, ge=0)
    jobs_each: int = Field(default=1, ge=1)
    """Jobs of each priority that one runner works on at once."""
    jobs_per_owner: int = Field(default=4, ge=1)
    """Jobs of each priority that all runners together work on for one key at once."""
    variants_in_flight: int = Field(default=2, ge=1)
    """Of one job: judging one overlaps generating the next."""
    poll_seconds: float = Field(default=0.1, gt=0)
    """How often a runner looks for an interactive job; for a batch job five times more rarely."""
    beat_seconds: float = Field(default=1.0, gt=0)
    dead_after_seconds: float = Field(default=10.0, gt=0)
    """A runner that has been silent for this long is dead: another takes over its jobs."""
    attempts: int = Field(default=20, ge=1)
    """A job that has ended so many runners is failed, not tried again."""
    drain_seconds: float = Field(default=20.0, ge=0)
    """When a runner is told to leave, the variants under way may be finished for this long; what is not is
    left to the next runner."""

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> "RunnerConfig":
        if self.dead_after_seconds < 3 * self.beat_seconds:
            msg = "dead_after_seconds must be at least three beats: one that is late is not dead"
            raise ValueError(msg)
        return self


class CriticConfig(_Section):
    """The replicas that extract and judge: the measured panel."""

    replicas: int = Field(default=1, ge=1)
    cpus: float = Field(default=0.5, ge=0)
    vlm_endpoint: str = ""
    """Where a reasoning critic answers, as https://host/v1: an endpoint, or an LLM deployment of the same
    cluster. Not used yet: the panel is the measured one, and `worldgen status` says so."""

    @field_validator("vlm_endpoint")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not value:
            return value
        try:
            found = urlsplit(value)
            is_one = found.scheme in ("http", "https") and bool(found.hostname) and (found.port or 1) > 0
        except ValueError:
            is_one = False
        if not is_one or found.query or found.fragment:
            msg = "an endpoint is https://host[:port]/path or http://host[:port]/path, without a query"
            raise ValueError(msg)
        if found.username is not None:
            msg = "an endpoint's key does not belong into its address"
            raise ValueError(msg)
        return value


class ServiceConfig(_Section):
    """One service: where it listens, what it keeps, and which replicas it has."""

    name: str = Field(default="worldgen", pattern=r"^[a-z0-9-]{1,40}$")
    """Of this deployment: two that share a database need different names."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    out: Path = Path("runs")
    """Folder of results, uploads and scratch; on a cluster, one that all nodes see."""
    database: str = ""
    """Address of the store of jobs; empty: SQLite in the folder of results."""
    workflows: str = ""
    """Address of the workflow journal; empty: SQLite in the folder of results, or the same Postgres."""
    models: tuple[ModelConfig, ...] = Field(default=(ModelConfig(),), min_length=1)
    """The first is the default."""
    ingress: IngressConfig = IngressConfig()
    runner: RunnerConfig = RunnerConfig()
    critic: CriticConfig = CriticConfig()
    batches: bool = False
    """Whether `/v1/batches` takes batches. They go through Ray's dashboard, which `worldgen serve` starts for
    that alone: seconds, and some hundred megabytes, that others are spared."""
    http: HttpConfig = HttpConfig()
    """Keys, limits, and where sources may come from."""
    source_roots: tuple[Path, ...] = ()
    """Folders that a job may name paths in; empty: uploads only."""
    max_upload_bytes: int = Field(default=2 << 30, gt=0)
    max_queued_jobs: int = Field(default=64, ge=1)
    keep_jobs_days: float = Field(default=30.0, gt=0)
    """Ended jobs are forgotten after this; their variants stay in the catalogue."""
    keep_uploads_days: float = Field(default=3.0, gt=0)
    """Uploads that no job names are removed after this."""
    keep_audit_log_days: float = Field(default=400.0, gt=0)
    """Lines of the audit log, and what each key used per day, are forgotten after this."""
    keep_scratch_hours: float = Field(default=24.0, gt=0)
    cache_bytes: int = Field(default=1 << 30, gt=0)
    """Decoded clips and geometry that each generator and critic replica keeps in memory."""
    start_seconds: float = Field(default=900.0, gt=0)
    """A replica that needs longer to load is broken, not loading."""

    @field_validator("models")
    @classmethod
    def _each_once(cls, value: tuple[ModelConfig, ...]) -> tuple[ModelConfig, ...]:
        names = [model.name for model in value]
        if len(set(names)) != len(names):
            msg = f"each world model once, got {', '.join(names)}"
            raise ValueError(msg)
        return value

    @property
    def model(self) -> str:
        """The default world model."""
        return self.models[0].name

    @property
    def parameters(self) -> Parameters:
        """Of the default world model."""
        return self.models[0].parameters

    @property
    def database_url(self) -> str:
        """Where jobs and keys are kept."""
        return self.database or f"sqlite:///{self.out.resolve() / 'service.db'}"

    @property
    def workflows_url(self) -> str:
        """Where DBOS keeps its journal: a file of its own in SQLite, which has one writer per file."""
        if self.workflows or self.database.startswith("postgres"):
            return self.workflows or self.database
        return f"sqlite:///{self.out.resolve() / 'workflows.db'}"

    @property
    def scratch(self) -> Path:
        """Arrays that travel between replicas by reference."""
        return self.out / "scratch"

    @property
    def blobs(self) -> Path:
        """Uploads by content."""
        return self.out / "blobs"

    def model_named(self, name: str) -> ModelConfig:
        """Return a served world model; the empty name is the default's.

        Raises:
            ContractError: `unknown_model`, naming those that are served.
        """
        found = self.models[0] if not name else next((m for m in self.models if m.name == name), None)
        if found is None:
            served = ", ".join(model.name for model in self.models)
            message = f"this service has no world model {name!r}; it has: {served}"
            raise ContractError(message, reason="unknown_model")
        return found

    def executors(self) -> tuple[str, ...]:
        """Name the runner replicas: the same names after every restart."""
        return tuple(f"{self.name}-runner-{index}" for index in range(self.runner.replicas))
