"""State resolution, and what it offers to callers."""

from ...slip import Table

SLIPS: Table = {}
