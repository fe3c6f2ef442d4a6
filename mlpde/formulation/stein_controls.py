"""Means over samples of a density p = exp(-factor g(w) - |w|^2 / 2), with control variates by Stein's identity.

For a vector field phi

    E (div phi - phi.(w + factor grad g)) = 0

where g is continuous and phi p vanishes at infinity.  The fields w, g w, g^2 w know how long the samples are, and
m, g m, g^2 m with a constant vector m along the mean of grad g how far along it: neither needs a second derivative.
The weights of the controls, and m, come from samples that are independent of those they are used for: fitted to the
same samples they would move the mean by more than its error.

Oates, Girolami, Chopin 2017, doi:10.1111/rssb.12185; Assaraf, Caffarel 1999, doi:10.1103/PhysRevLett.83.4682.
"""

from __future__ import annotations

import torch

Tensor = torch.Tensor


def means(e: Tensor, w: Tensor, g: Tensor, slope: Tensor, factor: float) -> Tensor:
    """The means (r,) of e (r, n) in r independent sets of samples w (r, n, d), with g (r, n) and grad g (r, n, d).

    r is even: the sets with even numbers find the weights for those with odd numbers, and the other way round.
    Where the controls leave no less of the variance of e, the means are the plain ones.
    """
    rest = torch.empty_like(e)
    for one, other in ((0, 1), (1, 0)):
        along = slope[other::2].mean((0, 1))
        fit, used = (_controls(w[k::2], g[k::2], slope[k::2], factor, along) for k in (other, one))
        e_fit = e[other::2].reshape(-1, 1)
        columns = torch.cat([torch.ones_like(e_fit), fit.flatten(0, 1)], 1)
        scale = columns.norm(dim=0).clamp_min(torch.finfo(columns.dtype).tiny)
        if not bool(columns.isfinite().all()):
            return e.mean(1)
        beta = torch.linalg.lstsq(columns / scale, e_fit, driver="gelsd").solution[:, 0] / scale
        rest[one::2] = e[one::2] - used @ beta[1:]
    return (rest if bool(rest.var() < e.var()) else e).mean(1)


def slopes(y: Tensor, weights: Tensor, w: Tensor, slope: Tensor, factor: float) -> Tensor:
    """The weighted means (r, p, d) of y (r, p, n, d), whose component i depends on w_i above all.

    weights: (r, p, n), of samples w (r, p, n, d) with grad g; factor: of the density that the weighted samples have.
    The fields are w_i^k along the axis i, k = 0, 1, 2; r is even, as above.
    """
    first = w + factor * slope
    controls = torch.stack([first, 1 - w * first, 2 * w - w * w * first], -1)
    plain = torch.einsum("rpn,rpnd->rpd", weights, y)
    means = torch.einsum("rpn,rpndk->rpdk", weights, controls)
    y_off, c_off = y - plain[:, :, None], controls - means[:, :, None]
    matrix = torch.einsum("rpn,rpndk,rpndl->rpdkl", weights, c_off, c_off)
    right = torch.einsum("rpn,rpndk,rpnd->rpdk", weights, c_off, y_off)
    found = torch.empty_like(plain)
    for one, other in ((0, 1), (1, 0)):
        beta = torch.linalg.lstsq(matrix[other::2].mean(0), right[other::2].mean(0)[..., None]).solution[
            ..., 0
        ]
        found[one::2] = plain[one::2] - (means[one::2] * beta).sum(-1)
    return found


def _controls(w: Tensor, g: Tensor, slope: Tensor, factor: float, along: Tensor) -> Tensor:
    """(r, n, 6) in double precision."""
    g, by_w, by_m = g.double(), (w * slope).sum(-1).double(), (slope @ along).double()
    g = g - g.mean()
    by_length = w.shape[-1] - (w * w).sum(-1).double() - factor * by_w
    by_place = -(w @ along).double() - factor * by_m
    found = []
    for first, rate in ((by_length, by_w), (by_place, by_m)):
        found += [first, g * first + rate, g**2 * first + 2 * g * rate]
    return torch.stack(found, -1)
