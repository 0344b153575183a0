//! An event as ruma-state-res wants it: the fields that it asks for, read from a PDU.

use ruma_common::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId,
};
use ruma_events::TimelineEventType;
use ruma_state_res::Event;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

/// An event ID, as it stands alone or, in room versions 1 and 2, before a hash.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Id(OwnedEventId),
    WithHash(OwnedEventId, IgnoredAny),
}

/// The fields of a PDU; others are passed over.
#[derive(Deserialize)]
pub struct Fields {
    room_id: Option<OwnedRoomId>,
    sender: OwnedUserId,
    origin_server_ts: MilliSecondsSinceUnixEpoch,
    #[serde(rename = "type")]
    event_type: TimelineEventType,
    state_key: Option<String>,
    content: Box<RawValue>,
    prev_events: Vec<Reference>,
    auth_events: Vec<Reference>,
    redacts: Option<Box<RawValue>>,
}

/// An input that is one event.
#[derive(Deserialize)]
pub struct OneEvent {
    pub event: Fields,
}

pub struct Pdu {
    event_id: OwnedEventId,
    fields: Fields,
    prev_events: Vec<OwnedEventId>,
    auth_events: Vec<OwnedEventId>,
    redacts: Option<OwnedEventId>,
    rejected: bool,
}

impl Pdu {
    pub fn new(event_id: OwnedEventId, mut fields: Fields, rejected: bool) -> Self {
        Self {
            event_id,
            prev_events: ids(std::mem::take(&mut fields.prev_events)),
            auth_events: ids(std::mem::take(&mut fields.auth_events)),
            redacts: fields
                .redacts
                .take()
                .and_then(|id| serde_json::from_str(id.get()).ok()),
            fields,
            rejected,
        }
    }
}

fn ids(references: Vec<Reference>) -> Vec<OwnedEventId> {
    references
        .into_iter()
        .map(|reference| match reference {
            Reference::Id(id) | Reference::WithHash(id, _) => id,
        })
        .collect()
}

impl Event for Pdu {
    type Id = OwnedEventId;

    fn event_id(&self) -> &Self::Id {
        &self.event_id
    }

    fn room_id(&self) -> Option<&RoomId> {
        self.fields.room_id.as_deref()
    }

    fn sender(&self) -> &UserId {
        &self.fields.sender
    }

    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.fields.origin_server_ts
    }

    fn event_type(&self) -> &TimelineEventType {
        &self.fields.event_type
    }

    fn content(&self) -> &RawValue {
        &self.fields.content
    }

    fn state_key(&self) -> Option<&str> {
        self.fields.state_key.as_deref()
    }

    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.prev_events.iter())
    }

    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.auth_events.iter())
    }

    fn redacts(&self) -> Option<&Self::Id> {
        self.redacts.as_ref()
    }

    fn rejected(&self) -> bool {
        self.rejected
    }
}
