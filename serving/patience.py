"""Patience: a database that is away for a while is waited for, where there is nobody else to tell."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from worldgen.errors import ServiceError

T = TypeVar("T")

_AGAIN_SECONDS: Final = 0.5


def until_answered(ask: Callable[[], T], *, given_up: Callable[[], bool]) -> T:
    """Ask the store until it answers; blocks.

    Args:
        ask: May be done twice: an answer may have been lost on its way.
        given_up: Whether the caller does not want to wait any more.

    Raises:
        ServiceError: Any other than `unreachable`, or that when it was given up.
    """
    while True:
        try:
            return ask()
        except ServiceError as error:
            if error.reason != "unreachable" or given_up():
                raise
        time.sleep(_AGAIN_SECONDS)
