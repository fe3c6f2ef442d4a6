"""Multilayer perceptrons with closed-form space derivatives and exact parameter Jacobians."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise

import torch

Jets = Mapping[tuple[int, ...], torch.Tensor]

BATCH = 2048  # points propagated at once: the channels of one layer stay in the cache


@dataclass(frozen=True)
class MLP:
    """A fully connected network u(x) = W_L s(... s(W_1 y + b_1) ...) + b_L of the normalised point y in [-1, 1]^D.

    `inputs` D, `outputs` M, `depth` hidden layers of `width` neurons, s = tanh or sin. `lower` and `upper` are the
    corners of the box that is mapped onto [-1, 1]^D. The parameters are one flat float64 vector of length `size`:
    for each layer the weights (out, in) row by row, then the biases (out,). The network itself holds no state.

    Raises ValueError where a size is not positive, the activation is unknown, or the box is empty.
    """

    inputs: int
    outputs: int
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    width: int = 16
    depth: int = 2
    activation: str = "tanh"

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs", "width", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"MLP {name} must be at least 1, not {getattr(self, name)}.")
        if self.activation not in ("tanh", "sin"):
            raise ValueError(f"MLP activation must be 'tanh' or 'sin', not {self.activation!r}.")
        if len(self.lower) != self.inputs or len(self.upper) != self.inputs:
            raise ValueError(
                f"MLP box must have {self.inputs} lower and upper bounds: {self.lower}, {self.upper}."
            )
        if not all(a < b for a, b in zip(self.lower, self.upper, strict=True)):
            raise ValueError(f"MLP box is empty or not finite: lower {self.lower}, upper {self.upper}.")

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(out, in) of every layer."""
        sizes = (self.inputs, *[self.width] * self.depth, self.outputs)
        return tuple((out, into) for into, out in pairwise(sizes))

    @property
    def size(self) -> int:
        """Number of parameters P."""
        return sum(out * (into + 1) for out, into in self.shapes)

    def initial(self, seed: int = 0) -> torch.Tensor:
        """Glorot-uniform weights and small uniform biases (Glorot and Bengio 2010), shape (P,), from `seed` alone."""
        generator = torch.Generator().manual_seed(seed)
        parts = []
        for out, into in self.shapes:
            bound = (6.0 / (into + out)) ** 0.5
            parts.append(bound * _uniform(out * into, generator))
            parts.append(bound * _uniform(out, generator))
        parts[-1].zero_()
        return torch.cat(parts)

    def jets(
        self, parameters: torch.Tensor, points: torch.Tensor, derivatives: Iterable[tuple[int, ...]]
    ) -> Jets:
        """Derivatives D^alpha u at points (n, D) as a mapping alpha -> (n, M).

        alpha is () for the value, (i,) for d/dx_i, (i, j) with i <= j for d^2/dx_i dx_j. Only the requested ones (and
        the first derivatives that they need) are propagated. Differentiable in the parameters. Many points are
        propagated in batches.
        """
        channels = _Channels.of(derivatives, self.inputs)
        layers = self._layers(parameters)
        outputs = [self._propagate(layers, batch, channels)[0][-1] for batch in points.split(BATCH)]
        return channels.select(torch.cat(outputs, dim=1) if len(outputs) != 1 else outputs[0])

    def jacobian(
        self,
        parameters: torch.Tensor,
        points: torch.Tensor,
        derivatives: Iterable[tuple[int, ...]],
        residual: Callable[[Jets], torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The residual (n, K) of the jets at points (n, D), and its exact Jacobian (n * K, P) in the parameters.

        `residual` maps jets to (n, K), point by point, and may be nonlinear. Row i * K + k of the Jacobian belongs to
        equation k at point i. As the points are independent, one backward pass of the summed residual gives every
        point's own adjoint A_c of the pre-activations of a layer, and the Jacobian of its weights is the sum of outer
        products sum_c A_c (x) input_c over the jet channels c (value, first and second derivatives).
        """
        channels = _Channels.of(derivatives, self.inputs)
        layers = [(weight.detach(), bias.detach()) for weight, bias in self._layers(parameters)]
        with torch.enable_grad():
            layers = [(layers[0][0], layers[0][1].requires_grad_()), *layers[1:]]
            preactivations, inputs = self._propagate(layers, points, channels)
            values = residual(channels.select(preactivations[-1]))
        count, equations = values.shape
        jacobian = parameters.new_empty(count, equations, self.size)
        for k in range(equations):
            adjoints = torch.autograd.grad(
                values[:, k].sum(), preactivations, retain_graph=k + 1 < equations, materialize_grads=True
            )
            start = 0
            for adjoint, layer_input in zip(adjoints, inputs, strict=True):
                out, into = adjoint.shape[-1], layer_input.shape[-1]
                weights = jacobian[:, k, start : start + out * into]
                weights.copy_(torch.einsum("cno,cni->noi", adjoint, layer_input.detach()).flatten(1))
                jacobian[:, k, start + out * into : start + out * (into + 1)] = adjoint[0]
                start += out * (into + 1)
        return values.detach(), jacobian.flatten(0, 1)

    def _layers(self, parameters: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        if parameters.shape != (self.size,):
            raise ValueError(
                f"This MLP has {self.size} parameters; got a tensor of shape {tuple(parameters.shape)}."
            )
        parts = iter(
            parameters.split(list(chain.from_iterable((out * into, out) for out, into in self.shapes)))
        )
        return [(next(parts).view(out, into), next(parts)) for out, into in self.shapes]

    def _propagate(
        self, layers: list[tuple[torch.Tensor, torch.Tensor]], points: torch.Tensor, channels: "_Channels"
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Pre-activations and inputs of every layer, each (channels, n, neurons); the last pre-activation: the jets."""
        lower, upper = points.new_tensor(self.lower), points.new_tensor(self.upper)
        slope = 2.0 / (upper - lower)
        first = points.new_zeros(channels.count, *points.shape)
        first[0] = (points - lower) * slope - 1.0
        for channel, direction in enumerate(channels.first, start=1):
            first[channel, :, direction] = slope[direction]
        inputs: list[torch.Tensor] = [first]
        preactivations: list[torch.Tensor] = []
        for index, (weight, bias) in enumerate(layers):
            if index:
                inputs.append(self._activate(preactivations[-1], channels))
            product = inputs[-1] @ weight.T
            preactivations.append(torch.cat([product[:1] + bias, product[1:]]))
        return preactivations, inputs

    def _activate(self, z: torch.Tensor, channels: "_Channels") -> torch.Tensor:
        """The chain rule: s, s' z_i, and s'' z_i z_j + s' z_ij."""
        if self.activation == "tanh":
            value = torch.tanh(z[0])
            slope = 1.0 - value * value
            curvature = -2.0 * value * slope
        else:
            value, slope = torch.sin(z[0]), torch.cos(z[0])
            curvature = -value
        split = 1 + len(channels.first)
        parts = [value[None], slope * z[1:]]
        if channels.second:
            products = torch.stack([z[i] * z[j] for i, j in channels.pairs])
            parts[1] = torch.cat([parts[1][: split - 1], parts[1][split - 1 :] + curvature * products])
        return torch.cat(parts)


@dataclass(frozen=True)
class _Channels:
    """Which derivatives are carried through the layers: channel 0 is the value, then `first`, then `second`."""

    requested: tuple[tuple[int, ...], ...]
    first: tuple[int, ...]
    second: tuple[tuple[int, ...], ...]

    @staticmethod
    def of(derivatives: Iterable[tuple[int, ...]], dimension: int) -> "_Channels":
        requested = tuple(dict.fromkeys(derivatives))
        for alpha in requested:
            if len(alpha) > 2 or list(alpha) != sorted(alpha) or not all(0 <= i < dimension for i in alpha):
                raise ValueError(
                    f"Derivative {alpha} is not one of (), (i,), (i, j) with i <= j and directions below {dimension}."
                )
        second = tuple(alpha for alpha in requested if len(alpha) == 2)
        return _Channels(requested, tuple(sorted(set(chain.from_iterable(requested)))), second)

    @property
    def count(self) -> int:
        return 1 + len(self.first) + len(self.second)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Channels of the two first derivatives that a second derivative needs."""
        return [(1 + self.first.index(i), 1 + self.first.index(j)) for i, j in self.second]

    def select(self, jets: torch.Tensor) -> Jets:
        position: dict[tuple[int, ...], int] = {(): 0}
        position |= {(i,): 1 + k for k, i in enumerate(self.first)}
        position |= {alpha: 1 + len(self.first) + k for k, alpha in enumerate(self.second)}
        return {alpha: jets[position[alpha]] for alpha in self.requested}


def _uniform(count: int, generator: torch.Generator) -> torch.Tensor:
    return 2.0 * torch.rand(count, generator=generator, dtype=torch.float64) - 1.0
