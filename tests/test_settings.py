"""A setting out of range is refused when the solver is made, in a sentence that names it."""

import math
import re

import numpy as np
import pytest

from mlpde import DGM, FEM, PINN, RFM, WAN, DeepRitz, InputError

WRONG = [
    (RFM, {"features": 0}, "rfm.features must be an integer from 1 on, not 0"),
    (RFM, {"features": 2.5}, "rfm.features must be an integer from 1 on, not 2.5"),
    (RFM, {"global_features": -1}, "rfm.global_features must be an integer from 0 on"),
    (RFM, {"max_unknowns": 0}, "rfm.max_unknowns must be an integer from 1 on"),
    (RFM, {"scale": math.nan}, "rfm.scale must be a positive number, not nan"),
    (RFM, {"scale": math.inf}, "rfm.scale must be a positive number, not inf"),
    (RFM, {"points": 0.0}, "rfm.points must be a positive number, not 0.0"),
    (RFM, {"tolerance": -1.0}, "rfm.tolerance must be 0 or a positive number, not -1.0"),
    (RFM, {"activation": "relu"}, "unknown value of rfm.activation: 'relu': there is 'cos', 'sin', 'tanh'"),
    (RFM, {"method": "qr"}, "unknown value of rfm.method: 'qr'"),
    *(
        (
            RFM,
            {"partition": cells},
            f"rfm.partition must be numbers of cells from 1 on.*, not {re.escape(repr(cells))}",
        )
        for cells in ((0, 2), (-1, 2), (2.5, 2), "ab", 3)
    ),
    (RFM, {"scale": 1e300}, r"rfm.scale 1e\+300 is too large"),
    (RFM, {"corners": "no"}, "rfm.corners must be True or False, not 'no'"),
    (RFM, {"holes": 1}, "rfm.holes must be True or False, not 1"),
    (RFM, {"polynomials": 1}, "rfm.polynomials must be True or False, not 1"),
    (RFM, {"device": 3}, "rfm.device must be a text such as 'cpu' or 'cuda', not 3"),
    (PINN, {"width": 0}, "pinn.width must be an integer from 1 on, not 0"),
    (PINN, {"depth": True}, "pinn.depth must be an integer from 1 on, not True"),
    (PINN, {"iterations": 0}, "pinn.iterations must be an integer from 1 on, not 0"),
    (PINN, {"points": -1}, "pinn.points must be an integer from 1 on, not -1"),
    (PINN, {"tolerance": math.nan}, "pinn.tolerance must be 0 or a positive number, not nan"),
    (PINN, {"resample": 0}, "pinn.resample must be an integer from 1 on, not 0"),
    (PINN, {"learning_rate": 0}, "pinn.learning_rate must be a positive number, not 0"),
    (PINN, {"inputs": ("holes", "tiles")}, "unknown value of pinn.inputs: 'tiles'"),
    (PINN, {"inputs": "holes"}, "pinn.inputs must be a tuple such as .'corners',., not 'holes'"),
    (PINN, {"inputs": None}, "pinn.inputs must be a tuple such as .'corners',., not None"),
    (PINN, {"inputs": ["holes", "holes"]}, "pinn.inputs names one value twice"),
    (FEM, {"degree": 7}, "fem.degree must be an integer from 1 to 6, not 7"),
    (WAN, {"degree": 99}, "wan.degree must be an integer from 1 to 6, not 99"),
    (DGM, {"steps": 0, "refine": 0}, "dgm.steps and dgm.refine are both 0"),
    (DeepRitz, {"geometry_inputs": "no"}, "deep_ritz.geometry_inputs must be True or False, not 'no'"),
    (PINN, {"optimizer": "sgd"}, "unknown value of pinn.optimizer: 'sgd'"),
    (PINN, {"activation": "relu"}, "unknown value of pinn.activation: 'relu': there is 'sin', 'tanh'"),
]


@pytest.mark.parametrize(("solver", "settings", "sentence"), WRONG)
def test_a_setting_out_of_range_is_named(solver, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        solver(**settings)


def test_equal_settings_read_alike():
    """So that a run goes on, whoever wrote them."""
    given = PINN(inputs=["holes"], width=np.int64(8), tolerance=np.float64(0.5), learning_rate=1)
    assert repr(given) == repr(PINN(inputs=("holes",), width=8, tolerance=0.5, learning_rate=1.0))


def test_what_may_be_zero():
    assert RFM(tolerance=0.0, global_features=0).tolerance == 0.0


def test_numbers_of_numpy_are_numbers():
    solver = PINN(width=np.int64(8), learning_rate=np.float32(0.5))
    assert solver.width == 8 and type(solver.width) is int  # torch takes no other
