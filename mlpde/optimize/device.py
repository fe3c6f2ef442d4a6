"""The device on which matrices are built and factorised: there, or refused."""

import torch

from mlpde.errors import InputError


def available(name: str) -> torch.device:
    """The torch device of that name.

    Raises InputError where torch does not find it or it has no double precision: nothing then runs elsewhere.
    """
    try:
        device = torch.device(name)
        torch.ones(1, dtype=torch.float64, device=device).item()
    except (RuntimeError, AssertionError, TypeError) as error:
        what = "" if not _there(name) else " with double precision"
        found = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise InputError(
            f"There is no device {name!r}{what} here: torch finds {', '.join(found)}."
        ) from error
    return device


def _there(name: str) -> bool:
    try:
        torch.ones(1, dtype=torch.float32, device=name).item()
    except (RuntimeError, AssertionError, TypeError):
        return False
    return True
