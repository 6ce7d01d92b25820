"""How many examples a property gets: more than the profile says where they are cheap, and never fewer."""

from hypothesis import settings


def at_least(number: int) -> settings:
    """For what a hundred examples hardly touch. `make fuzz` has its own number, which a fixed one would hide."""
    return settings(max_examples=max(number, settings().max_examples))
