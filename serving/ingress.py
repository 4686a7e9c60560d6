"""The ingress: the HTTP application and the page, over one backend."""

from typing import TYPE_CHECKING

from serving.config import ServiceConfig
from serving.http import build_http
from serving.web import Sessions, add_ingress_page

if TYPE_CHECKING:
    from fastapi import FastAPI

    from serving.http import Backend


def build_ingress(config: ServiceConfig, backend: "Backend") -> "FastAPI":
    """Make what answers at an address: `/v1` for programs, `/` for people.

    Args:
        config: Of the service.
        backend: Stores, queue and contracts.
    """
    sessions = Sessions(backend.keys.session_secret())
    app = build_http(config, backend, sessions=sessions)
    add_ingress_page(app, sessions)
    return app
