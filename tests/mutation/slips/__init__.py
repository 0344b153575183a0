"""The slips, in one file per module: those of ``src/roomver/auth/join.py`` are in ``auth/join.py`` here.

Each file has a table ``SLIPS`` of the form that `Table` describes. When a module is renamed, its file is
renamed; when a function moves, its part of the table moves.
"""

from importlib import import_module
from pathlib import Path
from typing import Final

from ..slip import PlacedSlip, Table


def _gathered() -> list[PlacedSlip]:
    folder = Path(__file__).parent
    slips = []
    for path in sorted(folder.rglob("*.py")):
        module = path.relative_to(folder).as_posix()
        if module == "__init__.py":
            continue
        name = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        table: Table = import_module(f"{__name__}.{name}").SLIPS
        slips += [
            PlacedSlip(module, scope, old, slip)
            for scope, places in table.items()
            for old, here in places.items()
            for slip in here
        ]
    return slips


SLIPS: Final = _gathered()
"""All slips, in the order of their modules."""
