"""Two results of `mlpde solve`, in the folders given: are their figures the same to 1e-10?"""

import json
import sys
from pathlib import Path

TOLERANCE = 1e-10


def figures(folder):
    (row,) = json.loads(Path(folder, "metrics.json").read_text())["solutions"]
    found = {
        f"error of {field} in {name}": error
        for field, errors in row["errors"].items()
        for name, error in errors.items()
    }
    return found | row["quantities"] | {"unknowns": row["unknowns"]}


one, other = map(figures, sys.argv[1:3])
if not one or one.keys() != other.keys():
    sys.exit(f"they have other figures: {sorted(one)} and {sorted(other)}")
# Errors are relative already, and quantities of the size of one.
difference = {name: abs(one[name] - other[name]) for name in one}
for name, value in difference.items():
    print(f"{name:30} {one[name]:.15g} {other[name]:.15g} differ by {value:.1e}")
worst = max(difference.values())
print(f"FIGURE differ by {worst:.0e}")
sys.exit(worst > TOLERANCE and f"they differ by {worst:.1e}, {TOLERANCE:g} is allowed")
