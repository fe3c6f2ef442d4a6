"""The Rayleigh quotient a(u, u) / m(u, u) of a network, orthogonal to modes that are known.

The quotient is that of P u = u - sum_j m(u, u_j) u_j with m(u_i, u_j) = delta_ij, so that its least value over all u is
the next eigenvalue.  All integrals are sums over points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from mlpde.formulation.energy_points import Integral
from mlpde.formulation.torch_expression import Alpha, Jets
from mlpde.optimize.natural_gradient import Tangent
from mlpde.representation.network_energy import positive_root

Tensor = torch.Tensor
JetsFunction = Callable[[Tensor, Sequence[Alpha]], Jets]


@dataclass(frozen=True)
class RayleighQuotient:
    """a(u, u) / m(u, u) as a function of the parameters theta (P,) of a network.

    stiffness, mass: the integrals of a(u, u) / 2 and m(u, u) / 2.  known: the modes to which u is made orthogonal.
    """

    network: Any
    stiffness: Sequence[Integral]
    mass: Sequence[Integral]
    known: Sequence[JetsFunction] = ()

    def value(self, theta: Tensor) -> float:
        """The quotient."""
        with torch.no_grad():
            a, m = self._forms(self._function(theta))
        return float(a / m)

    def norm(self, theta: Tensor) -> float:
        """m(u, u)^(1/2) of the projected function."""
        with torch.no_grad():
            return float(self._forms(self._function(theta))[1].sqrt())

    def coefficients(self, theta: Tensor) -> Tensor:
        """m(u, u_j) (K,) of the function before it is projected."""
        with torch.no_grad():
            u = self._entries(lambda x, alphas: self.network.jets(theta, x, alphas))
            return (
                torch.stack([self._product(u, mode) for mode in self._modes])
                if self._modes
                else torch.zeros(0)
            )

    def loss_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        """The quotient and its gradient (P,)."""
        parameters = theta.detach().clone().requires_grad_()
        a, m = self._forms(self._function(parameters))
        (gradient,) = torch.autograd.grad(a / m, parameters)
        return float((a / m).detach()), gradient

    def difference(self, theta: Tensor, new: Tensor) -> float:
        """quotient(new) - quotient(theta), from the increment of the function."""
        with torch.no_grad():
            old, after = self._function(theta), self._function(new)
            a, m = self._forms(old)
            da, dm = self._forms(
                [x + y for x, y in zip(old, after, strict=True)],
                [y - x for x, y in zip(old, after, strict=True)],
            )
            return float((da - a / m * dm) / (m + dm))

    def linearise(self, theta: Tensor) -> Tangent:
        """The tangent space at theta in the metric of the stiffness, 2 a(., .) / m(u, u)."""
        jacobians = self._projected([self._jacobian(theta, part) for part in self._parts])
        split = len(self.stiffness)
        with torch.no_grad():
            _, m = self._forms(self._function(theta))
            roots = [positive_root(2 / m * matrix) for matrix in self._matrices[:split]]
            rows = torch.cat([(r @ j).flatten(0, 1) for r, j in zip(roots, jacobians, strict=False)])

        def pulled_back(new: Tensor) -> Tensor:
            with torch.no_grad():
                u = self._function(new)
                a, m = self._forms(u)
                total = new.new_zeros(self.network.size)
                for k, (one, matrix, jacobian) in enumerate(zip(u, self._matrices, jacobians, strict=True)):
                    factor = 2 / m if k < split else -2 * a / m**2
                    total += factor * ((matrix @ one[:, :, None]).flatten() @ jacobian.flatten(0, 1))
                return total

        return Tangent(rows, pulled_back(theta), pulled_back)

    @property
    def _parts(self) -> list[Integral]:
        return [*self.stiffness, *self.mass]

    @cached_property
    def _matrices(self) -> list[Tensor]:
        """w d2e/du2 (n, A, A) of every integral: constant, as the densities are quadratic."""
        found = []
        for part in self._parts:
            components = 1 + max(m for m, _ in part.density.slots)
            zero = torch.zeros((len(part.points), components), dtype=torch.float64)
            jets = dict.fromkeys(part.density.derivatives, zero)
            curvature = part.density.curvature(part.points, part.normals, jets)
            found.append(curvature * part.weights[:, None, None])
        return found

    @cached_property
    def _modes(self) -> list[list[Tensor]]:
        """The entries of the known modes, orthonormal in the sums."""
        modes: list[list[Tensor]] = []
        with torch.no_grad():
            for jets in self.known:
                u = self._entries(jets)
                for mode in modes:
                    c = self._product(u, mode)
                    u = [x - c * y for x, y in zip(u, mode, strict=True)]
                size = self._product(u, u).sqrt()
                modes.append([x / size for x in u])
        return modes

    def _entries(self, jets: JetsFunction) -> list[Tensor]:
        """The entries (n, A) of a function for every integral."""
        return [p.density.entries(jets(p.points, p.density.derivatives)) for p in self._parts]

    def _function(self, theta: Tensor) -> list[Tensor]:
        return self._projected(self._entries(lambda x, alphas: self.network.jets(theta, x, alphas)))

    def _jacobian(self, theta: Tensor, part: Integral) -> Tensor:
        """(n, A, P)."""
        density = part.density
        _, jacobian = self.network.jacobian(theta, part.points, density.derivatives, density.entries)
        return jacobian.reshape(len(part.points), len(density.slots), -1)

    def _projected(self, values: list[Tensor]) -> list[Tensor]:
        """Entries (n, A), or Jacobians (n, A, P), made orthogonal to the known modes."""
        for mode in self._modes:
            c = self._product(values, mode)
            values = [v - torch.tensordot(u, c, 0) for v, u in zip(values, mode, strict=True)]
        return values

    def _product(self, values: list[Tensor], mode: list[Tensor]) -> Tensor:
        """m(v, u), () or (P,)."""
        first = len(self.stiffness)
        pairs = zip(values[first:], mode[first:], self._matrices[first:], strict=True)
        return torch.stack(
            [torch.einsum("na...,na->...", v, (c @ u[..., None])[..., 0]) for v, u, c in pairs]
        ).sum(0)

    def _forms(self, u: list[Tensor], v: list[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """a(u, v) and m(u, v)."""
        split = len(self.stiffness)
        values = [
            torch.einsum("na,nab,nb->", one, matrix, other)
            for one, matrix, other in zip(u, self._matrices, u if v is None else v, strict=True)
        ]
        return torch.stack(values[:split]).sum(), torch.stack(values[split:]).sum()


def rayleigh_ritz(
    stiffness: Sequence[Integral], mass: Sequence[Integral], functions: Sequence[JetsFunction]
) -> tuple[Tensor, Tensor]:
    """Eigenvalues (K,), ascending, in the span of K functions, and their coefficients (K, K), m-orthonormal columns."""
    sums = RayleighQuotient(None, stiffness, mass)
    with torch.no_grad():
        entries = [sums._entries(jets) for jets in functions]
        pairs = [[sums._forms(u, v) for v in entries] for u in entries]
    a, m = (
        torch.tensor([[float(pair[k]) for pair in row] for row in pairs], dtype=torch.float64) for k in (0, 1)
    )
    lower = torch.linalg.cholesky(m)
    reduced = torch.linalg.solve_triangular(
        lower, torch.linalg.solve_triangular(lower, a, upper=False).T, upper=False
    )
    values, vectors = torch.linalg.eigh((reduced + reduced.T) / 2)
    return values, torch.linalg.solve_triangular(lower.T, vectors, upper=True)
