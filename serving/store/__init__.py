"""The store: what the service must not forget, in SQLite or Postgres. No pixels, no files of results."""

from serving.store.database import Database
from serving.store.jobs import JobStore

__all__ = ["Database", "JobStore"]
