"""What the random feature method chooses by itself, beside what it could have chosen."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from mlpde.bench import print_table

TOLERANCE = 1e-8
SMOOTH = (
    "square_poisson",
    "poisson_2d",
    "variable_coefficient",
    "helmholtz_1d",
    "poisson_high_frequency",
    "timoshenko_beam",
    "stokes_three_holes",
    "annulus_interface",
    "lshape_corner",
    "ball_poisson",
    "box_with_cavities_3d",
    "neo_hookean_block",
    "heat_st",
    "wave_st",
    "schroedinger_st",
    "heat_square",
    "membrane",
)
SEEDS = range(3)
GRID = [("sin", s) for s in (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)] + [("tanh", s) for s in (0.5, 1.0, 2.0)]
# case (None: the travelling bump), features, partition
AT_EQUAL_UNKNOWNS: tuple[tuple[str | None, int, tuple[int, ...]], ...] = (
    ("poisson_2d", 150, (2, 2)),
    ("variable_coefficient", 200, (1, 1)),
    ("stokes_three_holes", 200, (1, 1)),
    (None, 400, (1, 1, 1)),
)
# features of a subdomain and on the whole box, at equal unknowns on 6 x 6 subdomains
SCALES = ((20, 0), (15, 180), (40, 0), (30, 360), (100, 0), (90, 360))


def travelling_bump() -> Any:
    """u_t - div(K grad u) = f on the unit square, K anisotropic and not constant, u a bump that moves and spreads.

    Made for this check alone; nothing in the search was tuned by it.
    """
    import ufl

    from geometry import rectangle
    from mlpde import Case, Dirichlet, Field, Problem, dt

    def exact(x: Any, t: Any) -> Any:
        return ufl.exp(-6 * (x[0] - 0.3 - 0.4 * t) ** 2 - 3 * (x[1] - 0.6 + 0.2 * t) ** 2) / (1 + t)

    def flux(u: Any, x: Any) -> Any:
        return ufl.as_vector(
            [(2 + ufl.sin(3 * x[1])) * u.dx(0) + 0.3 * u.dx(1), 0.3 * u.dx(0) + 0.1 * u.dx(1)]
        )

    def weak_form(u: Any, v: Any, omega: Any) -> Any:
        g = exact(omega.x, omega.t)
        f = dt(g) - ufl.div(flux(g, omega.x))
        return (dt(u) * v + ufl.inner(flux(u, omega.x), ufl.grad(v)) - f * v) * omega.dx

    problem = Problem(
        rectangle(),
        Field("u"),
        weak_form,
        dirichlet=Dirichlet("all", exact),
        time=(0.0, 1.0),
        initial=lambda x: exact(x, 0.0),
        exact=exact,
    )
    return Case("travelling bump", problem)


def solved(case: Any, reference: Any, seed: int = 0, **settings: Any) -> tuple[dict[str, float], Any, float]:
    """The relative L2 errors by field, what the solution says of itself, and CPU seconds."""
    from mlpde.solvers.rfm import RFM

    start = time.process_time()
    solution = replace(RFM(**settings).solve(case.problem, seed=seed), case=case)
    seconds = time.process_time() - start
    return {name: e["l2"] for name, e in solution.error(reference).items()}, solution.info, seconds


def tolerance_met() -> None:
    """RFM(tolerance=1e-8) on every smooth case with an exact solution."""
    from mlpde.case_files import load
    from mlpde.exact import exact_solution

    rows: list[list[Any]] = []
    for name in SMOOTH:
        case = load(name)
        errors, info, seconds = solved(case, exact_solution(case), tolerance=TOLERANCE)
        estimated = max(error["l2"] for error in info["estimated_error"].values())
        rows.append(
            [
                name,
                max(errors.values()),
                estimated,
                info["residual"],
                "yes" if max(errors.values()) <= TOLERANCE else "NO",
                info["partition"],
                info["features"],
                info["unknowns"],
                f"{info['activation']} {info['scale']:g}",
                len(info["probes"]),
                seconds,
            ]
        )
    columns = ["case", "worst field", "estimated", "residual", "met", "partition", "features", "unknowns"]
    columns += ["chosen", "probes", "CPU s"]
    print_table(f"RFM(tolerance={TOLERANCE:g}), nothing else set, relative L2 errors, seed 0", columns, rows)


def beside_a_grid() -> None:
    """The error with chosen activation and scale over the best of a grid, at equal unknowns."""
    from mlpde.case_files import load
    from mlpde.exact import exact_solution

    rows: list[list[Any]] = []
    for name, features, partition in AT_EQUAL_UNKNOWNS:
        case = travelling_bump() if name is None else load(name)
        reference = exact_solution(case)
        for seed in SEEDS:
            size: dict[str, Any] = {"features": features, "partition": partition, "seed": seed}
            errors, info, seconds = solved(case, reference, **size)
            found = {
                (a, s): max(solved(case, reference, activation=a, scale=s, **size)[0].values())
                for a, s in GRID
            }
            best = min(found, key=lambda pair: found[pair])
            own = max(errors.values())
            rows.append(
                [
                    case.name,
                    info["unknowns"],
                    seed,
                    f"{info['activation']} {info['scale']:g}",
                    own,
                    f"{best[0]} {best[1]:g}",
                    found[best],
                    own / found[best],
                    float(np.median(list(found.values()))),
                    seconds,
                ]
            )
    columns = ["case", "unknowns", "seed", "chosen", "error", "best of the grid", "its error", "ratio"]
    print_table(
        f"activation and R chosen, beside a grid of {len(GRID)}, each row one seed (asked: ratio at most 10)",
        [*columns, "median of the grid", "CPU s"],
        rows,
    )


def multi_scale() -> None:
    """Features on the whole box beside those of the subdomains, at equal unknowns."""
    from mlpde.case_files import load
    from mlpde.exact import exact_solution

    rows: list[list[Any]] = []
    for name in ("poisson_high_frequency", "poisson_2d"):
        case = load(name)
        reference = exact_solution(case)
        for features, whole in SCALES:
            runs = [
                solved(
                    case,
                    reference,
                    seed,
                    features=features,
                    global_features=whole,
                    partition=(6, 6),
                    activation="sin",
                    scale=3.0,
                )
                for seed in SEEDS
            ]
            error = float(np.median([errors["u"] for errors, _, _ in runs]))
            rows.append(
                [name, features, whole, runs[0][1]["unknowns"], error, float(np.median([r[2] for r in runs]))]
            )
    columns = ["case", "features of a subdomain", "on the box", "unknowns", "median L2 error", "CPU s"]
    print_table(f"multi-scale: 6 x 6 subdomains, sin, R = 3, {len(SEEDS)} seeds", columns, rows)


def main() -> None:
    """Print the tables."""
    tolerance_met()
    beside_a_grid()
    multi_scale()
