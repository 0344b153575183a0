"""The library compared with the Synapse wheel: the same events, and every difference listed.

Synapse is run, never copied. It is not a dependency: without the wheel these tests are skipped.

    pip install -e '.[cli]' --group test --group peer
    pytest -m peer                          # 500 events per room version
    pytest -m peer --peer-examples 5000     # or ROOMVER_PEER_EXAMPLES=5000
"""
