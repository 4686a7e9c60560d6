"""Settings of the service, from configs/serving/*.yaml and the command line."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from serving.http_config import HttpConfig


class ServiceConfig(BaseModel):
    """One machine, one world model: the slice that the full service grows from."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    out: Path = Path("runs")
    """Folder of results, uploads and scratch."""
    model: str = "physics"
    parameters: dict[str, float | int | str | bool] = {}
    """Of the model, in place of its own."""
    source_roots: tuple[Path, ...] = ()
    """Folders that a job may name paths in; empty: uploads only."""
    max_upload_bytes: int = 2 << 30
    max_queued_jobs: int = 64
    generator_cpus: float = 1.0
    critic_cpus: float = 0.5
    keep_jobs_days: float = Field(default=30.0, gt=0)
    http: HttpConfig = HttpConfig()
    """Keys, limits, and where sources may come from."""
    database: str = ""
    """Address of the store; empty: SQLite beside the results."""

    @property
    def scratch(self) -> Path:
        """Arrays that travel between replicas by reference."""
        return self.out / "scratch"

    @property
    def database_url(self) -> str:
        """Where jobs and keys are kept."""
        return self.database or f"sqlite:///{self.out / 'service.db'}"

    @property
    def blobs(self) -> Path:
        """Uploads by content."""
        return self.out / "blobs"
