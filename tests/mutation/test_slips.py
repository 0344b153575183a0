"""Each slip still applies to the code as it is; `python -m tests.mutation` shows what catches it."""

import pytest

from .run import CannotApply, mutated
from .slips import SLIPS, Slip


def _name(slip: Slip) -> str:
    return f"{slip.note}: {slip.sense}"


@pytest.mark.parametrize("slip", SLIPS, ids=_name)
def test_a_slip_applies_to_one_place_and_is_still_python(slip: Slip) -> None:
    assert mutated(slip)


def test_no_slip_is_there_twice() -> None:
    assert len({(slip.module, slip.old, slip.new) for slip in SLIPS}) == len(SLIPS)
    assert len({_name(slip) for slip in SLIPS}) == len(SLIPS)


def test_a_slip_whose_text_is_gone_is_an_error() -> None:
    for old in ("no such text", "\n"):
        with pytest.raises(CannotApply, match="its text stands"):
            mutated(Slip("T0", "x", "power.py", old, ""))
