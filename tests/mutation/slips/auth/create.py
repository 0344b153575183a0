"""The rule on create events."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_create": {
        "if event.prev_event_ids: ...": [
            Slip(
                "a create event needs the empty state key",
                'if event.prev_event_ids or event.state_key != "": ...',
                "gomatrixserverlib",
            ),
        ],
        '"room_version" in content': [
            Slip("a null room_version counts as absent", 'content.get("room_version") is not None'),
        ],
        "named != version.identifier and not is_known(named)": [
            Slip("a room version may be a number", "not is_known(str(named))"),
        ],
        '"creator" not in content': [
            Slip(
                "a null creator counts as absent", 'content.get("creator") is None', "ruma, gomatrixserverlib"
            ),
        ],
        'version.creator_in_content and "creator" not in content': [
            Slip(
                "version 11 requires a creator",
                'not version.additional_creators and "creator" not in content',
            ),
        ],
        'version.additional_creators and "additional_creators" in content': [
            Slip(
                "version 11 checks additional_creators",
                'not version.creator_in_content and "additional_creators" in content',
            ),
        ],
        '"additional_creators" in content': [
            Slip(
                "null additional_creators count as absent", 'content.get("additional_creators") is not None'
            ),
        ],
        "for creator in creators: ...": [
            Slip("only the first additional creator is checked", "for creator in creators[:1]: ..."),
        ],
        "type(creator) is not str or not is_user_id(creator)": [
            Slip(
                "the sender may not be an additional creator",
                "type(creator) is not str or not is_user_id(creator) or creator == event.sender",
            ),
            Slip(
                "additional creators must be distinct",
                "type(creator) is not str or not is_user_id(creator) or creators.count(creator) > 1",
            ),
        ],
    },
}
