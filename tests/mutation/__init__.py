"""Small bugs in the source, and the vectors that catch them.

A slip is a mistake that an implementation has made or could make. `slips` has a table of them for each
module. A slip is applied to the syntax tree of its module, and a case of the vector suite must then fail:

    python -m tests.mutation

What can be made by rule is not in the tables: another operator or constant, a condition that is always true
or always false, a statement left out. These changes are made by

    python -m tests.mutation.auto
"""
