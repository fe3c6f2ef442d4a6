"""Benchmarks by name: `mlpde bench NAME` runs `main()` of `mlpde.bench.NAME`, which prints tables of figures.

`rfm` runs `rfm_published` and its other parts, as `fem`, `neural` and `bsde` do theirs; each has a name of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """One table on the terminal; floats with three significant digits."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row))
    console = Console()
    if not console.is_terminal:  # a file has no width, and rich would cut the figures at 80 columns
        console = Console(width=200)
    console.print(table)
    console.print()
