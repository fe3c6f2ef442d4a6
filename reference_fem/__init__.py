"""The DOLFINx reference solution of a problem, with an estimate of its own error."""
