"""For each sentence of the specification, the cases that fail if it is not carried out as it is written.

The sentences are those of the eight lists of authorisation rules, with what the lists refer to; of the
redaction sections; of the event format; and of the state resolution algorithms. `spec` reads them from the
specification. The modules `rules`, `notes`, `redactions`, `formats` and `resolutions` declare for each one
the place in ``tests/reference`` that carries it out, and changes of that place:

- *dropped*: what the sentence says is not done;
- *inverted*: the opposite is done;
- *widened*: it is done in more situations;
- *altered*: a part of it is different, such as a word of a list, or a comparison at its boundary.

A change is applied to the syntax tree of the reference, as `mutation` does to the library. The suite then
runs against the changed reference. The cases that fail are written to ``vectors/sentences.json``:

    python -m tests.sentences

A sentence without such a case fails `tests/test_sentences.py`, unless its declaration says why no receiver of
events can get it wrong.
"""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
REFERENCE: Final = ROOT / "tests" / "reference"
TABLE: Final = ROOT / "vectors" / "sentences.json"

# `python -m tests.sentences` finds the modules of the tests as pytest does.
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
