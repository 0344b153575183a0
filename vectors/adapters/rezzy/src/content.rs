//! The content of an event as rezzy may copy it cheaply: rezzy copies whole events while it resolves.

use std::sync::Arc;

use rezzy::EventContent;
use serde_json::Value;

/// A JSON value that its copies share.
#[derive(Clone, Debug, Default)]
pub struct Content(pub Arc<Value>);

/// Hand every question to the answer that rezzy has for a JSON value.
macro_rules! ask_value {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $kind),*) -> $answer {
            EventContent::$name(&*self.0, $($argument),*)
        })*
    };
}

macro_rules! visit_value {
    ($($name:ident($visitor:ty);)*) => {
        $(fn $name<'a>(&'a self, visitor: &mut $visitor) {
            EventContent::$name(&*self.0, visitor)
        })*
    };
}

impl EventContent for Content {
    ask_value! {
        get_membership() -> Option<&str>;
        get_join_rule() -> Option<&str>;
        get_user_power_level(user: &str) -> Option<i64>;
        get_event_power_level(event_type: &str) -> Option<i64>;
        get_users_default() -> Option<i64>;
        get_events_default() -> Option<i64>;
        get_state_default() -> Option<i64>;
        get_ban() -> Option<i64>;
        get_kick() -> Option<i64>;
        get_invite() -> Option<i64>;
        get_redact() -> Option<i64>;
        get_creator() -> Option<&str>;
        get_room_version() -> Option<&str>;
        has_additional_creator(sender: &str) -> bool;
        get_join_authorised_via_users_server() -> Option<&str>;
        has_third_party_invite() -> bool;
        get_third_party_invite_token() -> Option<&str>;
        get_third_party_invite_mxid() -> Option<&str>;
        has_third_party_invite_signatures() -> bool;
        find_non_integer_scalar_pl() -> Option<&'static str>;
        find_non_integer_map_pl() -> Option<&'static str>;
        has_non_integer_users_pl(strict: bool) -> bool;
        has_user_in_users(user_id: &str) -> bool;
    }
    visit_value! {
        visit_event_power_levels(dyn FnMut(&'a str, i64));
        visit_user_power_levels(dyn FnMut(&'a str, i64));
        visit_notification_power_levels(dyn FnMut(&'a str, i64));
        visit_user_keys(dyn FnMut(&'a str));
    }
}
