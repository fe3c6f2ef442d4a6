"""Every solver meets every case at small size, or refuses it with a sentence: one table of cases x solvers."""

from dataclasses import replace

import numpy as np
import pytest

from mlpde import case_files
from mlpde.comparison import reference_solver
from mlpde.errors import InputError
from mlpde.exact import exact_solution
from mlpde.monitor import Monitor
from mlpde.solution import Solution
from mlpde.solvers import SOLVERS, solver
from mlpde.solving import solve

CASES = sorted(case_files.case_files())
QUICK = {
    "fem": {"estimate": False, "tolerance": None},
    "rfm": {"max_unknowns": 2500},
    "pinn": {"depth": 2, "iterations": 30},
    "dgm": {"width": 8, "points": 100, "steps": 100, "refine": 100, "resample": 50},
    "deep_ritz": {"width": 8, "iterations": 25},
    "wan": {"width": 10, "iterations": 25},
}
REFINED = ("nist_corner", "nist_line_singularity", "nist_peak", "nist_wave_front")  # by FEM, as the case says
EIGENVALUES = SEMILINEAR = "does not take"
NO_ENERGY, SADDLE = "no energy can be derived from a nonlinear weak form", "the energy has no minimum"
PERIODIC = "it has 'periodic', the solver takes"
HIGH = "it has 'high dimension'"
INFINITE = "a coefficient or datum of the interior residual on 'domain' is not finite"
# Relative L2 errors (the largest of the fields) that the small runs stay below, or the sentence of the refusal.  Where
# the solution is singular (corners, where conditions change, where the lid meets the walls) its strong residual is not
# square integrable, and solvers that minimise it stay far from the solution; the peak is too sharp for small runs.
LIMITS: dict[str, dict[str, float | str]] = {
    "annulus_interface": {"fem": 1e-3, "rfm": 1e-4, "pinn": "flux differs between the regions"},
    "ball_poisson": {"fem": 3e-4, "rfm": 1e-3, "pinn": 1e-5},
    "allen_cahn_1d": {"fem": 0.3, "rfm": "Newton's method stalled", "pinn": 1.0},
    "burgers_1d": {"fem": 0.3, "rfm": 1.0, "pinn": 0.2},
    "box_with_cavities_3d": {"fem": 1e-2, "rfm": 1e-3, "pinn": 1.0},
    "bracket_3d": {"fem": 1e-2, "rfm": 1.5, "pinn": 1.5},
    "clamped_plate_elasticity": {"fem": 1e-2, "rfm": 1.0, "pinn": 1.0},
    "cylinder_flow": {"fem": 0.05, "rfm": 1.0, "pinn": 1.0},
    "elasticity_40_holes": {"fem": 0.1, "rfm": 1e-3, "pinn": 10.0},
    "heat2d_cg": {"fem": 1e-3, "rfm": 1.5, "pinn": 1.5},
    "heat_square": {"fem": 1e-3, "rfm": 1e-2, "pinn": 1e-4},
    "heat_st": {"fem": 0.05, "rfm": 0.2},
    "heated_fins": {"fem": 1e-3, "rfm": 2.0, "pinn": 2.0},
    "allen_cahn_100d": {"fem": HIGH, "rfm": SEMILINEAR, "pinn": SEMILINEAR},
    "burgers_50d": {"fem": HIGH, "rfm": SEMILINEAR, "pinn": SEMILINEAR},
    "default_risk": {"fem": HIGH, "rfm": SEMILINEAR, "pinn": SEMILINEAR},
    "hjb_lq": {"fem": HIGH, "rfm": SEMILINEAR, "pinn": SEMILINEAR},
    "quadratic_gradient": {"fem": HIGH, "rfm": SEMILINEAR, "pinn": SEMILINEAR},
    "reaction_diffusion": {"fem": HIGH, "rfm": SEMILINEAR, "pinn": SEMILINEAR},
    "two_rates": {"fem": HIGH, "rfm": SEMILINEAR, "pinn": SEMILINEAR},
    "hjb_2d": {"fem": 1e-3, "rfm": 0.05, "pinn": 0.05},
    "helmholtz_1d": {"fem": 0.2, "rfm": 1e-9, "pinn": 1.5},
    "hole_cluster_elasticity": {"fem": 1e-3, "rfm": 1.5, "pinn": 1.5},
    "kirsch_plate": {"fem": 1e-6, "rfm": 1e-2, "pinn": 0.1},
    "l_shape": {"fem": 1e-2, "rfm": 1e-10, "pinn": 0.2},
    "lshape_corner": {"fem": 1e-2, "rfm": 1e-10, "pinn": 0.2},
    "lid_driven_cavity": {"fem": 0.6, "rfm": 1.0, "pinn": 1.0},
    "membrane": {"fem": 1e-3, "rfm": 0.5, "pinn": 0.05},
    "neo_hookean_block": {"fem": 1e-10, "rfm": 1e-3, "pinn": 1e-3},
    "lshape_eigenvalues": {"fem": 5e-3, "rfm": EIGENVALUES, "pinn": EIGENVALUES},
    "maxwell_lshape": {"fem": 1e-2, "rfm": EIGENVALUES, "pinn": EIGENVALUES},
    "nist_corner": {"fem": 3e-5, "rfm": 0.3, "pinn": 0.1},
    "nist_line_singularity": {"fem": 1e-3, "rfm": INFINITE, "pinn": INFINITE},
    "nist_peak": {"fem": 3e-5, "rfm": 10.0, "pinn": 10.0},
    "nist_wave_front": {"fem": 3e-5, "rfm": 0.05, "pinn": 1e-3},
    "ns2d_backstep": {"fem": 0.05, "rfm": 0.3, "pinn": 0.6},
    "periodic_cell": {"fem": 1e-3, "rfm": 1e-2, "pinn": 0.01},
    "poisson_2d": {"fem": 1e-2, "rfm": 1e-12, "pinn": 1e-1},
    "poisson2d_c": {"fem": 1e-3, "rfm": 5e-3, "pinn": 5e-3},
    "poisson_high_frequency": {"fem": 0.1, "rfm": 0.1, "pinn": 10.0},
    "plate_with_holes": {"fem": 1e-3, "rfm": 2e-3, "pinn": 0.2},
    "schroedinger_st": {"fem": 1e-2, "rfm": 1e-2, "pinn": 0.02},
    "square_poisson": {"fem": 1e-3, "rfm": 1e-10, "pinn": 1e-6, "dgm": 0.05},
    "stokes_cluster": {"fem": 0.02, "rfm": 1.5, "pinn": 1.5},
    "stokes_driven": {"fem": 0.02, "rfm": 1.5, "pinn": 1.5},
    "stokes_three_holes": {"fem": 2e-3, "rfm": 1e-4, "pinn": 1e-4},
    "timoshenko_beam": {"fem": 1e-2, "rfm": 1e-12, "pinn": 1.0},
    "variable_coefficient": {"fem": 1e-3, "rfm": 1e-10, "pinn": 1e-2},
    "oscillator_eigenvalue": {"fem": 1e-3, "rfm": EIGENVALUES, "pinn": EIGENVALUES},
    "slit_square_constant": {"fem": 0.05, "rfm": 0.1, "pinn": 1.0},
    "slit_square_root": {"fem": 0.05, "rfm": 1e-6, "pinn": 1.0},
    "laplace_10d": {"fem": HIGH, "rfm": HIGH, "pinn": 0.05, "dgm": 0.05},
    "neumann_5d": {"fem": HIGH, "rfm": HIGH, "pinn": 0.5, "dgm": 1.0},
    "neumann_10d": {"fem": HIGH, "rfm": HIGH, "pinn": 1.0, "dgm": 1.0},
    "parabolic_10d": {"fem": "'high dimension'", "rfm": HIGH, "pinn": 1e-3, "dgm": 0.02},
    "wan_5d": {"fem": HIGH, "rfm": HIGH, "pinn": 1e-3, "dgm": 0.02},
    "wave_st": {"fem": 0.2, "rfm": 0.05, "pinn": 1.0},
}
# The weak residual is square integrable where the strong one is not: at corners and interfaces WAN does better.
WAN_LIMITS: dict[str, float | str] = {
    "annulus_interface": 0.1,
    "ball_poisson": 3e-5,
    "box_with_cavities_3d": 1.0,
    "bracket_3d": 1.5,
    "clamped_plate_elasticity": 0.3,
    "cylinder_flow": 1.0,
    "elasticity_40_holes": 10.0,
    "helmholtz_1d": 1.5,
    "hole_cluster_elasticity": 1.5,
    "kirsch_plate": 0.1,
    "l_shape": 0.02,
    "laplace_10d": 1.0,
    "wan_5d": 1.0,
    "lshape_corner": 0.02,
    "lid_driven_cavity": 1.5,
    "neo_hookean_block": 1e-4,
    "nist_corner": 0.03,
    "nist_line_singularity": 1e-2,
    "nist_peak": 10.0,
    "nist_wave_front": 0.05,
    "ns2d_backstep": 1.0,
    "plate_with_holes": 0.02,
    "poisson2d_c": 0.05,
    "poisson_2d": 1e-3,
    "poisson_high_frequency": 1.0,
    "slit_square_constant": 0.1,
    "slit_square_root": 0.05,
    "square_poisson": 1e-5,
    "stokes_cluster": 1.5,
    "stokes_driven": 1.5,
    "stokes_three_holes": 1e-2,
    "timoshenko_beam": 1.0,
    "variable_coefficient": 1e-3,
}
# The energy of a singular solution is finite: at corners Deep Ritz does better than what minimises a strong residual.
DEEP_RITZ_LIMITS: dict[str, float | str] = {
    "annulus_interface": 0.1,
    "ball_poisson": 0.01,
    "box_with_cavities_3d": 0.05,
    "bracket_3d": 1.0,
    "clamped_plate_elasticity": 0.1,
    "cylinder_flow": NO_ENERGY,
    "helmholtz_1d": 0.5,
    "hole_cluster_elasticity": 10.0,
    "kirsch_plate": 0.1,
    "l_shape": 0.001,
    "laplace_10d": 1.0,
    "lid_driven_cavity": NO_ENERGY,
    "lshape_corner": 0.002,
    "lshape_eigenvalues": 0.2,
    "neo_hookean_block": 0.001,
    "nist_line_singularity": INFINITE,
    "nist_peak": 10.0,
    "nist_wave_front": 0.05,
    "ns2d_backstep": NO_ENERGY,
    "oscillator_eigenvalue": 1e-4,
    "periodic_cell": PERIODIC,
    "plate_with_holes": 0.02,
    "poisson_2d": 0.5,
    "poisson_high_frequency": 1.0,
    "slit_square_constant": 0.1,
    "slit_square_root": 0.002,
    "square_poisson": 1e-5,
    "stokes_cluster": SADDLE,
    "stokes_driven": SADDLE,
    "stokes_three_holes": SADDLE,
    "timoshenko_beam": 1e-4,
    "variable_coefficient": 0.02,
}
for case in LIMITS:
    if case in DEEP_RITZ_LIMITS:
        LIMITS[case]["deep_ritz"] = DEEP_RITZ_LIMITS[case]
    LIMITS[case]["wan"] = WAN_LIMITS.get(case, "does not take|the problem has no Dirichlet condition")
