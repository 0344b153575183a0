// Answers the requests of the test vectors: four operations, in Node.js without dependencies.
"use strict";

const { createInterface } = require("node:readline");
const { canonical, parse } = require("./json");
const { contentHash, eventId, isStrict, redact } = require("./events");

const OPERATIONS = {
  canonical_json: (input, version) => ["canonical", canonical(parse(input.get("json")), isStrict(version))],
  content_hash: (input, version) => ["sha256", contentHash(input.get("event"), version)],
  event_id: (input, version) => ["event_id", eventId(input.get("event"), version)],
  redact: (input, version) => ["event", redact(input.get("event"), version)],
};

function answer(request) {
  const operation = request.get("operation");
  const version = Number(request.get("room_version"));
  if (!Object.hasOwn(OPERATIONS, operation) || !(version >= 1 && version <= 12)) {
    return ["unsupported", true];
  }
  try {
    return ["output", new Map([OPERATIONS[operation](request.get("input"), version)])];
  } catch (error) {
    return ["error", error.message];
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  if (line.trim()) {
    const request = parse(line);
    // Canonical JSON is JSON: it writes the answers as well.
    console.log(canonical(new Map([["id", request.get("id")], answer(request)]), false));
  }
});
