"""The ingress: authenticates, checks, stores uploads, accepts and answers; never touches pixels."""

from serving.http.app import build_http
from serving.http.backend import Backend

__all__ = ["Backend", "build_http"]
