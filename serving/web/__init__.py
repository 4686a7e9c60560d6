"""The page at `/`: submit, watch, compare, audit. Server-rendered; asks nothing of any other address."""

from serving.web.backend import Backend, Principal
from serving.web.ingress import IngressBackend, add_ingress_page
from serving.web.routes import add_page
from serving.web.session import COOKIE, Sessions, session_of

__all__ = [
    "COOKIE",
    "Backend",
    "IngressBackend",
    "Principal",
    "Sessions",
    "add_ingress_page",
    "add_page",
    "session_of",
]
