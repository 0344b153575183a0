"""Each slip applies to the source as it is, and a slip that does not says why.

`python -m tests.mutation` shows which vector catches each slip.
"""

import ast
from pathlib import Path

import pytest

from .slip import CannotApply, PlacedSlip, Slip, apply
from .slips import SLIPS

SOURCE = '''
TABLE = {"ban": 50, "kick": 50}
RECORD = replace(OTHER, name="7", knock=True)


def judge(event):
    """Judge."""
    if event.sender == "a":  # a comment
        note(event)
        return None
    else:
        return True
    for one in event.all():
        yield one


class Room:
    def judge(self):
        return [one for one in self.members if one and one]
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "auth").mkdir()
    (tmp_path / "auth" / "rules.py").write_text(SOURCE)
    (tmp_path / "other.py").write_text("def moved():\n    return far_away(1)\n")
    return tmp_path


def placed(scope: str, old: str, new: str, module: str = "auth/rules.py") -> PlacedSlip:
    return PlacedSlip(module, scope, old, Slip("it goes wrong", new))


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.name)
def test_a_slip_applies_to_one_place_and_changes_it(slip: PlacedSlip) -> None:
    assert slip.slip.sense
    changed = apply(slip)
    before = ast.parse((Path(__file__).parents[2] / "src" / "roomver" / slip.module).read_text("utf-8"))
    assert ast.dump(changed) != ast.dump(before)


def test_no_slip_is_there_twice() -> None:
    assert len({(slip.module, ast.dump(apply(slip))) for slip in SLIPS}) == len(SLIPS)
    assert len({slip.slip.sense for slip in SLIPS}) == len(SLIPS)


@pytest.mark.parametrize(
    ("scope", "old", "new", "text", "changed"),
    [
        ("judge", 'event.sender == "a"', "False", 'event.sender == "a"', "False"),
        ("judge", "note(event)", "", "        note(event)\n", ""),
        ("judge", "note( event )", "pass", "note(event)", "pass"),
        ("judge", "yield one", "", "yield one", "pass"),
        ("judge", "note(event)\nreturn None", "pass", "note(event)\n        return None", "pass"),
        ("judge", "if event.sender == 'a': ...", "if event: ...", 'event.sender == "a"', "event"),
        (
            "judge",
            "for one in event.all(): ...",
            "a = 1\nfor one in a: ...",
            "for one in event.all()",
            "a = 1\n    for one in a",
        ),
        ("TABLE", '"ban": 50', '"ban": 0', '"ban": 50', '"ban": 0'),
        ("TABLE", '"kick": 50', "", ', "kick": 50', ""),
        ("RECORD", "knock=True", "", ", knock=True", ""),
        ("RECORD", 'name="7"', 'name="7", aliases=True', 'name="7"', 'name="7", aliases=True'),
        ("Room.judge", "one and one", "one", "one and one", "one"),
    ],
)
def test_a_place_is_an_expression_statements_arguments_or_entries(
    package: Path, scope: str, old: str, new: str, text: str, changed: str
) -> None:
    assert SOURCE.count(text) == 1
    assert ast.unparse(apply(placed(scope, old, new), package)) == ast.unparse(
        ast.parse(SOURCE.replace(text, changed))
    )


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        (
            placed("judge", "event.sender == 'b'", "x"),
            "does not occur.*\n  nearest, line 8:\n    . event.sender == 'a'",
        ),
        (placed("judge", "far_away(1)", "x"), "does not occur.* it occurs in other.py, moved, line 2"),
        (placed("Room.judge", "one", "two"), "it occurs 3 times, on lines 19, 19, 19"),
        (
            placed("judged", "note(event)", ""),
            "no scope 'judged'.* nearest, line 6:\n    . judge\n.* occurs in auth/rules.py, judge, line 9",
        ),
        (
            placed("judge", "note(event)", "", "rules.py"),
            "no such module.* it occurs in auth/rules.py, judge, line 9",
        ),
        (placed("judge", "event.sender ==", "x"), "not the same kind of syntax"),
        (placed("RECORD", "knock=True", "not"), "not the same kind of syntax"),
    ],
)
def test_a_slip_whose_place_has_changed_is_an_error_that_shows_what_is_there(
    package: Path, slip: PlacedSlip, message: str
) -> None:
    with pytest.raises(CannotApply, match=f"(?s){slip.module}, {slip.scope}: .*{message}"):
        apply(slip, package)
