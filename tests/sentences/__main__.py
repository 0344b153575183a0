"""``python -m tests.sentences``: change the reference sentence by sentence, and write the table.

The table is ``vectors/sentences.json``. It takes three minutes on one processor. With the beginning of names
of texts, such as ``auth resolution.v1``, the program only prints what lacks a case in these texts, and writes
nothing.
"""

import os
import sys
from collections.abc import Sequence

from . import table


def main(words: Sequence[str]) -> int:
    """Make the changes, print what lacks a case, and return the exit status."""
    workers = os.cpu_count() or 1
    if words:
        wanted = tuple(words)
        noticed = table.run(table.changes_of(wanted), workers)
        content = table.table(noticed, wanted)
    else:
        content = table.write(workers)
    problems = [*table.empty(content), *table.outdated(content)]
    print("\n".join([*problems, f"{len(problems)} without a case or a reason"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
