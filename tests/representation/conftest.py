"""Makes `test_published_problems`, the home of the published problems, importable by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
