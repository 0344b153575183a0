"""Write the vector files: run ``python -m vectors.generate`` in the root of the repository.

Every expectation comes from a source that is not the library under test: the specification's own
examples, tables typed from its pages, or the few lines of `vectors.generate.independent`. Nothing here
imports roomver.
"""
