"""What all networks have in common: parameters as one vector, closed-form derivatives, exact parameter Jacobians."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Protocol

import torch

from mlpde.formulation.torch_expression import Alpha, Jets
from mlpde.representation.differentiation import at_points
from mlpde.representation.jets import ACTIVATIONS, Channels, coordinates, linear

BATCH = 32_768  # values of one channel of a layer propagated at once: all channels of it stay in the cache


@dataclass(frozen=True)
class Layers:
    """The linear layers (weight (out, in), bias (out,)) of a network; `jets.linear` of each, its arguments recorded."""

    parameters: list[tuple[torch.Tensor, torch.Tensor]]
    inputs: dict[int, torch.Tensor] = field(default_factory=dict)
    outputs: dict[int, torch.Tensor] = field(default_factory=dict)

    def __call__(self, layer: int, jet: torch.Tensor) -> torch.Tensor:
        self.inputs[layer] = jet
        self.outputs[layer] = linear(jet, *self.parameters[layer])
        return self.outputs[layer]


class Feature(Protocol):
    """A function of the point as a further input."""

    def jet(self, points: torch.Tensor, channels: Channels) -> torch.Tensor:
        """(channels, n, 1) at points (n, D)."""
        ...


@dataclass(frozen=True)
class Network:
    """A function u(y) of the normalised point y in [-1, 1]^D, made of linear layers and of what `jets` can do.

    `inputs` D, `outputs` M, layers of `width` neurons. `lower` and `upper` are the corners of the box that is mapped
    onto [-1, 1]^D. The parameters are one flat float64 vector of length `size`: for each layer the weights (out, in)
    row by row, then the biases (out,). The network itself holds no state. A network of this kind says the `shapes` of
    its layers, the last one the output, and how they are joined in `forward`. `features`: functions of the point that
    are inputs of the first layer, and of the last one again, so that the network contains their linear combinations.

    Raises ValueError where a size is not positive, the activation is unknown, or the box is empty.
    """

    inputs: int
    outputs: int
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    width: int = 16
    depth: int = 2
    activation: str = "tanh"
    features: tuple[Feature, ...] = ()

    def __post_init__(self) -> None:
        name = type(self).__name__
        for size in ("inputs", "outputs", "width", "depth"):
            if getattr(self, size) < 1:
                raise ValueError(f"{name} {size} must be at least 1, not {getattr(self, size)}.")
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"{name} activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}."
            )
        if len(self.lower) != self.inputs or len(self.upper) != self.inputs:
            raise ValueError(
                f"{name} box must have {self.inputs} lower and upper bounds: {self.lower}, {self.upper}."
            )
        if not all(a < b for a, b in zip(self.lower, self.upper, strict=True)):
            raise ValueError(f"{name} box is empty or not finite: lower {self.lower}, upper {self.upper}.")

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(out, in) of every linear layer."""
        raise NotImplementedError

    def forward(self, layers: Layers, y: torch.Tensor, channels: Channels) -> torch.Tensor:
        """The output's jet (channels, n, M) from the input's (channels, n, entries)."""
        raise NotImplementedError

    @property
    def entries(self) -> int:
        """Number of entries of the input y: the coordinates and the features."""
        return self.inputs + len(self.features)

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

    def jets(self, parameters: torch.Tensor, points: torch.Tensor, derivatives: Iterable[Alpha]) -> Jets:
        """Derivatives D^alpha u at points (n, D) as a mapping alpha -> (n, M).

        alpha is () for the value, (i,) for d/dx_i, (i, j) with i <= j for d^2/dx_i dx_j, `jets.laplacian(d)` for the
        Laplacian in the first d directions. Only the requested ones (and the first derivatives that they need) are
        propagated. Differentiable in the parameters. Many points are propagated in batches.
        """
        channels = Channels.of(derivatives, self.inputs)
        layers = self._layers(parameters)
        outputs = [
            self.forward(Layers(layers), batch, channels)
            for batch in self._entries(points, channels).split(max(1, BATCH // self.width), dim=1)
        ]
        return channels.select(torch.cat(outputs, dim=1) if len(outputs) != 1 else outputs[0])

    def along(
        self, parameters: torch.Tensor, points: torch.Tensor, directions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """u, v.grad u and v.(grad grad u) v, each (n, M), at points (n, D) along a direction v (n, D) for each of them.

        Three channels are propagated, whatever D.
        """
        channels = Channels.of([(), (0,), (0, 0)], self.inputs)
        y = self._normalised(points, channels)
        y[1] = directions * (2.0 / (points.new_tensor(self.upper) - points.new_tensor(self.lower)))
        value, slope, curvature = self.forward(Layers(self._layers(parameters)), y, channels)
        return value, slope, curvature

    def jacobian(
        self,
        parameters: torch.Tensor,
        points: torch.Tensor,
        derivatives: Iterable[Alpha],
        residual: Callable[[Jets], torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The residual (n, K) of the jets at points (n, D), and its exact Jacobian (n * K, P) in the parameters.

        `residual` maps jets to (n, K), point by point, and may be nonlinear. Row i * K + k of the Jacobian belongs to
        equation k at point i. As the points are independent, one backward pass of the summed residual gives every
        point's own adjoint A_c of the pre-activations of a layer, and the Jacobian of its weights is the sum of outer
        products sum_c A_c (x) input_c over the jet channels c (value, first and second derivatives).
        """
        channels = Channels.of(derivatives, self.inputs)
        with torch.enable_grad():
            layers = Layers([(w.detach(), b.detach().requires_grad_()) for w, b in self._layers(parameters)])
            jet = self.forward(layers, self._entries(points, channels), channels)
            values = residual(channels.select(jet))
        count, equations = values.shape
        order = range(len(self.shapes))
        jacobian = parameters.new_empty(count, equations, self.size)
        for k in range(equations):
            adjoints = torch.autograd.grad(
                values[:, k].sum(),
                [layers.outputs[layer] for layer in order],
                retain_graph=k + 1 < equations,
                materialize_grads=True,
            )
            start = 0
            for layer, adjoint in zip(order, adjoints, strict=True):
                layer_input = layers.inputs[layer].detach()
                out, into = adjoint.shape[-1], layer_input.shape[-1]
                weights = jacobian[:, k, start : start + out * into]
                weights.copy_(torch.einsum("cno,cni->noi", adjoint, layer_input).flatten(1))
                jacobian[:, k, start + out * into : start + out * (into + 1)] = adjoint[0]
                start += out * (into + 1)
        return values.detach(), jacobian.flatten(0, 1)

    def with_features(self, s: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The hidden state and the features, out of the input y, for the last layer."""
        return torch.cat([s, y[..., self.inputs :]], dim=-1) if self.features else s

    def _layers(self, parameters: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        if parameters.shape != (self.size,):
            raise ValueError(
                f"This {type(self).__name__} has {self.size} parameters; got a tensor of shape "
                f"{tuple(parameters.shape)}."
            )
        parts = iter(
            parameters.split(list(chain.from_iterable((out * into, out) for out, into in self.shapes)))
        )
        return [(next(parts).view(out, into), next(parts)) for out, into in self.shapes]

    def _entries(self, points: torch.Tensor, channels: Channels) -> torch.Tensor:
        """The jet (channels, n, entries) of the point on [-1, 1]^D and of the features."""
        y = self._normalised(points, channels)
        if not self.features:
            return y
        further = [at_points(points, (f, channels), partial(f.jet, points, channels)) for f in self.features]
        return torch.cat([y, *further], dim=-1)

    def _normalised(self, points: torch.Tensor, channels: Channels) -> torch.Tensor:
        """The jet (channels, n, D) of the point on [-1, 1]^D."""
        lower, upper = points.new_tensor(self.lower), points.new_tensor(self.upper)
        jet = coordinates(points - lower, channels) * (2.0 / (upper - lower))
        jet[0] -= 1.0
        return jet


def _uniform(count: int, generator: torch.Generator) -> torch.Tensor:
    return 2.0 * torch.rand(count, generator=generator, dtype=torch.float64) - 1.0
