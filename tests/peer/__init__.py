"""The library beside the Synapse wheel: same events, same answers, and every difference listed.

Synapse is run, never copied from. It is no dependency: without the wheel these tests are skipped.

    pip install '.[test,peer]'
    pytest -m peer                          # 500 events a room version
    pytest -m peer --peer-examples 5000     # or ROOMVER_PEER_EXAMPLES=5000
"""
