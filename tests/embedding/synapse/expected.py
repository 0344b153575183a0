"""Tests of Synapse that fail with roomver in place, each with the reason. All pass without it."""

from typing import Final

_CACHE = (
    "It counts the hits of a cache inside Synapse's resolve_events_with_store, which is the function that is"
    " replaced."
)

_WORDING = "It compares the words of the refusal. The event is refused, with the same status and error code."

EXPECTED: Final = {
    **{
        f"tests.state.test_v2.StateTestCase.{name}": _CACHE
        for name in (
            "test_conflict_cache_key_repartitioned",
            "test_conflict_cache_keys_on_base_state",
            "test_conflict_cache_shared_across_unconflicted_state_0",
            "test_conflict_cache_shared_across_unconflicted_state_1",
        )
    },
    "tests.federation.test_federation_server.MessageAcceptTests.test_cant_hide_direct_ancestors": (
        "It sends an event that it made by the rules of version 10 to a room of another version. roomver does"
        " not judge events of two room versions together; it raises WrongRoom."
    ),
    **dict.fromkeys(
        (
            "tests.handlers.test_federation.FederationTestCase.test_exchange_revoked_invite",
            *(
                f"tests.rest.client.test_rooms.RoomPowerLevelOverridesInPracticeTestCase.{name}"
                for name in (
                    "test_config_override_applies_only_to_specific_preset",
                    "test_normal_user_can_not_post_state_event",
                    "test_specific_room_override_defeats_config_override",
                )
            ),
        ),
        _WORDING,
    ),
}
"""Test ID to reason."""
