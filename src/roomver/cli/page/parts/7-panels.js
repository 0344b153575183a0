// The panels on top: summary, resets, findings, servers and keys, members.

function summaryPanel() {
  const numbers = D.statuses.map(() => 0);
  for (const status of D.status) numbers[status]++;
  const card = (n, name, kind) => el("li", { class: n ? kind : undefined }, el("b", null, n.toLocaleString("en")), name);
  return el("div", null,
    el("ul", { class: "cards" }, card(D.events, "events"), D.statuses.map((name, i) => card(numbers[i], name, ["good", "warn", "bad", "warn"][i])),
      card(D.left_out.length, "left out", "bad"), card(D.room.missing, "missing", "warn"), card(D.room.merges, "merges of differing states"), card(D.room.resets, "resets", "reset")),
    D.room.topic && el("p", null, "Topic: " + D.room.topic),
    el("ul", { class: "lines" }, D.lines.map((one) => el("li", { class: one.startsWith("  ") ? "in" : undefined }, linked(one.trim())))),
    D.room.merges > 0 && el("p", null, keptMerges(), D.merges_left_out > 0 && " The others name the command that shows them."),
    el("p", null, link(-1, "The forward extremities and the current state")),
    el("p", { class: "muted" }, el("kbd", null, "↑"), " ", el("kbd", null, "↓"), " choose an event, ", el("kbd", null, "←"), " one that follows it, ", el("kbd", null, "→"),
      " one that it follows, ", el("kbd", null, "Enter"), " read it, ", el("kbd", null, "Esc"), " back, ", el("kbd", null, "/"), " search. ",
      "● accepted, ○ soft-failed, ⊗ rejected, ◉ undecided, ◆ branches meet; a ring marks a reset."));
}

function resetsPanel() {
  const unsearched = D.resets_unsearched.map((one) => el("p", null, "Not searched: " + one + "."));
  if (!D.resets.length) {
    const none = unsearched.length ? "No change is known that state resolution undid. A part of the room could not be searched."
      : "State resolution undid no change.";
    return el("div", null, el("p", null, none), unsearched);
  }
  return el("div", null, unsearched, resetsList());
}

function resetsList() {
  return filteredList(D.resets, "resets", ([merge, key, lost, , , intent]) => [keyText(key), idOf(lost), idOf(merge), senderOf(lost), intent].join(" "), ([merge, key, lost, restored, kept, intent, why, now, current, cause]) => [
    el("b", null, breakable(keyText(key))), brief(lost), restored < 0 ? "no event" : brief(restored),
    now === "replaced" ? el("span", null, "replaced since by ", brief(current)) : now,
    brief(merge), el("span", null, el("b", null, intent), ": ", sentence(why), cause.length > 0 && el("p", { class: "muted" }, "Cause: ", sentence(cause), ".")), kept === null ? "unknown" : kept ? "keeps the change" : "undoes it too",
  ], (rows) => table(["Entry", "Lost", "Back to", "Now", "At the merge before", "Meant?", "v2.1"], rows));
}

function findingsPanel() {
  const found = Object.entries(D.findings).map(([event, kinds]) => [+event, kinds]);
  const parts = [];
  if (!found.length && !D.left_out.length) return el("p", null, "Nothing was found.");
  if (found.length) {
    parts.push(filteredList(found, "findings", ([event, kinds]) => eventWords(event) + statusOf(event) + idOf(event) + kinds.flat(2).join(" "), ([event, kinds]) => [link(event), tag(statusOf(event)),
      el("span", null, kinds.map(([kind, , , reasons]) => el("div", null, el("b", null, kind), ": ", linked(reasons[0] ?? ""))))],
    (rows) => table(["Event", "Status", "Why"], rows)));
  }
  if (D.left_out.length) {
    parts.push(el("h4", null, "Left out: not events of this room"), longList(D.left_out, ([id, place, [kind, text, , reasons]]) => [
      el("span", { class: "mono" }, id || "no ID"), place, el("span", null, el("b", null, kind), ": the event " + text + ". ", linked(reasons.join("; ")))],
    (rows) => table(["Event", "Where", "Why"], rows)));
  }
  return el("div", null, parts);
}

