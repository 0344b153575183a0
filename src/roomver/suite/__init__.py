"""The test vectors: documents, operations, and which rules they cover.

Everything here takes and returns data. Files, processes and printing belong to the readers and the command
line. ``vectors/FORMAT.md`` defines the format.
"""
