"""The one exception of this package."""


class GeometryError(ValueError):
    """A geometry that cannot be used; the message says what is wrong, where, and what would be right."""
