"""The walks over the auth graph."""

from ..slip import Slip, Table

SLIPS: Table = {
    "Dag.difference": {
        "before | mask": [
            Slip(
                "the auth difference is right for two states and wrong for three",
                "before if mask == before else full",
                "seen in another implementation",
            ),
        ],
    },
}
