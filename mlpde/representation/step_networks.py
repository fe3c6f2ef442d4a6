"""Networks for z_n = sigma^T grad u(t_n, x), n = 1 ... N - 1: one for each time step, or one for all.

In training they see the paths of all steps at once, (N - 1, batch, d): the paths do not depend on them.  Those of the
steps are products of stacks of matrices, and one batch normalisation whose channels are all neurons of all steps.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
from torch.nn.functional import batch_norm

Tensor = torch.Tensor
ALL = slice(None)
EXTRA = 10  # neurons in a hidden layer more than dimensions, as published
EPSILON, MOMENTUM = (
    1e-6,
    0.01,
)  # of the batch normalisation, as published: running = 0.99 running + 0.01 batch
BETA, GAMMA = 0.1, (0.1, 0.5)  # the published start: normal with this deviation, uniform in this interval


class StepNetworks(torch.nn.Module):
    """d -> d + 10 -> d + 10 -> d for each of `steps` times, relu; the input and all products are normalised by batch.

    E, Han, Jentzen 2017, doi:10.1007/s40304-017-0117-6, section 4.1.  `train()` normalises by the batch, `eval()` by
    what was seen in training.  The output is divided by d, as in the code of the authors.
    """

    def __init__(self, steps: int, dim: int, random: torch.Generator):
        super().__init__()
        self.steps, self.dim = steps, dim
        widths = (dim, dim + EXTRA, dim + EXTRA, dim)
        self.matrices = torch.nn.ParameterList(_glorot((steps, n, m), random) for m, n in pairwise(widths))
        sizes = [steps * n for n in (dim, *widths[1:])]
        self.gammas = torch.nn.ParameterList(_uniform((n,), *GAMMA, random) for n in sizes)
        self.betas = torch.nn.ParameterList(
            BETA * torch.randn(n, generator=random, dtype=torch.float64) for n in sizes
        )
        for k, n in enumerate(sizes):
            self.register_buffer(f"mean{k}", torch.zeros(n, dtype=torch.float64))
            self.register_buffer(f"variance{k}", torch.ones(n, dtype=torch.float64))

    def forward(self, x: Tensor, which: slice = ALL) -> Tensor:
        """z (steps, n, d) at x (steps, n, d); which: of the steps."""
        h = self._normalised(0, x.transpose(1, 2).contiguous(), which)
        for k, matrix in enumerate(self.matrices):
            h = self._normalised(k + 1, torch.bmm(matrix[which], h), which)
            if k < len(self.matrices) - 1:
                h = torch.relu_(h)
        return h.transpose(1, 2) / self.dim

    def _normalised(self, k: int, h: Tensor, which: slice) -> Tensor:
        # (steps, neurons, n): steps x neurons are the channels
        def of(channels: Tensor) -> Tensor:
            return channels.view(self.steps, -1)[which].reshape(-1)

        return batch_norm(
            h.reshape(1, -1, h.shape[-1]),
            of(cast(Tensor, getattr(self, f"mean{k}"))),
            of(cast(Tensor, getattr(self, f"variance{k}"))),
            of(self.gammas[k]),
            of(self.betas[k]),
            self.training,
            MOMENTUM,
            EPSILON,
        ).reshape(h.shape)


class SharedNetwork(torch.nn.Module):
    """d + 1 -> d + 10 -> d + 10 -> d, relu, with the time as an input: no batch normalisation.

    mean, deviation (steps, 1, d): of paths at the steps; inputs are x standardised by them, and n / steps.
    """

    def __init__(self, mean: Tensor, deviation: Tensor, random: torch.Generator):
        super().__init__()
        steps, _, dim = mean.shape
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.register_buffer("time", (torch.arange(1, steps + 1).to(mean) / (steps + 1))[:, None, None])
        widths = (dim + 1, dim + EXTRA, dim + EXTRA, dim)
        self.matrices = torch.nn.ParameterList(_glorot((m, n), random) for m, n in pairwise(widths))
        self.biases = torch.nn.ParameterList(torch.zeros(n, dtype=torch.float64) for n in widths[1:])

    def forward(self, x: Tensor, which: slice = ALL) -> Tensor:
        """z (steps, n, d) at x (steps, n, d); which: of the steps."""
        time, mean, deviation = (cast(Tensor, v)[which] for v in (self.time, self.mean, self.deviation))
        h = torch.cat([(x - mean) / deviation, time.expand(*x.shape[:2], 1)], 2).flatten(0, 1)
        for k, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            h = torch.addmm(bias, h, matrix)
            if k < len(self.matrices) - 1:
                h = torch.relu_(h)
        return h.reshape(x.shape) / x.shape[-1]


def _uniform(shape: tuple[int, ...], low: float, high: float, random: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=random, dtype=torch.float64)


def _glorot(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Uniform on +- sqrt(6 / (inputs + outputs)): Glorot and Bengio 2010, as Keras starts."""
    bound = math.sqrt(6 / (shape[-1] + shape[-2]))
    return _uniform(shape, -bound, bound, random)
