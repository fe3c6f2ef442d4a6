"""The networks: multilayer perceptron, residual network of the Deep Ritz method, gated network of DGM."""

from dataclasses import dataclass
from itertools import pairwise

import torch

from mlpde.errors import InputError
from mlpde.representation.jets import Channels, activate, product
from mlpde.representation.network import Layers, Network


@dataclass(frozen=True)
class MLP(Network):
    """A fully connected network u(x) = W_L s(... s(W_1 y + b_1) ...) + b_L with `depth` hidden layers."""

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(out, in) of every layer."""
        sizes = (self.entries, *[self.width] * self.depth)
        hidden = tuple((out, into) for into, out in pairwise(sizes))
        return (*hidden, (self.outputs, self.width + len(self.features)))

    def forward(self, layers: Layers, y: torch.Tensor, channels: Channels) -> torch.Tensor:
        """The output's jet (channels, n, M) from the input's (channels, n, entries)."""
        s = y
        for layer in range(self.depth):
            s = activate(self.activation, layers(layer, s), channels)
        return layers(self.depth, self.with_features(s, y))


@dataclass(frozen=True)
class ResidualNetwork(Network):
    """The network of E and Yu, arXiv 1710.00211: `depth` blocks S <- s(W_2 s(W_1 S + b_1) + b_2) + S, a linear output.

    The first block adds the point itself, padded by zeros; so the width is at least the number of inputs. With the
    paper's width 10 on the plane, 3, 4, 5, 6 blocks have its 591, 811, 1031, 1251 parameters. Their activation is
    "cubic".
    """

    activation: str = "cubic"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < self.entries:
            raise InputError(
                f"residual blocks must be at least as wide as their {self.entries} inputs: width={self.width}"
            )

    def initial(self, seed: int = 0) -> torch.Tensor:
        """Half of Glorot's weights, no biases: nine powers in every block let more grow beyond all bounds."""
        parameters, start = 0.5 * super().initial(seed), 0
        for out, into in self.shapes:
            parameters[start + out * into : start + out * (into + 1)] = 0.0
            start += out * (into + 1)
        return parameters

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(out, in) of every layer."""
        square = [(self.width, self.width)] * (2 * self.depth - 1)
        return ((self.width, self.entries), *square, (self.outputs, self.width + len(self.features)))

    def forward(self, layers: Layers, y: torch.Tensor, channels: Channels) -> torch.Tensor:
        """The output's jet (channels, n, M) from the input's (channels, n, entries)."""
        s = y
        for block in range(self.depth):
            inner = activate(self.activation, layers(2 * block, s), channels)
            outer = activate(self.activation, layers(2 * block + 1, inner), channels)
            s = outer + torch.nn.functional.pad(s, (0, self.width - s.shape[-1]))
        return layers(2 * self.depth, self.with_features(s, y))


@dataclass(frozen=True)
class GatedNetwork(Network):
    """The network of DGM (Sirignano and Spiliopoulos, arXiv 1708.07469), with `depth` gated layers.

    S = s(W y + b), then in each layer Z, G, R = s(U y + W S + b), H = s(U y + W (S R) + b),
    S <- (1 - G) H + Z S, and a linear output. Every layer takes (y, S), or (y, S R), as one input.
    """

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(out, in) of every layer."""
        gates = [(self.width, self.entries + self.width)] * (4 * self.depth)
        return ((self.width, self.entries), *gates, (self.outputs, self.width + len(self.features)))

    def forward(self, layers: Layers, y: torch.Tensor, channels: Channels) -> torch.Tensor:
        """The output's jet (channels, n, M) from the input's (channels, n, entries)."""

        def activated(layer: int, jet: torch.Tensor) -> torch.Tensor:
            return activate(self.activation, layers(layer, jet), channels)

        s = activated(0, y)
        for first in range(1, 4 * self.depth + 1, 4):
            joined = torch.cat([y, s], dim=-1)
            z, g, r = (activated(first + k, joined) for k in range(3))
            h = activated(first + 3, torch.cat([y, product(s, r, channels)], dim=-1))
            s = h - product(g, h, channels) + product(z, s, channels)
        return layers(4 * self.depth + 1, self.with_features(s, y))


NETWORKS: tuple[type[Network], ...] = (MLP, ResidualNetwork, GatedNetwork)
