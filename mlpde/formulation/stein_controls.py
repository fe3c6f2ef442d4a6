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
    """The means (r, r) of e (r, n) in r independent sets of samples w (r, n, d), with g (r, n) and grad g (r, n, d).

    r is even: the sets with even numbers find the weights for those with odd numbers, and the other way round.
    [i, k] is the mean of the set i when k did not help to find weights and m, and else that by all helpers: as the
    halves help each other their means err together, and only leaving sets out shows by how much.
    Where the controls leave no less of the variance of e, the means are the plain ones.
    """
    r = len(e)
    plain = e.mean(1)[:, None].expand(r, r)
    g, by_w, each = g.double(), (w * slope).sum(-1).double(), slope.mean(1)
    g = g - g.mean()  # the same controls, but of like sizes
    along = torch.stack([each[k::2].mean(0) for k in (0, 1)], 1)
    by_m = (slope @ along).double()
    by_length = _controls(w.shape[-1] - (w * w).sum(-1).double() - factor * by_w, by_w, g)
    by_place = _controls(-(w @ along).double() - factor * by_m, by_m, g[..., None])
    if not bool(by_length.isfinite().all() and by_place.isfinite().all()):
        return plain
    # the means (r, 3, d) of the controls by unit vectors: those by m are linear in m
    powers = torch.stack([torch.ones_like(g), g, g**2], 1).to(w)
    rates = torch.stack([torch.zeros_like(g), torch.ones_like(g), 2 * g], 1).to(w)
    by_axis = (rates @ slope - powers @ (w + factor * slope)) / w.shape[1]
    rest, controlled = torch.empty_like(e), plain.clone()
    for one, other in ((0, 1), (1, 0)):
        controls = torch.cat([by_length, by_place[:, :, other]], -1)
        helpers = range(other, r, 2)
        columns = torch.cat([e[..., None], torch.ones_like(e[..., None]), controls], -1)[other::2]
        scale = columns.square().sum((0, 1)).sqrt().clamp_min(torch.finfo(columns.dtype).tiny)
        # the eight rows of a set's triangle have the least squares of all its samples
        triangles = torch.linalg.qr(columns / scale, mode="r").R
        beta = _weights(triangles, scale)
        rest[one::2] = e[one::2] - controls[one::2] @ beta
        controlled[one::2] = rest[one::2].mean(1)[:, None]
        for k in helpers if len(helpers) > 1 else ():
            others = [m for m in helpers if m != k]
            moved = by_axis[one::2] @ each[others].mean(0)
            used = torch.cat([by_length[one::2].mean(1), moved.double()], -1)
            without = _weights(triangles[[m // 2 for m in others]], scale)
            controlled[one::2, k] = plain[one::2, 0] - used @ without
    return controlled if bool(rest.var() < e.var()) else plain


def _weights(rows: Tensor, scale: Tensor) -> Tensor:
    """The weights (6,) of the controls, by least squares over rows (..., 8) of e, 1 and the controls, each by scale."""
    rows = rows.flatten(0, 1)
    found = torch.linalg.lstsq(rows[:, 1:], rows[:, :1], driver="gelsd").solution[:, 0]
    return (found * scale[0] / scale[1:])[1:]


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


def _controls(field: Tensor, rate: Tensor, g: Tensor) -> Tensor:
    """(..., 3): div phi - phi.(w + factor grad g) for phi, g phi, g^2 phi, with that of phi and its phi.grad g."""
    return torch.stack([field, g * field + rate, g**2 * field + 2 * g * rate], -1)
