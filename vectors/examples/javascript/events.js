// Redaction, content hashes and event IDs of room versions 1 to 12.
"use strict";

const { createHash } = require("node:crypto");
const { canonical } = require("./json");

const KEPT = ["event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth"];
const KEPT_TOO = ["prev_events", "auth_events", "origin_server_ts"];
const KEPT_BEFORE_11 = ["origin", "membership", "prev_state"];
const LEVELS = ["ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"];

const isStrict = (version) => version >= 6;

// The keys of `content` that a redaction keeps, by type.
function keptContent(type, version) {
  switch (type) {
    case "m.room.member":
      return ["membership", ...(version >= 9 ? ["join_authorised_via_users_server"] : [])];
    case "m.room.create":
      return ["creator"];
    case "m.room.join_rules":
      return ["join_rule", ...(version >= 8 ? ["allow"] : [])];
    case "m.room.power_levels":
      return [...LEVELS, ...(version >= 11 ? ["invite"] : [])];
    case "m.room.aliases":
      return version <= 5 ? ["aliases"] : [];
    case "m.room.history_visibility":
      return ["history_visibility"];
    case "m.room.redaction":
      return version >= 11 ? ["redacts"] : [];
    default:
      return [];
  }
}

function only(object, keys) {
  return new Map([...object].filter(([key]) => keys.includes(key)));
}

function redact(event, version) {
  const kept = only(event, [...KEPT, ...KEPT_TOO, ...(version <= 10 ? KEPT_BEFORE_11 : [])]);
  const content = event.get("content");
  if (!(content instanceof Map)) {
    throw new Error("no content to redact");
  }
  const type = event.get("type");
  if (type === "m.room.create" && version >= 11) {
    return kept; // with all of its content
  }
  const left = only(content, keptContent(type, version));
  const invite = content.get("third_party_invite");
  if (type === "m.room.member" && version >= 11 && invite instanceof Map) {
    left.set("third_party_invite", only(invite, ["signed"]));
  }
  return kept.set("content", left);
}

function digest(object, version) {
  return createHash("sha256").update(canonical(object, isStrict(version))).digest();
}

function without(object, keys) {
  return new Map([...object].filter(([key]) => !keys.includes(key)));
}

function unpadded(bytes, encoding) {
  return bytes.toString(encoding).replace(/=+$/, "");
}

function contentHash(event, version) {
  return unpadded(digest(without(event, ["unsigned", "signatures", "hashes"]), version), "base64");
}

function eventId(event, version) {
  if (version <= 2) {
    const id = event.get("event_id");
    if (typeof id !== "string") {
      throw new Error("an event without its ID");
    }
    return id;
  }
  const hash = digest(without(redact(event, version), ["signatures"]), version);
  return `$${unpadded(hash, version === 3 ? "base64" : "base64url")}`;
}

module.exports = { contentHash, eventId, isStrict, redact };
