"""-Lap u + pi^2 u = 2 pi^2 sum cos(pi x_k) on the unit box with no flux through it: as neumann_5d, in 10 dimensions."""

from cases.neumann_5d import neumann

case = neumann(10)
