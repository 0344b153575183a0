"""Nothing: the package only collects the names of its modules."""

from ...slip import Table

SLIPS: Table = {}
