"""Synapse with roomver in the place of its own rules, and Synapse's own tests run on it.

Run it with ``python -m tests.embedding.synapse``; see `tests.embedding.synapse.__main__`. Synapse's tests are
fetched when they are run. Nothing of Synapse is kept here.
"""
