"""The parts of an identifier."""

from ..slip import Slip, Table

SLIPS: Table = {
    "server_of": {
        'identifier.partition(":")': [
            Slip("the domain is what follows the last colon", 'identifier.rpartition(":")'),
        ],
    },
}
