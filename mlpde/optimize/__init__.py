"""Optimisers on plain callables and matrices: they know neither PDE nor network."""
