"""The test vectors: documents, the operations that their cases ask for, and what they cover.

A document comes in as data and results go out as data. Files, processes and output belong to the
readers and the command line. What a case means is defined in ``vectors/FORMAT.md``.
"""
