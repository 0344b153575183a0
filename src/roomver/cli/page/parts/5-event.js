// The chosen event: what it is, its checks, the state before it and the change it makes, the raw PDU.

let showing = 0;

async function showEvent(event, focus) {
  const mine = ++showing;
  const detail = await rest();
  if (mine !== showing) return;
  const box = $("right");
  box.replaceChildren(...(event < 0 ? currentParts(detail) : eventParts(detail, event)).filter(Boolean));
  box.scrollTop = 0;
  if (focus) box.focus();
  const place = shown.indexOf(event);
  say((event < 0 ? "The forward extremities" : eventWords(event) + ", " + statusOf(event)) +
    (place < 0 ? "" : ", " + (place + 1) + " of " + shown.length));
}

function eventParts(detail, event) {
  const status = statusOf(event);
  const resetsHere = D.resets.filter((one) => one[0] === event);
  return [
    el("h2", null, senderOf(event) + "'s " + wordsOf(event)),
    el("p", null, tag(status), " ", D.prev[event].length > 1 && tag("merge", "merges " + D.prev[event].length + " branches"), " ",
      resetsHere.length > 0 && tag("reset", counted(resetsHere.length, "reset", "resets"))),
    detail.explained[event] && el("p", { class: "why" }, sentence(detail.explained[event])),
    ...findingParts(event),
    ...lostParts(event),
    facts(detail, event),
    el("h3", null, "Checks"),
    ...checkParts(detail, event),
    ...changeParts(detail, event),
    ...mergeParts(detail, event),
    ...(detail.explained[event] ? [] : [el("h3", null, "In words"), el("p", { class: "muted" }, "In a large room, the page explains only some events in words. For this one:"),
      command(D.explain + " " + quoted(idOf(event)))]),
    stateBefore(detail, event),
    rawPdu(event),
  ];
}

function findingParts(event) {
  return (D.findings[event] ?? []).map(([kind, text, action, reasons]) =>
    el("div", { class: "finding " + (statusOf(event) === "accepted" ? "undecided" : statusOf(event)) },
      el("p", null, el("b", null, kind), ": the event " + text + "."),
      reasons.map((one) => el("p", null, linked(one))),
      el("p", { class: "muted" }, "A server must " + action + ".")));
}

// What state resolution undid of the event.
function lostParts(event) {
  return D.resets.filter((one) => one[2] === event || one[3] === event).map(([merge, key, lost, restored, kept, intent, why]) =>
    el("div", { class: "finding reset" },
      el("p", null, lost === event ? "State resolution undid this event: " : "A state reset went back to this event: ",
        keyText(key) + " went back to ", restored < 0 ? "nothing" : link(restored), ", from ", link(lost), ", at ",
        merge < 0 ? link(-1) : el("span", null, "the merge before ", link(merge)), "."),
      el("p", null, el("b", null, intent), ": ", sentence(why), "."),
      el("p", { class: "muted" }, keptText(kept))));
}

const keptText = (kept) => kept === null ? "What the algorithm of room version 12 would do is unknown: events are missing."
  : "The algorithm of room version 12 would " + (kept ? "keep the change." : "undo the change too.");

function facts(detail, event) {
  const list = (numbers, none) => numbers.length
    ? el("ul", { class: "bare" }, numbers.slice(0, 40).map((one) => el("li", null, link(one))), numbers.length > 40 && el("li", null, "and " + (numbers.length - 40) + " more"))
    : none;
  const key = D.key[event];
  const rows = [
    ["Event ID", el("span", null, el("span", { class: "mono" }, idOf(event)), " ", copyButton(idOf(event), "the event ID"))],
    ["Type", el("span", { class: "mono" }, isolated(typeOf(event)))],
    key >= 0 && ["State key", el("span", { class: "mono" }, isolated(D.keys[key][1]) || "(empty)")],
    ["Sender", el("button", { type: "button", class: "text", title: "Show only this sender's events", onclick: () => { $("sender").value = D.senders[D.sender[event]]; filter(); } }, senderOf(event))],
    ["Time", timeText(D.ts[event]) + " (UTC), as the sender's server says"],
    ["Depth", String(detail.depth[event])],
    ["Follows", list(D.prev[event], "no event")],
    ["Followed by", list(children(event), "no event of this room")],
    ["Auth events", list(detail.auth[event], "none")],
  ];
  return el("dl", { class: "facts" }, rows.filter(Boolean).map(([name, value]) => [el("dt", null, name), el("dd", null, value)]));
}

function checkParts(detail, event) {
  const t = detail.tables;
  const set = t.sets[detail.check[event]];
  if (!set.length) return [el("p", null, "No check was made.")];
  let last = null;
  const parts = [];
  for (let i = 0; i < set.length; i += 2) {
    const [against, result, verdict, why] = t.checks[set[i]];
    const compared = set[i + 1];
    const same = compared >= 0 && compared === last;
    last = compared;
    parts.push(el("div", { class: "check" },
      el("p", null, el("b", null, "Against " + t.against[against] + " "), tag(t.results[result])),
      verdict >= 0 && el("p", null, verdictText(t, verdict)),
      why && el("p", null, linked(why)),
      same ? el("p", { class: "muted" }, "The same values as above.") : comparedTable(t, compared, event)));
  }
  return parts;
}