function serversPanel() {
  return filteredList(D.servers_and_keys, "servers", (one) => one.name, (one) => [
    isolated(one.name), one.events.toLocaleString("en"), one.joined === null ? "unknown" : one.joined.toLocaleString("en"),
    Object.entries(one.signatures).map(([name, n]) => n.toLocaleString("en") + " " + name).join(", ") || "not checked",
    one.keys.length ? el("ul", { class: "bare" }, one.keys.map(([key, good, bad, needed]) => el("li", null, el("span", { class: "mono" }, key), ": ",
      [good && good.toLocaleString("en") + " verify", bad && bad.toLocaleString("en") + " fail", needed && "unknown, needed by " + needed.toLocaleString("en")].filter(Boolean).join(", ")))) : "-",
  ], (rows) => table(["Server", "Events", "Joined users", "Signatures", "Keys"], rows, [1, 2]));
}

function membersPanel() {
  if (!D.members.length) return el("p", null, D.room.known ? "The current state has no member." : "The members are unknown: see the summary.");
  return filteredList(D.members, "members", ([user, , membership]) => user + " " + membership, ([user, event, membership, level]) => [isolated(user), membership || "not a membership", level === null ? "unknown" : String(level), link(event)],
    (rows) => table(["User", "Membership", "Power level", "Event"], rows, [2]));
}

const PANELS = [
  ["summary", "Summary", summaryPanel, () => null],
  ["resets", "Resets", resetsPanel, () => [D.resets.length, "reset"]],
  ["findings", "Findings", findingsPanel, () => [Object.keys(D.findings).length + D.left_out.length, "bad"]],
  ["servers", "Servers and keys", serversPanel, () => [D.servers_and_keys.length, ""]],
  ["members", "Members", membersPanel, () => [D.members.length, ""]],
];

function preparePanels() {
  for (const [name, title, , count] of PANELS) {
    const [n, kind] = count() ?? [null, ""];
    $("tabs").append(el("button", { type: "button", role: "tab", id: "tab-" + name, "aria-controls": "panel", "aria-selected": "false", tabindex: name === "summary" ? "0" : "-1",
      onclick: () => openPanel(name, true) }, title, n !== null && el("span", { class: "count " + (n ? kind : "") }, n.toLocaleString("en"))));
  }
  $("tabs").addEventListener("keydown", (event) => {
    const names = PANELS.map((one) => one[0]);
    const by = { ArrowRight: 1, ArrowLeft: -1, Home: -names.findIndex((one) => $("tab-" + one) === document.activeElement), End: -1 - names.findIndex((one) => $("tab-" + one) === document.activeElement) }[event.key];
    if (by === undefined) return;
    const at = names.findIndex((one) => $("tab-" + one) === document.activeElement);
    const next = names[(at + by + names.length) % names.length];
    $("tab-" + next).focus();
    openPanel(next, false);
    event.preventDefault();
  });
}

// Closes the panel, and leaves the whole height to the events.
function closePanel() {
  const open = [...$("tabs").children].find((one) => one.getAttribute("aria-selected") === "true");
  if (open) openPanel(open.id.slice(4), true);
  open?.focus();
}

// Opens a panel; the one that is open closes if it is asked for again.
function openPanel(name, toggle) {
  const open = $("tab-" + name).getAttribute("aria-selected") === "true";
  for (const one of $("tabs").children) { one.setAttribute("aria-selected", "false"); one.tabIndex = -1; }
  $("tab-" + name).tabIndex = 0;
  $("panel").hidden = $("hide").hidden = open && toggle;
  if ($("panel").hidden) return;
  $("tab-" + name).setAttribute("aria-selected", "true");
  $("panel").setAttribute("aria-labelledby", "tab-" + name);
  $("panel").replaceChildren(PANELS.find((one) => one[0] === name)[2]());
  $("panel").scrollTop = 0;
}

// What is printed: the summary, the chosen event, and the other panels.
function fillPrint() {
  const panels = PANELS.map(([, title, make]) => el("section", null, el("h2", null, title), make()));
  const event = el("section", { class: "event" }, [...$("right").children].map((one) => one.cloneNode(true)));
  for (const one of event.querySelectorAll("[id]")) one.removeAttribute("id");
  $("print").replaceChildren(panels[0], event, ...panels.slice(1));
}
