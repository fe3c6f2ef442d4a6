"""Do the equations determine the solution? Judged by the function w that noise in their data would give.

Where they do, w meets the equations without data no better than any other function: its relative residual is about
1.  Near a resonance, or with a free rotation, w grows along what the equations hardly determine, and its relative
residual q falls; a relative residual r of the solution leaves an error of about r / q.  Coefficients tell nothing: the
redundant ones of random features are large without any effect.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlpde.formulation.sampling import Located, relative_residual
from mlpde.representation.fitting import Fit

HARDLY = 1e-2  # well-posed problems are above 0.1
NOT_AT_ALL = 1e-6  # features that resolve the free function are below


def undetermined(judges: Sequence[Located], fit: Fit, residual: float, free: Sequence[int] = ()) -> list[str]:
    """A sentence if the equations do not, or hardly, determine the fitted function; judged at independent points.

    residual: its relative residual there; free: the components that may be determined up to a constant.
    """
    if fit.response is None:
        return []
    noise = fit.ansatz.state(fit.response)
    q = relative_residual(judges, fit.state, free, noise)
    if q > HARDLY:
        return []
    verb = "do not" if q < NOT_AT_ALL else "hardly"
    return [
        f"the equations {verb} determine the solution: another function meets them without their data up to a relative "
        f"residual of {q:.1e}, so the solution's own residual of {residual:.1e} may stand for a relative error of "
        f"{min(residual / q, 1.0):.1e}; is a condition missing, or the problem near a resonance?"
    ]
