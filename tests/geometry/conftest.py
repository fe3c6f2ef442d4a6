"""One small domain of every kind with its exact measures and an inside test that knows nothing of meshes."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest

from geometry import (
    Domain,
    annulus,
    ball,
    box_with_cavities,
    channel,
    cuboid,
    disk,
    interval,
    l_shape,
    plate_with_holes,
    rectangle,
    torus,
)

HOLES = ((0.5, 0.5, 0.15), (1.4, 0.4, 0.2))
CAVITY = (1.2, 2.0, 3.1, 0.6)


def _radius(x, center):
    return np.linalg.norm(x - np.array(center), axis=1)


def _in_box(x, lower, upper, slack):
    return ((x >= np.array(lower) - slack) & (x <= np.array(upper) + slack)).all(1)


class Shape(NamedTuple):
    domain: Domain
    volume: float
    boundaries: dict[str, float]  # measure of each
    box: list[list[float]]
    inside: Callable[[np.ndarray, float], np.ndarray]  # (points, slack): the slack enlarges the domain


SHAPES = {
    "interval": Shape(
        interval(-1.0, 2.0),
        3.0,
        {"left": 1.0, "right": 1.0},
        [[-1.0], [2.0]],
        lambda x, s: _in_box(x, [-1.0], [2.0], s),
    ),
    "rectangle": Shape(
        rectangle(0.1, 0.2, 2.1, 1.2),
        2.0,
        {"left": 1.0, "right": 1.0, "bottom": 2.0, "top": 2.0},
        [[0.1, 0.2], [2.1, 1.2]],
        lambda x, s: _in_box(x, [0.1, 0.2], [2.1, 1.2], s),
    ),
    "l_shape": Shape(
        l_shape(1.0),
        3.0,
        {"reentrant": 2.0, "outer": 6.0},
        [[-1.0, -1.0], [1.0, 1.0]],
        lambda x, s: _in_box(x, [-1, -1], [1, 1], s) & ~_in_box(x, [0, -1], [1, 0], -s),
    ),
    "disk": Shape(
        disk(0.7, (0.3, -0.2)),
        np.pi * 0.49,
        {"circle": 1.4 * np.pi},
        [[-0.4, -0.9], [1.0, 0.5]],
        lambda x, s: _radius(x, (0.3, -0.2)) <= 0.7 + s,
    ),
    "annulus": Shape(
        annulus(0.5, 1.0),
        0.75 * np.pi,
        {"outer": 2 * np.pi, "inner": np.pi},
        [[-1, -1], [1, 1]],
        lambda x, s: (_radius(x, (0, 0)) <= 1 + s) & (_radius(x, (0, 0)) >= 0.5 - s),
    ),
    "plate_with_holes": Shape(
        plate_with_holes(2.0, 1.0, HOLES),
        2.0 - np.pi * (0.15**2 + 0.2**2),
        {"left": 1.0, "right": 1.0, "bottom": 2.0, "top": 2.0, "holes": 0.7 * np.pi},
        [[0, 0], [2, 1]],
        lambda x, s: (
            _in_box(x, [0, 0], [2, 1], s) & np.all([_radius(x, h[:2]) >= h[2] - s for h in HOLES], axis=0)
        ),
    ),
    "channel": Shape(
        channel(2.0, 1.0, HOLES[:1]),
        2.0 - np.pi * 0.15**2,
        {"inlet": 1.0, "outlet": 1.0, "walls": 4.0, "obstacles": 0.3 * np.pi},
        [[0, 0], [2, 1]],
        lambda x, s: _in_box(x, [0, 0], [2, 1], s) & (_radius(x, HOLES[0][:2]) >= HOLES[0][2] - s),
    ),
    "cuboid": Shape(
        Domain(3, cuboid(0, 0, 0, 1, 2, 3).build, size=0.4),
        6.0,
        {"left": 6.0, "right": 6.0, "front": 3.0, "back": 3.0, "bottom": 2.0, "top": 2.0},
        [[0, 0, 0], [1, 2, 3]],
        lambda x, s: _in_box(x, [0, 0, 0], [1, 2, 3], s),
    ),
    "box_with_cavities": Shape(
        Domain(3, box_with_cavities((0, 1, 2), (2, 3, 4), [CAVITY]).build, size=0.5),
        8.0 - 4 / 3 * np.pi * 0.6**3,
        dict.fromkeys(("left", "right", "front", "back", "bottom", "top"), 4.0)
        | {"cavities": 4 * np.pi * 0.36},
        [[0, 1, 2], [2, 3, 4]],
        lambda x, s: _in_box(x, [0, 1, 2], [2, 3, 4], s) & (_radius(x, CAVITY[:3]) >= CAVITY[3] - s),
    ),
    "ball": Shape(
        Domain(3, ball(0.5, (1, 2, 3)).build, size=0.15),
        np.pi / 6,
        {"sphere": np.pi},
        [[0.5, 1.5, 2.5], [1.5, 2.5, 3.5]],
        lambda x, s: _radius(x, (1, 2, 3)) <= 0.5 + s,
    ),
    "torus": Shape(
        Domain(3, torus(0.63, 0.31, (1, 2, 3)).build, size=0.15),
        2 * np.pi**2 * 0.63 * 0.31**2,
        {"surface": 4 * np.pi**2 * 0.63 * 0.31},
        [[0.06, 1.06, 2.69], [1.94, 2.94, 3.31]],
        lambda x, s: np.hypot(np.hypot(x[:, 0] - 1, x[:, 1] - 2) - 0.63, x[:, 2] - 3) <= 0.31 + s,
    ),
}


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    return SHAPES[request.param]


@pytest.fixture(scope="session", autouse=True)
def _own_mesh_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Meshes are made by the code under test, not found in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
