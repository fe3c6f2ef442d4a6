"""`RFM(device=...)`: there or refused; the GPU tests skip where there is none, and record where the data were."""

import pytest
import torch

from mlpde.case_files import load
from mlpde.exact import exact_solution
from mlpde.solvers.rfm import RFM


@pytest.mark.parametrize("device", ["cuda:7", "meta", "gpu"])
def test_a_device_that_is_not_there_is_refused_in_one_sentence(device):
    case = load("square_poisson")
    with pytest.raises(ValueError, match=f"There is no device '{device}' here: torch finds cpu"):
        RFM(features=20, partition=(1, 1), device=device).solve(case.problem)


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["block_qr", "mixed_qr", "cholesky"])
def test_a_gpu_finds_what_the_processor_finds(method):
    case, errors = load("square_poisson"), {}
    for device in ("cpu", "cuda"):
        solution = RFM(features=60, partition=(4, 4), method=method, device=device).solve(case.problem)
        assert solution.info["least_squares"]["device"].startswith(device)
        assert solution.info["least_squares"]["method"] == method
        errors[device] = solution.error(exact_solution(case))["u"]["l2"]
    assert torch.cuda.max_memory_allocated() > 1e6
    assert errors["cuda"] == pytest.approx(errors["cpu"], rel=0.1)