SLOW = {
    *(("heat2d_cg", n) for n in ("fem", "rfm")),  # the reference takes the time
    *((case, "rfm") for case in ("bracket_3d", "heated_fins", "hjb_2d", "membrane", "plate_with_holes")),
    ("poisson2d_c", "wan"),
    *((case, "rfm") for case in ("stokes_driven", "poisson2d_c", "heat_square", "burgers_1d")),
    *(("bracket_3d", n) for n in ("fem", "pinn")),
    *(("nist_peak", n) for n in ("fem", "rfm")),
    *((case, "fem") for case in ("nist_corner", "heated_fins")),
    ("hjb_2d", "pinn"),
    ("laplace_10d", "dgm"),
    *((case, "rfm") for case in ("clamped_plate_elasticity", "periodic_cell", "slit_square_constant")),
    *(
        (case, n)
        for case in ("elasticity_40_holes", "annulus_interface", "box_with_cavities_3d")
        for n in SOLVERS
    ),
    *((case, "pinn") for case in ("poisson_high_frequency", "timoshenko_beam")),
    *((case, "wan") for case in ("ball_poisson", "bracket_3d", "cylinder_flow", "hole_cluster_elasticity")),
    *((case, "wan") for case in ("kirsch_plate", "neo_hookean_block", "stokes_cluster", "stokes_driven")),
    *((case, "wan") for case in ("stokes_three_holes", "lid_driven_cavity", "ns2d_backstep")),
    *((case, "rfm") for case in ("kirsch_plate", "lid_driven_cavity", "neo_hookean_block", "ns2d_backstep")),
    *((case, "pinn") for case in ("ball_poisson", "kirsch_plate", "lid_driven_cavity", "neo_hookean_block")),
    *((case, "pinn") for case in ("heat2d_cg", "heated_fins")),
    *((case, "pinn") for case in ("laplace_10d", "neumann_10d", "neumann_5d")),
    *((case, "deep_ritz") for case in ("ball_poisson", "bracket_3d", "kirsch_plate", "neo_hookean_block")),
    *((case, "deep_ritz") for case in ("hole_cluster_elasticity", "stokes_cluster", "lshape_eigenvalues")),
    *((case, "dgm") for case in ("neumann_10d", "neumann_5d", "parabolic_10d")),
    *((case, "pinn") for case in ("ns2d_backstep", "stokes_driven", "stokes_three_holes")),
    *((case, "pinn") for case in ("cylinder_flow", "hole_cluster_elasticity", "stokes_cluster")),
}
RUNS = [
    pytest.param(case, name, marks=pytest.mark.slow if (case, name) in SLOW else ())
    for case in CASES
    for name in LIMITS[case]
]


