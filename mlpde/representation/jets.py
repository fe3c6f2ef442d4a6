"""Arithmetic on jets: a function's value and its derivatives in the point, carried through an expression together.

A jet is one tensor (channels, n, ...) over n points: the value, then the first, second derivatives and Laplacians that
`Channels` lists. By the chain and the product rule no nested automatic differentiation is needed; the Laplacian alone
costs one channel instead of d (the forward Laplacian of Li et al., arXiv 2307.08214). Everything is differentiable.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch

from mlpde.formulation.torch_expression import Alpha, Jets, laplacian


@dataclass(frozen=True)
class Channels:
    """Which derivatives a jet carries: channel 0 is the value, then `first`, `second`, and `traces` (Laplacians)."""

    requested: tuple[Alpha, ...]
    first: tuple[int, ...]
    second: tuple[Alpha, ...]
    traces: tuple[int, ...]

    @staticmethod
    def of(derivatives: Iterable[Alpha], dimension: int) -> "Channels":
        """The channels for derivatives of functions of `dimension` variables; ValueError for what is none."""
        requested = tuple(dict.fromkeys(derivatives))
        traces = tuple(-a[0] for a in requested if a and a == laplacian(-a[0]) and 0 < -a[0] <= dimension)
        plain = [alpha for alpha in requested if not alpha or -alpha[0] not in traces]
        for alpha in plain:
            if len(alpha) > 2 or list(alpha) != sorted(alpha) or not all(0 <= i < dimension for i in alpha):
                raise ValueError(
                    f"Derivative {alpha} is not one of (), (i,), (i, j) with i <= j and directions below {dimension}, "
                    "or laplacian(d)."
                )
        first = set(chain.from_iterable(plain)) | set(range(max(traces, default=0)))
        second = tuple(alpha for alpha in plain if len(alpha) == 2)
        return Channels(requested, tuple(sorted(first)), second, traces)

    @property
    def split(self) -> int:
        """Where the second derivatives begin."""
        return 1 + len(self.first)

    @property
    def count(self) -> int:
        """Number of channels."""
        return self.split + len(self.second) + len(self.traces)

    @property
    def curved(self) -> bool:
        """True if derivatives of second order are carried."""
        return self.count > self.split

    @property
    def carried(self) -> list[Alpha]:
        """The derivative in each channel."""
        return [(), *((i,) for i in self.first), *self.second, *map(laplacian, self.traces)]

    def cross(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """The products a_i b_j of first derivatives, one for every second derivative, and sum_i a_i b_i for a trace."""
        place = {i: 1 + k for k, i in enumerate(self.first)}
        products = [a[place[i]] * b[place[j]] for i, j in self.second]
        products += [(a[1 : 1 + d] * b[1 : 1 + d]).sum(0) for d in self.traces]
        return torch.stack(products)

    def crossed(self, a: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """The gradient by the first derivatives of the sum of g times `cross(a, a)`."""
        total = [torch.zeros_like(a[0])] * len(self.first)
        for (i, j), weight in zip(self.second, g[self.split :], strict=False):
            k, m = self.first.index(i), self.first.index(j)
            total[k] = total[k] + weight * a[1 + m]
            total[m] = total[m] + weight * a[1 + k]
        found = torch.stack(total)
        for d, weight in zip(self.traces, g[self.split + len(self.second) :], strict=True):
            found[:d] += 2.0 * weight * a[1 : 1 + d]
        return found

    def select(self, jet: torch.Tensor) -> Jets:
        """The requested derivatives by name."""
        position = {alpha: k for k, alpha in enumerate(self.carried)}
        return {alpha: jet[position[alpha]] for alpha in self.requested}


def coordinates(points: torch.Tensor, channels: Channels) -> torch.Tensor:
    """The jet (channels, n, D) of the identity at points (n, D)."""
    jet = points.new_zeros(channels.count, *points.shape)
    jet[0] = points
    for channel, direction in enumerate(channels.first, start=1):
        jet[channel, :, direction] = 1.0
    return jet


def linear(jet: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """W a + b, with weight (out, in) and bias (out,)."""
    shift = torch.nn.functional.pad(bias[None, None], (0, 0, 0, 0, 0, len(jet) - 1))  # of the value alone
    return torch.baddbmm(shift, jet, weight.T.expand(len(jet), -1, -1))


def product(a: torch.Tensor, b: torch.Tensor, channels: Channels) -> torch.Tensor:
    """a b: the product rule up to a_i b_j + a_j b_i + a b_ij + a_ij b."""
    parts = [a[:1] * b[:1], a[0] * b[1:] + a[1:] * b[0]]
    if channels.curved:
        second = parts[1][channels.split - 1 :] + channels.cross(a, b) + channels.cross(b, a)
        parts[1:] = [parts[1][: channels.split - 1], second]
    return torch.cat(parts)


def composed(derivatives: Iterable[torch.Tensor], a: torch.Tensor, channels: Channels) -> torch.Tensor:
    """s(a): s, s' a_i, and s'' a_i a_j + s' a_ij, with `derivatives` = s, s', s'' at a's value."""
    found = iter(derivatives)
    value = next(found)[None]
    if channels.count == 1:
        return value
    slope = next(found)
    parts = [value, slope * a[1 : channels.split]]
    if channels.curved:
        parts.append(slope * a[channels.split :] + next(found) * channels.cross(a, a))
    return torch.cat(parts)


def activate(name: str, a: torch.Tensor, channels: Channels) -> torch.Tensor:
    """s(a) for an activation of the table ACTIVATIONS."""
    return _Activation.apply(a, name, channels)


class _Activation(torch.autograd.Function):
    """`composed` with its gradient in closed form: fewer passes over the memory than one for each operation."""

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, name: str, channels: Channels) -> torch.Tensor:
        ctx.save_for_backward(a)
        ctx.name, ctx.channels = name, channels
        return composed(ACTIVATIONS[name](a[0]), a, channels)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (a,), channels, split = ctx.saved_tensors, ctx.channels, ctx.channels.split
        derivatives = ACTIVATIONS[ctx.name](a[0])
        next(derivatives)
        slope = next(derivatives)
        value = slope * g[0]
        if channels.count == 1:
            return value[None], None, None
        curvature = next(derivatives)
        value = value + curvature * (g[1:] * a[1:]).sum(0)
        if not channels.curved:
            return torch.cat([value[None], slope * g[1:]]), None, None
        value = value + next(derivatives) * (g[split:] * channels.cross(a, a)).sum(0)
        first = slope * g[1:split] + curvature * channels.crossed(a, g)
        return torch.cat([value[None], first, slope * g[split:]]), None, None


def _tanh(x: torch.Tensor) -> Iterator[torch.Tensor]:
    value = torch.tanh(x)
    yield value
    slope = 1.0 - value * value
    yield slope
    yield -2.0 * value * slope
    yield slope * (4.0 - 6.0 * slope)


def _sin(x: torch.Tensor) -> Iterator[torch.Tensor]:
    value, slope = torch.sin(x), torch.cos(x)
    yield value
    yield slope
    yield -value
    yield -slope


def _cubic(x: torch.Tensor) -> Iterator[torch.Tensor]:
    positive = torch.relu(x)
    square = positive * positive
    yield square * positive
    yield 3.0 * square
    yield 6.0 * positive
    yield 6.0 * (x > 0)


def _sigmoid(x: torch.Tensor) -> Iterator[torch.Tensor]:
    value = torch.sigmoid(x)
    yield value
    slope = value * (1.0 - value)
    yield slope
    yield slope * (1.0 - 2.0 * value)
    yield slope * (1.0 - 6.0 * slope)


# s, s', s'' and s''' one after the other, so that what is not asked for is not computed; cubic: max(x, 0)^3
ACTIVATIONS: Mapping[str, Callable[[torch.Tensor], Iterator[torch.Tensor]]] = {
    "tanh": _tanh,
    "sin": _sin,
    "cubic": _cubic,
    "sigmoid": _sigmoid,
}
