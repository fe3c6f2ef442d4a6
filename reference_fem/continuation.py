"""Load continuation: solve for a part of the data, and follow the solution as they grow.

    F(u) - (1 - load) F(0) = 0,      u = load g on Dirichlet boundaries,      load from 0 to 1

At load 0 the solution is u = 0.  The load scales sources, boundary fluxes and Dirichlet values together: the force on
an elastic body, or the velocity of a flow, and with it its Reynolds number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlpde.errors import InputError

if TYPE_CHECKING:
    from reference_fem.newton import Newton

FIRST = 0.25  # load
SMALLEST = 1e-3  # increment of the load
EASY = 4  # Newton steps after which the increment is doubled
MAX_STEPS = 15  # of Newton's method at one load: a shorter increment is better than more of them
INTERMEDIATE = 1e4  # tolerance at loads below 1, relative to the last one


def follow_load(
    newton: Newton, data: Any, tangent: Any, failure: InputError, tolerance: float
) -> list[dict[str, Any]]:
    """The solution at load 1, left in the unknowns; rows {"load", "residual"} of the history.

    data: the Dirichlet values g.  tangent: about du/dload at load 0.  failure: why the whole load at once did not work,
    raised if there is nothing to scale.  tolerance: of the residual.
    Raises InputError, with the load and the residual, where smaller increments do not help either.
    """
    u, origin = newton.system.vector(), newton.system.vector()
    newton.residual(u, origin)
    if not np.isfinite(origin.norm()) or origin.norm() + data.norm() == 0:
        raise failure
    rows: list[dict[str, Any]] = []
    load, increment, slope = 0.0, FIRST, tangent
    while load < 1:
        increment = min(increment, 1 - load)
        target = load + increment if increment < 1 - load else 1.0
        x = u + increment * slope
        here = tolerance if target == 1 else INTERMEDIATE * tolerance
        try:
            history = newton.solve(x, (1 - target) * origin, here, MAX_STEPS)
        except InputError as error:
            increment /= 2
            if increment < SMALLEST:
                raise InputError(
                    f"{error}; this was at {target:.4g} of the load (sources, boundary fluxes, Dirichlet values), "
                    f"{load:.4g} of it could be solved for"
                ) from error
            continue
        rows += [{"load": target, "residual": norm} for norm in history]
        slope = (x - u) / increment
        load, u = target, x
        increment *= 2 if len(history) - 1 <= EASY else 1
    return rows
