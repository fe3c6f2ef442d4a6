"""Jets of a function that is given by its values alone, and remembering them where points are used again and again."""

from collections.abc import Callable, Hashable

import torch
from torch.utils.weak import WeakTensorKeyDictionary

from mlpde.representation.jets import Channels

_known = WeakTensorKeyDictionary()  # points -> what was computed at them; it goes when the points go


def at_points(points: torch.Tensor, key: Hashable, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
    """`compute()`, or what it gave for the same tensor of points and the same key before."""
    known = _known.setdefault(points, {})
    full_key = (key, points._version)  # the number of changes in place
    if full_key not in known:
        known[full_key] = compute()
    return known[full_key]


def jet_of(
    function: Callable[[torch.Tensor], torch.Tensor], points: torch.Tensor, channels: Channels
) -> torch.Tensor:
    """The jet (channels, n, M) of a function of points (n, D) -> (n, M), by nested automatic differentiation."""
    with torch.enable_grad():
        x = points.detach().requires_grad_()
        values = function(x)
        parts = []
        for m in range(values.shape[1]):
            gradient = _gradient(values[:, m], x)
            rows = [_gradient(gradient[:, i], x).detach() for i in channels.first] if channels.curved else []
            hessian = dict(zip(channels.first, rows, strict=False))
            derivatives = [gradient[:, i].detach() for i in channels.first]
            derivatives += [hessian[i][:, j] for i, j in channels.second]
            derivatives += [
                sum((hessian[i][:, i] for i in range(1, d)), hessian[0][:, 0]) for d in channels.traces
            ]
            parts.append(torch.stack([values[:, m].detach(), *derivatives]))
    return torch.stack(parts, dim=-1)


def _gradient(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """d values_i / d x_i, (n, D); zero where the values do not depend on x."""
    if not values.requires_grad:
        return torch.zeros_like(x)
    (found,) = torch.autograd.grad(
        values.sum(), x, create_graph=True, allow_unused=True, materialize_grads=True
    )
    return found
