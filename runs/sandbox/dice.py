"""Chance that falls the same way each time: nothing here keeps a secret (those come from planted.py)."""

from random import Random


def dice(*place: object) -> Random:
    """A generator for one place in the store, named by its parts."""
    return Random("/".join(map(str, place)))  # noqa: S311
