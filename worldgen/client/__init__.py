"""The Python client: knows the wire and nothing else; needs neither torch nor ray nor OpenCV."""

from worldgen.client.batch import AsyncBatch, Batch
from worldgen.client.client import AsyncClient, Client
from worldgen.client.errors import Refused, RefusedInput
from worldgen.client.job import AsyncJob, Job
from worldgen.client.variant import AsyncVariant, Variant

__all__ = [
    "AsyncBatch",
    "AsyncClient",
    "AsyncJob",
    "AsyncVariant",
    "Batch",
    "Client",
    "Job",
    "Refused",
    "RefusedInput",
    "Variant",
]
