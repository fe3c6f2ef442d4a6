"""The energy of a network: a quadrature sum of densities, with conditions by multipliers and a penalty.

E(theta) = sum_q w_q e(x_q, u, grad u) + sum_b w_b (lambda_b r_b + beta/2 r_b^2),  r = u - g on the Dirichlet boundary.

With lambda <- lambda + beta r from time to time (method of multipliers: Hestenes 1969, Powell 1969) the conditions hold
exactly in the limit, lambda tends to the flux through the boundary; lambda = 0 for ever is the penalty method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mlpde.formulation.energy_points import Condition, Integral
from mlpde.optimize.natural_gradient import Tangent

Tensor = torch.Tensor


@dataclass(frozen=True)
class NetworkEnergy:
    """The energy as a function of the parameters theta (P,) of a network (`MLP`'s protocol)."""

    network: Any
    integrals: Sequence[Integral]
    conditions: Sequence[Condition]

    @property
    def rows(self) -> int:
        """Number of rows of a tangent space at most."""
        inside = sum(len(part.points) * len(part.density.slots) for part in self.integrals)
        return inside + sum(len(one.points) * one.rows.equations for one in self.conditions)

    def value(self, theta: Tensor) -> float:
        """E(theta)."""
        with torch.no_grad():
            return float(self._value(theta))

    def loss_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        """E and its gradient (P,)."""
        parameters = theta.detach().clone().requires_grad_()
        value = self._value(parameters)
        (gradient,) = torch.autograd.grad(value, parameters)
        return float(value.detach()), gradient

    def difference(self, theta: Tensor, new: Tensor) -> float:
        """E(new) - E(theta), from the increment of the function."""
        total = 0.0
        with torch.no_grad():
            for part in self.integrals:
                wanted = part.density.derivatives
                old, after = (self.network.jets(p, part.points, wanted) for p in (theta, new))
                step = {alpha: after[alpha] - old[alpha] for alpha in wanted}
                total += float(part.weights @ part.density.difference(part.points, part.normals, old, step))
            for one in self.conditions:
                old, after = (
                    one.residual(self.network.jets(p, one.points, one.derivatives)) for p in (theta, new)
                )
                mean = one.multipliers + one.penalty * (old + after) / 2
                total += float(one.weights @ (mean * (after - old)).sum(1))
        return total

    def linearise(self, theta: Tensor) -> Tangent:
        """The tangent space at theta; of the second derivative in function space the positive part."""
        blocks, forms = [], []
        for part in self.integrals:
            density = part.density
            with torch.no_grad():
                jets = self.network.jets(theta, part.points, density.derivatives)
                curvature = density.curvature(part.points, part.normals, jets)
            _, jacobian = self.network.jacobian(theta, part.points, density.derivatives, density.entries)
            root = positive_root(curvature) * part.weights.sqrt()[:, None, None]
            kept = root.abs().amax((0, 2)) > 0
            if kept.any():
                blocks.append((root[:, kept] @ jacobian.reshape(*root.shape[:2], -1)).flatten(0, 1))
            forms.append(jacobian)
        for one in self.conditions:
            _, jacobian = self.network.jacobian(theta, one.points, one.derivatives, one.residual)
            scale = (one.penalty * one.weights).sqrt().repeat_interleave(one.rows.equations)
            blocks.append(scale[:, None] * jacobian)
            forms.append(jacobian)

        def pulled_back(new: Tensor) -> Tensor:
            forces = self._forces(new)
            return torch.stack([f.flatten() @ j for f, j in zip(forces, forms, strict=True)]).sum(0)

        return Tangent(torch.cat(blocks), pulled_back(theta), pulled_back)

    def _forces(self, theta: Tensor) -> list[Tensor]:
        """w E'(u) by the entries of the jets, (n, A) for every integral and condition."""
        forces = []
        with torch.no_grad():
            for part in self.integrals:
                jets = self.network.jets(theta, part.points, part.density.derivatives)
                forces.append(part.density.slopes(part.points, part.normals, jets) * part.weights[:, None])
            for one in self.conditions:
                r = one.residual(self.network.jets(theta, one.points, one.derivatives))
                forces.append((one.multipliers + one.penalty * r) * one.weights[:, None])
        return forces

    def penalty_value(self, theta: Tensor) -> float:
        """sum_b w_b beta/2 r_b^2."""
        with torch.no_grad():
            return sum(
                float(one.penalty / 2 * (one.weights @ r.square().sum(1)))
                for one in self.conditions
                for r in [one.residual(self.network.jets(theta, one.points, one.derivatives))]
            )

    def stiffness(self, theta: Tensor) -> float:
        """The largest mean curvature of a density inside: the size of the coefficients, for the penalty."""
        found = [0.0]
        for part in self.integrals:
            if part.density.kind == "interior":
                with torch.no_grad():
                    jets = self.network.jets(theta, part.points, part.density.derivatives)
                    curvature = part.density.curvature(part.points, part.normals, jets)
                found.append(float(curvature.diagonal(dim1=1, dim2=2).abs().mean(0).max()))
        return max(found) or 1.0

    def spectrum(self, theta: Tensor) -> tuple[float, float]:
        """The least and the largest eigenvalue of J^T E'' J, which is the second derivative where E' = 0."""
        metric = theta.new_zeros(self.network.size, self.network.size)
        for part in self.integrals:
            density = part.density
            with torch.no_grad():
                jets = self.network.jets(theta, part.points, density.derivatives)
                curvature = density.curvature(part.points, part.normals, jets) * part.weights[:, None, None]
            _, jacobian = self.network.jacobian(theta, part.points, density.derivatives, density.entries)
            jacobian = jacobian.reshape(*curvature.shape[:2], -1)
            metric += jacobian.flatten(0, 1).T @ (curvature @ jacobian).flatten(0, 1)
        for one in self.conditions:
            _, jacobian = self.network.jacobian(theta, one.points, one.derivatives, one.residual)
            weights = (one.penalty * one.weights).repeat_interleave(one.rows.equations)
            metric += jacobian.T @ (weights[:, None] * jacobian)
        values = torch.linalg.eigvalsh(metric)
        return float(values[0]), float(values[-1])

    def update_multipliers(self, theta: Tensor) -> None:
        """lambda <- lambda + beta r."""
        with torch.no_grad():
            for one in self.conditions:
                residual = one.residual(self.network.jets(theta, one.points, one.derivatives))
                one.multipliers = one.multipliers + one.penalty * residual

    def _value(self, theta: Tensor) -> Tensor:
        total = theta.new_zeros(())
        for part in self.integrals:
            jets = self.network.jets(theta, part.points, part.density.derivatives)
            total = total + part.weights @ part.density.value(part.points, part.normals, jets)
        for one in self.conditions:
            r = one.residual(self.network.jets(theta, one.points, one.derivatives))
            total = total + one.weights @ (one.multipliers * r + one.penalty / 2 * r.square()).sum(1)
        return total


def positive_root(curvature: Tensor) -> Tensor:
    """B (n, A, A) with B^T B = the positive part of the symmetric matrices (n, A, A)."""
    values, vectors = torch.linalg.eigh(curvature)
    return values.clamp(min=0.0).sqrt()[:, :, None] * vectors.transpose(1, 2)
