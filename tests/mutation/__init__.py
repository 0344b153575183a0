"""Evidence that the vector suite catches slips.

Each slip in `slips` is one that some implementation has made, or could: a replacement in the text of
one module. Applied to a copy of the package, it must make a case of the suite fail.

    python -m tests.mutation

applies them all, one at a time, and prints which case catches which slip.
"""
