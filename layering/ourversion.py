"""The version of layerwatch that runs."""

from importlib.metadata import PackageNotFoundError, version


def our_version() -> str:
    """As installed; `unknown` in a checkout without an installation."""
    try:
        return version("layerwatch")
    except PackageNotFoundError:
        return "unknown"
