// The data of the page: unpacked from the document itself, and how to ask for it. Nothing here draws.
// Every text in the data was made safe to show by the command; it is put into the page as text only.

const MISSING = -1;
let D; // what the list and the panels need
let X; // what the chosen event needs: read after the first rows are shown
let known; // event ID to number

async function unpackText(id) {
  const text = document.getElementById(id).textContent;
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

const unpack = async (id) => JSON.parse(await unpackText(id));

const cache = new Map(); // the last chunks of raw PDUs
function chunk(number) {
  if (!cache.has(number)) {
    if (cache.size > 8) cache.delete(cache.keys().next().value);
    cache.set(number, unpackText("pdus-" + number).then((text) => text.split("\n"))); // one PDU per line
  }
  return cache.get(number);
}

// The text of a PDU. Packed, it has numbers for event IDs, between marks that no such text has.
const wholePdu = (text) => text.replace(/\x7f(\d+)\x7f/g, (_, number) => D.ids[number]);

async function pdu(event) {
  return indented(wholePdu((await chunk(Math.floor(event / D.chunk)))[event % D.chunk]));
}

// JSON text with a line for each value. The text of each value stays as it is: numbers may be larger than those
// of JavaScript.
function indented(text) {
  const lines = [];
  let depth = 0, before = "";
  for (const [part] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/g)) {
    const closes = part === "}" || part === "]";
    if (closes) depth--;
    const empty = closes && (before === "{" || before === "[");
    if (!empty && (closes || before === "{" || before === "[" || before === ",")) lines.push("\n" + "  ".repeat(depth));
    lines.push(part === ":" ? ": " : part);
    if (part === "{" || part === "[") depth++;
    before = part;
  }
  return lines.join("");
}

function rest() {
  X ??= unpack("rest");
  return X;
}

const isHere = (number) => number >= 0 && number < D.events;
const idOf = (number) => (number < 0 ? "" : D.ids[number]);

// The shortest beginning of an event ID that commands take, as the command made it.
function shortId(number) {
  const id = idOf(number);
  return id.length <= 16 ? id : id.slice(0, D.short);
}

function numberOf(id) {
  if (!known) {
    known = new Map();
    D.ids.forEach((one, number) => known.set(one, number));
  }
  return known.get(id);
}

// Takes an event ID or a beginning of exactly one.
function findId(text) {
  const whole = numberOf(text);
  if (whole !== undefined) return whole;
  if (text.length < 2) return undefined;
  let found;
  for (let i = 0; i < D.events; i++) {
    if (D.ids[i].startsWith(text)) {
      if (found !== undefined) return undefined;
      found = i;
    }
  }
  return found;
}

function timeText(ts) {
  if (typeof ts !== "number" || ts < 0 || ts > 253402300799999) return ts + " ms";
  return new Date(ts).toISOString().slice(0, 19).replace("T", " ") + "Z";
}

// A text with letters that are written from the right, in marks that keep it from moving what is around it.
// Marks of events never come here: the command shows them as escapes.
const FROM_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const isolated = (text) => FROM_RIGHT.test(text) ? "\u2066" + text + "\u2069" : text;

const senderOf = (event) => isolated(D.senders[D.sender[event]]);
const serverOf = (event) => D.servers[D.server_of[D.sender[event]]];
const wordsOf = (event) => isolated(D.words[D.word[event]]);
const statusOf = (event) => D.statuses[D.status[event]];
const typeOf = (event) => D.types[D.type[event]];
const counted = (n, one, more) => n.toLocaleString("en") + " " + (n === 1 ? one : more);

// What an event does, as the subject of a sentence: a singular.
const nounOf = (event) => wordsOf(event) + (typeOf(event) === "m.room.power_levels" ? " event" : "");

// An event as a person knows it: sender, action, short ID and time.
function eventWords(event) {
  if (event < 0) return "the forward extremities";
  if (!isHere(event)) return shortId(event) + ", which is missing";
  return senderOf(event) + "'s " + nounOf(event) + " (" + shortId(event) + ", " + timeText(D.ts[event]) + ")";
}

function keyText(key) {
  const [kind, stateKey] = D.keys[key];
  return stateKey ? isolated(kind) + " " + isolated(stateKey) : isolated(kind);
}

function children(event) {
  const found = [];
  for (let i = 0; i < Math.min(event, D.events); i++) if (D.prev[i].includes(event)) found.push(i);
  return found;
}

// The state of a group: key to event. A group is kept as the changes from another one.
function stateOf(detail, group) {
  const state = new Map();
  if (group === -2) return null;
  const deltas = [];
  while (group >= 0) {
    const [base, delta] = detail.groups[group];
    deltas.push(delta);
    group = base;
  }
  for (const delta of deltas.reverse()) {
    for (let i = 0; i < delta.length; i += 2) {
      if (delta[i + 1] < 0) state.delete(delta[i]);
      else state.set(delta[i], delta[i + 1]);
    }
  }
  return state;
}
