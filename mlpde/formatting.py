"""Numbers as they stand in reports."""

from __future__ import annotations

import math
from typing import Any


def number(value: Any, digits: int = 3) -> str:
    """Three significant digits: 0.00123 -> "1.23e-3", 12345 -> "12 300"; whole numbers in full; nan -> "no value"."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "no value"
    if value < 0:
        return "\N{MINUS SIGN}" + number(-value, digits)
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if -3 < exponent < digits + 2:
        return f"{value:.{max(digits - 1 - exponent, 0)}f}"
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(power)}"
