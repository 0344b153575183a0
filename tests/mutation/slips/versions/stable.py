"""What the room versions are."""

from ...slip import Slip, Table

SLIPS: Table = {
    "V2": {
        "state_resolution=StateResolution.V2": [
            Slip(
                "version 2 has no rule on redactions",
                "state_resolution=StateResolution.V2, redaction_rule=False",
            ),
        ],
    },
    "V5": {
        "key_validity_enforced=True": [
            Slip("version 5 has no rule on aliases", "key_validity_enforced=True, aliases_rule=False"),
        ],
    },
    "V6": {
        "aliases_rule=False": [
            Slip("version 6 still has the rule on aliases", "", "gomatrixserverlib"),
        ],
    },
    "V11": {
        'rule_list="11"': [
            Slip(
                "the creator's level is infinite in version 11",
                'rule_list="11", infinite_creator_level=True',
            ),
            Slip(
                "version 11 has additional creators",
                'rule_list="11", infinite_creator_level=True, additional_creators=True',
            ),
        ],
    },
}