function verdictText(t, number) {
  const [allowed, rule, detail] = t.verdicts[number];
  const [name, place, acceptance, refusal, url] = t.rules[rule];
  const said = detail.length ? [" (", detail.map(([what, value], i) => [i ? ", " : "", what + " ", linked(value)]), ")"] : "";
  return el("span", null, outside(url, D.room.version + (place ? " rule " + place + " (" + name + ")" : " rule " + name)), ": ",
    allowed ? acceptance : refusal, said);
}

function comparedTable(t, number, event) {
  if (number < 0) return null;
  return table(["Compared", "Value", "From"], t.rows[number].map((one) => {
    const [what, value, words, from, ofSender] = t.compared[one];
    return [what, value, el("span", null, ofSender ? senderOf(event) : "", linked(words), " ", from >= 0 && link(from))];
  }));
}

// The change that an event makes to the state.
function changeParts(detail, event) {
  const [before, after] = [detail.before[event], detail.after[event]];
  const key = D.key[event];
  if (key < 0) return [];
  const parts = [el("h3", null, "The change it makes")];
  if (before === -2 || after === -2) return [...parts, el("p", null, "Unknown: the state before it is unknown.")];
  if (before === after) return [...parts, el("p", null, "None: the event did not change the state.")];
  const [old, now] = [stateOf(detail, before), stateOf(detail, after)];
  const rows = [...new Set([...old.keys(), ...now.keys()])].filter((one) => old.get(one) !== now.get(one));
  return [...parts, table(["Entry", "Before", "After"], rows.map((one) => [breakable(keyText(one)),
    old.has(one) ? brief(old.get(one)) : "no event", now.has(one) ? brief(now.get(one)) : "no event"])), currentNote(detail, key, event)];
}

function currentNote(detail, key, event) {
  if (!detail.current) return el("p", { class: "muted" }, "The current state is unknown.");
  const entries = detail.current.entries;
  for (let i = 0; i < entries.length; i += 2) {
    if (entries[i] === key) {
      return el("p", { class: "muted" }, entries[i + 1] === event ? "It is in the current state." : ["The current state has ", link(entries[i + 1]), "."]);
    }
  }
  return el("p", { class: "muted" }, "The current state has no such entry.");
}

// A state: a table with a filter, made when it is opened.
function stateTable(entries, unknown) {
  const box = el("div");
  const input = el("input", { type: "search", class: "filter", placeholder: "Filter by type, key or event", "aria-label": "Filter the state" });
  const rows = el("div");
  const words = ([key, event]) => (keyText(key) + " " + eventWords(event)).toLowerCase();
  const draw = () => {
    const wanted = input.value.trim().toLowerCase();
    const found = wanted ? entries.filter((one) => words(one).includes(wanted)) : entries;
    rows.replaceChildren(el("p", { class: "muted" }, counted(found.length, "entry", "entries")),
      longList(found, ([key, event]) => [breakable(keyText(key)), link(event)], (made) => table(["Entry", "Event"], made)));
  };
  input.addEventListener("input", draw);
  draw();
  box.append(...unknown.map((one) => el("p", null, "Unknown: " + one)), input, rows);
  return box;
}

const byKey = (a, b) => (keyText(a[0]) < keyText(b[0]) ? -1 : 1);

function section(title, make) {
  const details = el("details", { class: "section" }, el("summary", null, title));
  details.addEventListener("toggle", async () => {
    if (details.open && details.children.length === 1) details.append(await make());
  });
  return details;
}

function stateBefore(detail, event) {
  const group = detail.before[event];
  if (group === -2) return el("p", { class: "muted" }, "The state before the event is unknown.");
  const unknown = detail.unknown[group] ?? [];
  return section("The state before it" + (unknown.length ? ", known in part" : ""),
    () => stateTable([...stateOf(detail, group)].sort(byKey), unknown));
}

function rawPdu(event) {
  return section("Raw PDU", async () => {
    const text = await pdu(event);
    return el("div", null, copyButton(text, "the PDU"), el("pre", { tabindex: "0" }, rawLinks(text)));
  });
}

function rawLinks(text) {
  return text.split(/("\$[^"\s]+")/).map((part) => {
    const number = part.startsWith('"$') ? numberOf(part.slice(1, -1)) : undefined;
    return number !== undefined && isHere(number) ? ['"', link(number, idOf(number)), '"'] : part;
  });
}

// The forward extremities and the current state.
function currentParts(detail) {
  return [
    el("h2", null, "The forward extremities"),
    el("p", null, D.extremities_known ? "The events that no event follows." : "Uncertain: missing or undecided events may follow these."),
    longList(D.extremities, (one) => el("li", null, link(one)), (made) => el("ul", { class: "plain" }, made)),
    ...mergeParts(detail, -1),
    el("h3", null, "The current state"),
    detail.current
      ? stateTable(Array.from({ length: detail.current.entries.length / 2 }, (_, i) => [detail.current.entries[2 * i], detail.current.entries[2 * i + 1]]), detail.current.unknown)
      : el("p", null, "Unknown. The summary says which events are missing."),
  ];
}
