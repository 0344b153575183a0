"""What to say when a package of an extra is not installed."""


def install_extra(name: str) -> str:
    """Return how to install an extra of this package.

    An extra of the checkout, never ``roomver[…]``: that would ask a package index for a name that the project
    does not own there, and run the code of whoever does.

    Args:
        name: of the extra, as in pyproject.toml.

    >>> install_extra("zstd")
    "run pip install '.[zstd]' in the checkout of roomver"
    """
    return f"run pip install '.[{name}]' in the checkout of roomver"
