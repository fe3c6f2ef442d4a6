"""y0 = u(0, x0) by expectations over sample paths: without the driver, and of the equation linearised at a known v.

Linear level: E g(X_T).  Newton-Feynman-Kac: with zeta = sigma^T grad v, the driver linearised at (v, zeta) has the
solution

    v(0, x0) + E^b int_0^T D (dv + (f - b.zeta) dt),   D = exp int f_y dt,   b = f_z,   v(T) = g,

where the paths have the drift mu + sigma b: it corrects v by its own residual, so that errors in time act on the
residual alone.  Its distance from u(0, x0) is quadratic in that of v from u; for an f that is convex in (y, z) it is
below u(0, x0), for a concave one above.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

from mlpde.formulation.stochastic import ForwardBackwardSDE

Tensor = torch.Tensor
Known = Callable[[float, Tensor], tuple[Tensor, Tensor]]  # (t, x) -> v (m,), grad v (m, d)
NORMAL_95 = 1.96
REPLICATES = 16  # of the scrambled Sobol points
BATCH = 2**25  # numbers in the increments of the paths that are followed at once
SOBOL_BATCH = 4096  # points drawn at once
EDGE = 1e-7  # the points keep this distance from 0 and 1, where the normal numbers are infinite
GRIDS = (1, 2, 4)  # steps taken at once: three grids tell the order of the error in time
ROUNDING = 1e3  # units in the last place, after sums over steps
COLLINEAR = 1e-9  # relative: added to the control variates' covariance


class Linear(NamedTuple):
    """E g(X_T) and its standard error."""

    value: float
    error: float


class Estimate(NamedTuple):
    """y0 with half of its 95 % interval, what the error in time may be, and what is left of each path's spread.

    residual: the variance that v leaves, extrapolated to steps of length zero; ratio: at the given steps, over the
    variance without control variates.
    z0, z0_error (d,): sigma^T grad u(0, x0), and the standard errors.
    """

    value: float
    ci95: float
    in_time: float
    residual: float
    ratio: float
    z0: Tensor
    z0_error: Tensor

    @property
    def finite(self) -> bool:
        """No number is nan or infinite."""
        return all(map(math.isfinite, (self.value, self.ci95, self.in_time, self.residual)))


def antithetic(generator: torch.Generator, n: int, like: Tensor) -> Tensor:
    """(n, d) standard normal numbers, the second half the negative of the first."""
    half = torch.randn(n // 2, like.shape[-1], generator=generator, dtype=like.dtype, device=like.device)
    return torch.cat([half, -half])


def linear_level(
    sde: ForwardBackwardSDE, points: int, steps: int, seed: int, shift: Tensor | None = None
) -> Linear:
    """E g(X_T) by scrambled Sobol points, in one step where its law is exact; with the drift mu + sigma shift.

    Beyond the dimensions that the Sobol sequence has, the points are random.
    """
    steps = 1 if sde.exact else steps
    width, dt, means = steps * sde.dim, sde.horizon / steps, []
    for replicate in range(REPLICATES):
        ends = []
        for w in _normal_batches(sde, points, width, seed * REPLICATES + replicate):
            x = sde.x0.expand(len(w), -1)
            for n, dw in enumerate((w * math.sqrt(dt)).split(sde.dim, 1)):
                x = sde.step(n * dt, dt, x, dw, shift)
            ends.append(sde.terminal(x).double())
        means.append(torch.cat(ends).mean())
    each = torch.stack(means)
    return Linear(float(each.mean()), float(each.std()) / math.sqrt(REPLICATES))


def _normal_batches(sde: ForwardBackwardSDE, points: int, width: int, number: int) -> Iterator[Tensor]:
    """Standard normal (points, width) in batches: Sobol points scrambled by `number`, or random ones beyond them."""
    random = torch.Generator(sde.x0.device).manual_seed(number)
    sobol = width <= torch.quasirandom.SobolEngine.MAXDIM
    engine = torch.quasirandom.SobolEngine(width, scramble=True, seed=number) if sobol else None
    for start in range(0, points, SOBOL_BATCH):
        count = min(SOBOL_BATCH, points - start)
        if engine is None:
            yield antithetic(random, count, sde.x0.new_empty(width))
        else:
            uniform = engine.draw(count, dtype=torch.float64).clamp(EDGE, 1 - EDGE)
            yield (math.sqrt(2) * torch.erfinv(2 * uniform - 1)).to(sde.x0)


def newton_feynman_kac(
    sde: ForwardBackwardSDE,
    known: Known,
    steps: int,
    paths: int,
    generator: torch.Generator,
    linear: Linear,
    part: float = 1.0,
) -> Estimate:
    """y0 by fresh antithetic paths, at v = known, on `steps` steps (a multiple of 4), extrapolated to dt = 0.

    Control variates: the martingales of v, and where steps are exact g at the end of the paths without shift, whose
    mean is `linear` (Euler's steps have another one, that depends on their length).
    part: of the driver, part * f is taken.
    """
    dt, values, first = sde.horizon / steps, [], []
    size = max(2, min(paths, BATCH // (steps * sde.dim)) // 2 * 2)
    for start in range(0, paths, size):
        dw = [antithetic(generator, min(size, paths - start), sde.x0) * math.sqrt(dt) for _ in range(steps)]
        columns = [c for stride in GRIDS for c in _linearised_paths(sde, known, dw, stride, part)]
        if sde.exact:
            x = sde.step(0.0, sde.horizon, sde.x0.expand_as(dw[0]), torch.stack(dw).sum(0))
            columns.append(sde.terminal(x) - linear.value)
        values.append(torch.stack(columns, 1).double())
        first.append(dw[0])
    every = torch.cat(values)
    residuals = [every[:, 2 * k] - every[:, 2 * k + 1] for k in (0, 1)]
    variances = [float(r.var()) for r in residuals]
    # the paths of a pair depend on each other: statistics are those of the pairs' means
    pairs = torch.cat([pair_means(v) for v in values])
    (v1, m1, v2, m2, v4, m4), g = pairs[:, :6].unbind(1), pairs[:, 6] if sde.exact else None
    share = 1 / 3 if sde.exact else 1.0  # of the difference of two grids, that the finer one is off by
    fine, coarse = v1 + share * (v1 - v2), v2 + share * (v2 - v4)
    value, error = controlled(fine, (m1, m2), g, linear.error)
    change = controlled(fine - coarse, (m1, m2, m4), g, linear.error)[0]
    mean = residuals[0].mean()
    noise = torch.cat(
        [pair_means((v[:, :1] - v[:, 1:2] - mean) * w / dt) for v, w in zip(values, first, strict=True)]
    ).to(sde.x0)
    z0 = sde.z_of_gradient(0.0, sde.x0[None], known(0.0, sde.x0[None])[1])[0]
    return Estimate(
        value,
        NORMAL_95 * error,
        abs(change),
        max(2 * variances[0] - variances[1], 0.0),  # the steps' own share is linear in their length
        variances[0] / max(float(every[:, 0].var()), rounding_variance(value, sde.x0.dtype)),
        z0 + noise.mean(0),
        noise.std(0) / math.sqrt(len(noise)),
    )


def rounding_variance(value: float, dtype: torch.dtype) -> float:
    """The variance that rounding alone gives to numbers of that size."""
    return (ROUNDING * torch.finfo(dtype).eps * abs(value)) ** 2 + torch.finfo(torch.float64).tiny


def pair_means(samples: Tensor) -> Tensor:
    """(n / 2, ...): the means of antithetic pairs, which are independent of each other."""
    return samples.reshape(2, len(samples) // 2, -1).mean(0)


def controlled(
    e: Tensor, martingales: Sequence[Tensor], g: Tensor | None, g_error: float
) -> tuple[float, float]:
    """(mean of e (n,), its standard error) by the control variates, of mean zero, that leave the least error.

    The mean of g (n,) is zero up to the standard error g_error.
    """
    known = () if g is None else (g,)
    if not all(bool(c.isfinite().all()) for c in (e, *martingales, *known)):
        return math.nan, math.nan
    found = []
    for controls in dict.fromkeys([(), tuple(martingales), known, (*martingales, *known)]):
        rest, weight = e, 0.0
        if controls:
            a = torch.stack(controls, 1)
            centred = a - a.mean(0)
            matrix = centred.T @ centred
            matrix.diagonal().add_(COLLINEAR * matrix.trace() + torch.finfo(matrix.dtype).tiny)
            beta = torch.linalg.lstsq(matrix, (centred.T @ (e - e.mean()))[:, None]).solution[:, 0]
            rest = e - a @ beta
            weight = float(beta[-1]) if g is not None and controls[-1] is g else 0.0
        error = math.hypot(float(rest.std()) / math.sqrt(len(rest)), weight * g_error)
        found.append((error, float(rest.mean())))
    error, value = min(found)
    return value, error


class Step(NamedTuple):
    """A step of n paths from x (n, d): what it adds to y0 (n,), to the martingale of v (n,), and exp int f_y dt there.

    gain: v ahead - v + int (f - b.zeta) dt, by the trapezoidal rule.  growth: None for 1.
    """

    x: Tensor
    gain: Tensor
    martingale: Tensor
    growth: Tensor | None


def linearised_steps(
    sde: ForwardBackwardSDE, known: Known, dw: Sequence[Tensor], stride: int = 1, part: float = 1.0
) -> Iterator[Step]:
    """Along paths with the drift mu + sigma b and the increments dw, each (n, d), by `stride` of them at once."""
    steps = len(dw)
    h = stride * sde.horizon / steps
    x = sde.x0.expand_as(dw[0])
    value, slope = known(0.0, x)
    z = sde.z_of_gradient(0.0, x, slope)
    for n in range(0, steps, stride):
        t, w = n * sde.horizon / steps, torch.stack(list(dw[n : n + stride])).sum(0)
        f, by_y, by_z = sde.driver_slopes(t, x, value, z)
        shift = None if by_z is None else part * by_z
        next_x = sde.step(t, h, x, w, shift)
        ahead, slope = sde.terminal_gradient(next_x) if n + stride == steps else known(t + h, next_x)
        z_ahead = sde.z_of_gradient(t + h, next_x, slope)
        gain = part * (f + sde.driver(t + h, next_x, ahead, z_ahead))
        if shift is not None:  # of the whole step: the path moves by it, whatever f_z is at its end
            gain = gain - (shift * (z + z_ahead)).sum(1)
        growth = None if by_y is None else torch.exp(part * h * by_y)
        yield Step(x, ahead - value + 0.5 * h * gain, (z * w).sum(1), growth)
        x, value, z = next_x, ahead, z_ahead


def _linearised_paths(
    sde: ForwardBackwardSDE, known: Known, dw: list[Tensor], stride: int, part: float
) -> tuple[Tensor, Tensor]:
    """What each path contributes to y0 (m,), and the martingale of v along it (m,), by `stride` steps at once."""
    total = known(0.0, sde.x0[None])[0].expand(len(dw[0]))
    d, martingale = torch.ones_like(total), torch.zeros_like(total)
    for step in linearised_steps(sde, known, dw, stride, part):
        total = total + d * step.gain
        martingale = martingale + d * step.martingale
        if step.growth is not None:
            d = d * step.growth
    return total, martingale
