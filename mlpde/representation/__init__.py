"""Representations of the unknown: what a solution is made of, and its derivatives."""
