"""Fuzzing: random hostile input, until something breaks a promise of the package.

The promise: any input ends in an answer or in a `RoomverError`, in time that grows no faster than the input;
what is printed has no control characters from the input; and more knowledge reverses no answer.

- `specs`: cases as JSON, in which large and odd values are described, not written out.
- `mutations`: how to draw and spoil values and bytes.
- `corpus`: what is mutated: the recorded rooms, the vectors, and rooms in every form of a file.
- `targets`: what is tested: a target draws cases, runs one, and raises if a promise is broken.
- `shrink`: makes a failing case smaller.
- `runner`: runs cases within limits, and reports failures.

Everything is drawn from `random.Random`, because a case must cost microseconds. hypothesis draws and shrinks
better, and is what the property tests use; it is a hundred times slower here.
"""

import sys
from pathlib import Path

# ``python -m tests.fuzz`` finds the modules of the tests like pytest does.
_TESTS = str(Path(__file__).parents[1])
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)
