"""The command line: ``roomver``.

Nothing is decided here: arguments come in, floors below are called, text or JSON goes out. Every command
ends with 0 if all is well, 1 if something is wrong with what it looked at, and 2 if it could not look.
"""

import sys

try:
    import click
    import rich
except ModuleNotFoundError as _error:
    print(f"roomver: the command line needs {_error.name}: install roomver[cli]", file=sys.stderr)
    raise SystemExit(2) from None
else:
    del click, rich

from .app import main

__all__ = ["main"]
