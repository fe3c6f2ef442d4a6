"""Sweeps: many runs of `mlpde solve` (cases x solvers x settings x seeds), here or by Slurm, in one report."""
