"""The command line: ``roomver``.

Nothing is decided here: arguments come in, lower floors are called, text or JSON goes out. Every command
exits with 0 if all is well, 1 if something is wrong with its input, 2 if it could not check the input, and 3
if the answer is undecided.
"""

import sys

try:
    import click
    import rich
except ModuleNotFoundError as _error:
    from ..readers.extras import install_extra

    print(f"roomver: the command line needs {_error.name}: {install_extra('cli')}", file=sys.stderr)
    raise SystemExit(2) from None
else:
    del click, rich

from .app import main

__all__ = ["main"]
