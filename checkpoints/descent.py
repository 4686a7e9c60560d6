"""Descent: Muon for the weights of layers, AdamW for everything else, with a state that can be saved.

Muon (Jordan et al. 2024): momentum, then the nearest orthogonal matrix by five Newton-Schulz iterations.
Convolutions are matrices [out, in * kernel]. AdamW: Loshchilov and Hutter 2019.
"""

from collections.abc import Callable, Iterable
from typing import Final

import torch
from torch import Tensor, nn

COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
MOMENTUM: Final = 0.95
BETAS: Final = (0.9, 0.98)
EPSILON: Final = 1e-8


class Descent:
    """Optimises named parameters.

    Args:
        parameters: All that learn.
        is_matrix: Whether a parameter goes to Muon; asked of matrices alone.
        matrix_rate: Of Muon.
        other_rate: Of AdamW.
        weight_decay: Of both, decoupled; not on vectors.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        *,
        is_matrix: Callable[[str, nn.Parameter], bool],
        matrix_rate: float,
        other_rate: float,
        weight_decay: float,
    ) -> None:
        self._parameters = dict(parameters)
        self._matrices = {n for n, p in self._parameters.items() if has_rank(p) and is_matrix(n, p)}
        self._rates = (matrix_rate, other_rate)
        self._decay = weight_decay
        self._slots: dict[str, Tensor] = {}
        self._count = 0

    def zero(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters.values():
            parameter.grad = None

    def clip(self, largest: float) -> float:
        """Shorten the gradient to a norm; return the norm it had."""
        learning = [p for p in self._parameters.values() if p.grad is not None]
        return float(torch.nn.utils.clip_grad_norm_(learning, largest))

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """Take one step at `scale` times the rates."""
        self._count += 1
        by_shape: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = {}
        for name, parameter in self._parameters.items():
            if parameter.grad is None:
                continue
            if name in self._matrices:
                ahead = self._ahead(name, parameter)
                by_shape.setdefault((ahead.shape[0], ahead.shape[1]), []).append((parameter, ahead))
            else:
                self._adamw(name, parameter, self._rates[1] * scale)
        for shape, members in by_shape.items():
            self._muon(shape, members, self._rates[0] * scale)

    def _ahead(self, name: str, parameter: nn.Parameter) -> Tensor:
        """Return the gradient with Nesterov's momentum, as a matrix."""
        gradient = parameter.grad
        assert gradient is not None  # noqa: S101 -- `step` has looked
        momentum = self._slot(f"{name}.momentum", parameter)
        momentum.lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(momentum, MOMENTUM).flatten(1)

    def _muon(self, shape: tuple[int, int], members: list[tuple[nn.Parameter, Tensor]], rate: float) -> None:
        """Move matrices of one shape together: their iterations are one batched product."""
        updates = orthogonal(torch.stack([ahead for _, ahead in members]))
        # As in Jordan's own code: tall matrices take longer steps, so that one rate suits every shape.
        stretch = max(1.0, shape[0] / shape[1]) ** 0.5
        for (parameter, _), update in zip(members, updates, strict=True):
            parameter.mul_(1 - rate * self._decay)
            parameter.add_(update.view_as(parameter).to(parameter.dtype), alpha=-rate * stretch)

    def _adamw(self, name: str, parameter: nn.Parameter, rate: float) -> None:
        gradient = parameter.grad
        assert gradient is not None  # noqa: S101 -- `step` has looked
        mean, square = self._slot(f"{name}.mean", parameter), self._slot(f"{name}.square", parameter)
        mean.lerp_(gradient, 1 - BETAS[0])
        square.lerp_(gradient * gradient, 1 - BETAS[1])
        unbiased = (square / (1 - BETAS[1] ** self._count)).sqrt_().add_(EPSILON)
        if has_rank(parameter):
            parameter.mul_(1 - rate * self._decay)
        parameter.addcdiv_(mean / (1 - BETAS[0] ** self._count), unbiased, value=-rate)

    def _slot(self, name: str, like: Tensor) -> Tensor:
        if name not in self._slots:
            self._slots[name] = torch.zeros_like(like, memory_format=torch.contiguous_format)
        return self._slots[name]

    def state(self) -> dict[str, Tensor]:
        """Return all that the next step depends on; the tensors are the live ones."""
        return {**self._slots, "count": torch.tensor(self._count)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` returned."""
        self._count = int(state["count"])
        where = {name: p.device for name, p in self._parameters.items()}
        self._slots = {
            name: value.to(where[name.rpartition(".")[0]]) for name, value in state.items() if name != "count"
        }


def has_rank(parameter: Tensor) -> bool:
    """Whether a parameter is a matrix; gains of a normalisation are vectors of shape [n, 1, 1], say."""
    return parameter.ndim >= 2 and parameter.numel() > max(parameter.shape)


def orthogonal(matrices: Tensor) -> Tensor:
    """Return (nearly) the orthogonal factors of matrices [..., rows, columns], by Newton-Schulz.

    In bfloat16, where it is fast on GPUs and processors alike; the iteration forgives it.
    """
    a, b, c = COEFFICIENTS
    x = matrices.to(torch.bfloat16)
    is_tall = x.shape[-2] > x.shape[-1]
    x = x.mT if is_tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    found: Tensor = x.mT if is_tall else x
    return found.to(matrices.dtype)
