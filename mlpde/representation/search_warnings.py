"""What a user must know about the fit that a search of `search.py` ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlpde.representation.adapted_partition import Adaptation
from mlpde.representation.determinacy import undetermined

if TYPE_CHECKING:
    from mlpde.representation.fits import Fits, Judged

LISTED = 5  # subdomains, at most
UNRESOLVED = 0.01  # relative errors against FEM were up to 13 times residuals above this


def search_warnings(fits: Fits, best: Judged) -> list[str]:
    """Sentences: of the fit itself, its subdomains, and how far it is from the tolerance."""
    sentences = list(best.fit.diagnostics["warnings"])
    if fits.form.linear and best.fit.diagnostics["norm"] == 0.0 and not fits.form.homogeneous:
        sentences.append(
            "the solution is zero because the data vanish at every collocation point, though not in the problem: "
            "what is narrower than the spacing of the points is not seen; more features, cells or points may help"
        )
    sentences += undetermined(fits.judges, best.fit, best.residual, fits.form.free)
    sentences += [_sentence(adaptation) for adaptation in best.adaptations[:LISTED]]
    if len(best.adaptations) > LISTED:
        sentences.append(f"the same for {len(best.adaptations) - LISTED} more subdomains")
    tolerance = fits.settings.tolerance
    missed = [
        f"the estimated relative error of field {name!r} is {_above(error, tolerance)}"
        for name, error in best.errors.items()
        if error > tolerance
    ]
    if not best.errors and best.residual > tolerance:
        missed = [f"the relative residual on independent points is {_above(best.residual, tolerance)}"]
    if missed:
        sentences.append(
            f"{', '.join(missed)}, above the tolerance {tolerance:g}: more features, cells or unknowns may help, "
            "unless the solution is singular or the data contradict each other"
        )
        if best.residual > UNRESOLVED:
            sentences.append(
                "the equations are not resolved, and the error may be many times the residual: do not use this "
                "solution unseen"
            )
        if fits.failure is not None:
            sentences.append(f"with other numbers of features {fits.failure}")
    return sentences


def _above(value: float, tolerance: float) -> str:
    """A value with enough digits to tell it from a tolerance just below."""
    return f"{value:.1e}" if value > 1.1 * tolerance else f"{value:.6e}"


def _sentence(adaptation: Adaptation) -> str:
    what = f"merged into {adaptation.into}" if adaptation.into is not None else "left to its neighbours"
    return f"subdomain {adaptation.cell} has {adaptation.points:.0f} points, too few: {what}"