@pytest.fixture(scope="module")
def references():
    known: dict[str, Solution] = {}

    def reference(name: str) -> Solution:
        if name not in known:
            case = case_files.load(name)
            exact = bool(getattr(case.problem, "exact", None))
            known[name] = (
                exact_solution(case)
                if exact
                else solve(case, replace(reference_solver(case), tolerance=None, estimate=False))
            )
        return known[name]

    return reference


def test_the_table_names_every_case():
    assert sorted(LIMITS) == CASES


@pytest.mark.parametrize(("case", "name"), RUNS)
def test_solver_on_case(case, name, references, tmp_path):
    loaded, limit = case_files.load(case), LIMITS[case][name]
    quick = {} if name == "fem" and case in REFINED else QUICK[name]
    candidate = solver(name, **{**loaded.solvers.get(name, {}), **quick})
    if isinstance(limit, str):
        with pytest.raises(InputError, match=limit):
            solve(loaded, candidate, seed=0)
        return
    solution = solve(loaded, candidate, seed=0)
    errors = [error["l2"] for error in solution.error(references(case)).values()]
    assert max(errors) < limit
    if max(errors) > 0.1 and name != "fem":
        assert solution.info["warnings"]  # a solution that is far off says so

    points = loaded.problem.domain.interior(50, seed=3)
    restored = Solution.load(solution.save(tmp_path / "saved"))
    for field in loaded.problem.fields:
        values = solution.evaluate(points)[field.name]
        assert values.shape == (50, *field.shape)
        assert solution.gradient(points, field=field.name).shape == (*values.shape, loaded.problem.domain.dim)
        assert np.array_equal(restored.evaluate(points)[field.name], values)

    coefficients = solution.info.get("least_squares", {}).get("norm", 0.0)
    if max(errors) > 0.02 or coefficients > 1e8:
        return  # huge coefficients cancel where a singular solution is approximated: differences are all rounding
    step = 1e-5 * np.eye(loaded.problem.domain.dim)[0]
    difference = (solution.jets(points + step, [()])[()] - solution.jets(points - step, [()])[()]) / 2e-5
    slope = solution.jets(points, [(0,)])[(0,)]
    rounding = coefficients * np.finfo(float).eps / 1e-5
    assert np.median(np.abs(difference - slope)) < 1e-4 * np.abs(slope).max() + rounding


