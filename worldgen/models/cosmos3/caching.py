"""Step caching: diffusers' SeaCache on the network, approximate, off unless a request asks for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from diffusers import Cosmos3OmniTransformer, SeaCacheConfig

from worldgen.errors import ContractError


@contextmanager
def step_cache(network: Cosmos3OmniTransformer, settings: dict[str, Any] | None) -> Iterator[None]:
    """Keep the cache on the network for one request; None: leave the network as it is.

    Args:
        network: Whose forward is cached.
        settings: Of diffusers' `SeaCacheConfig`.

    Raises:
        ContractError: `parameters`: settings that SeaCache does not take.
    """
    if settings is None:
        yield
        return
    try:
        config = SeaCacheConfig(**settings)
    except (TypeError, ValueError) as exc:
        message = f"SeaCache does not take these settings: {exc}"
        raise ContractError(message, reason="parameters") from exc
    network.enable_cache(config)
    try:
        yield
    finally:
        network.disable_cache()


def forget_steps(network: Cosmos3OmniTransformer) -> None:
    """Forget the steps of the chunk before."""
    if network.is_cache_enabled:
        network._reset_stateful_cache()
