"""Writes the vector files: ``python -m vectors.generate`` in the repository's root.

Every expectation comes from a source that is not the library under test: the specification's own
examples, tables typed from its pages, or the few lines of `vectors.generate.independent`. Nothing here
imports roomver.
"""