# Relative differences of u(0, x0) to the exact or published value: of 1024 paths, and of a few levels.
AT_START = {
    "allen_cahn_100d": {"bsde": 1e-3, "multilevel_picard": 0.02},
    "burgers_50d": {"bsde": 2e-3},
    "default_risk": {"bsde": 2e-3, "multilevel_picard": 0.02},
    "hjb_2d": {"bsde": 5e-3},
    "hjb_lq": {"bsde": 2e-4},
    "quadratic_gradient": {"bsde": 2e-4},
    "reaction_diffusion": {"bsde": 1e-3},
    "two_rates": {"bsde": 0.015},
}
QUICK_AT_START = {
    "bsde": {"paths": 1024, "max_steps": 16, "network": False},
    "multilevel_picard": {"levels": 3},
}


@pytest.mark.parametrize(
    ("case", "name"),
    [
        pytest.param(case, name, marks=pytest.mark.slow if case == "two_rates" else ())
        for case in AT_START
        for name in AT_START[case]
    ],
)
def test_the_value_at_the_start(case, name):
    loaded = case_files.load(case)
    known = exact_solution(loaded).quantities["y0"] if loaded.problem.exact else loaded.published["y0"][0]
    solution = solve(loaded, solver(name, **QUICK_AT_START[name]), seed=0)
    y0 = solution.quantities["y0"]
    assert abs(y0["value"] - known) < AT_START[case][name] * abs(known)
    if case != "two_rates":  # whose published value lies outside the bounds
        assert abs(y0["value"] - known) < 2 * (y0["ci95"] + y0["bias"])
    elif name == "bsde":
        assert y0["lower"] < y0["value"] + y0["ci95"]
        assert y0["upper"] < known


@pytest.mark.parametrize("name", ["rfm", "pinn"])
def test_a_seed_fixes_the_result(name):
    loaded = case_files.load("variable_coefficient")
    settings = {
        "rfm": {"features": 50, "partition": (2, 2)},
        "pinn": {"width": 8, "depth": 2, "iterations": 5},
    }[name]
    points = loaded.problem.domain.interior(20, seed=0)
    first, again, other = (
        solver(name, **settings).solve(loaded.problem, seed=seed, monitor=Monitor())(points)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
