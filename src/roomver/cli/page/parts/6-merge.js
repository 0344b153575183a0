// A merge: the resolution step by step, by the algorithm that is switched on.

let algorithm; // the room's own, until another is switched on

const NAMES = { "v1": "v1 (room version 1)", "v2": "v2 (versions 2 to 11)", "v2.1": "v2.1 (version 12)" };

function mergeParts(detail, event) {
  if (!shapes.merges.has(event)) {
    return event >= 0 && D.prev[event].length > 1
      ? [el("h3", null, "Merge"), el("p", null, "The states after the events that it follows agree, so there is nothing to resolve. Or one of them is unknown.")] : [];
  }
  const merge = detail.merges.find((one) => one.event === event);
  const parts = [el("h3", { id: "merge" }, "Merge: the resolution step by step")];
  if (!merge) {
    return [...parts, el("p", null, "The steps of this merge are not in the page. " + keptMerges() + " This command shows the steps:"),
      command(D.resolve + (event < 0 ? "" : " --at " + quoted(idOf(event))) + " --trace")];
  }
  if (merge.error) return [...parts, el("p", null, "The states cannot be resolved again: ", linked(merge.error))];
  algorithm ??= D.room.algorithm;
  const steps = el("div", { "aria-live": "polite" });
  const draw = () => steps.replaceChildren(...stepParts(detail, merge, algorithm));
  const choice = el("fieldset", { class: "switch", "aria-label": "Algorithm" }, Object.keys(merge.by).map((name) =>
    el("label", { title: NAMES[name] }, el("input", { type: "radio", name: "algorithm", value: name, checked: name === algorithm,
      onchange: () => { algorithm = name; draw(); say("Resolved by " + NAMES[name]); } }), name === D.room.algorithm ? name + " (this room's)" : name)));
  draw();
  return [...parts, parentsOf(merge), choice, steps];
}

// Which merges have their steps in the page, and why not all.
function keptMerges() {
  const all = D.all_merges.length, left = D.merges_left_out;
  if (!left) return "The steps of " + (all === 1 ? "the merge" : "all " + counted(all, "merge", "merges")) + " are in the page.";
  return "To keep the page small, it has the steps of " + (all - left).toLocaleString("en") + " of " + counted(all, "merge", "merges") +
    ": those with resets first, then those that differ in power levels or join rules, then the newest.";
}

const letter = (i) => (i < 26 ? String.fromCharCode(65 + i) : "#" + (i + 1));

function parentsOf(merge) {
  return el("ul", { class: "bare" }, merge.parents.map((one, i) =>
    el("li", null, el("b", null, "State " + letter(i)), ", " + counted(merge.sizes[i], "entry", "entries") + ", after ", link(one))),
    merge.more_states > 0 && el("li", null, "and " + counted(merge.more_states, "more state", "more states")));
}

function stepParts(detail, merge, name) {
  const by = merge.by[name];
  if (by.error) return [el("p", null, NAMES[name] + " cannot resolve these states: ", linked(by.error))];
  const parts = [
    el("h4", null, "1. Where the states differ: " + counted(merge.conflicts.length + merge.more_keys, "entry", "entries")),
    conflictTable(merge, name),
    merge.more_keys > 0 && el("p", { class: "muted" }, "and " + counted(merge.more_keys, "more entry", "more entries") + ", which the page leaves out"),
  ];
  const [difference, subgraph, full] = by.sets;
  if (name === "v1") {
    parts.push(el("p", { class: "muted" }, "Version 1 resolves power levels first, then join rules, then members, then the rest. Events are tried by depth."));
  } else {
    parts.push(el("p", { class: "muted" }, "Full conflicted set: " + counted(full, "event", "events") + "; auth difference " + difference +
      (name === "v2.1" ? "; conflicted state subgraph " + subgraph + ". It starts from the empty state." : ". It starts from the entries on which the states agree.")));
    parts.push(...orderParts("2. Power events, in the order in which they are tried", by.power, "There are none."));
    parts.push(...orderParts("3. The mainline: power levels, newest first", by.mainline, "It is empty."));
    parts.push(...orderParts("4. The other events, in the order in which they are tried", by.rest, "There are none."));
  }
  parts.push(el("h4", null, name === "v1" ? "2. Each event as it is tried" : "5. Each event as it is tried"), tried(detail, by));
  if (name !== "v1") {
    parts.push(el("h4", null, "6. What the overlay restored"), by.restored.length
      ? table(["Entry", "Allowed by the checks", "Put back, because the states agree on it"],
        by.restored.map(([key, was, back]) => [keyText(key), link(was), back < 0 ? "nothing" : link(back)]))
      : el("p", null, "Nothing: no check changed an entry on which the states agree."));
  }
  return parts.filter(Boolean);
}

// The conflicted entries side by side, with the result of this algorithm and where the others differ from it.
function conflictTable(merge, name) {
  const columns = merge.parents.length <= 5 ? merge.parents.map((_, i) => i) : null;
  const rows = merge.conflicts.map(([key, events], row) => {
    const result = merge.by[name].result[row];
    const others = Object.entries(merge.by).filter(([other, steps]) => other !== name && !steps.error && steps.result[row] !== result);
    const cell = (event) => el("td", { class: event === result ? "won" : "lost" }, event === undefined ? "no event" : brief(event));
    const undone = D.resets.some((one) => one[0] === merge.event && one[1] === key);
    const cells = columns
      ? columns.map((i) => cell(events.find(([, states]) => states.includes(i))?.[0]))
      : [el("td", null, el("ul", { class: "bare" }, events.map(([event, states]) => el("li", { class: event === result ? "won" : "" },
        brief(event), " in " + (states.length > 8 ? counted(states.length, "state", "states") : states.map(letter).join(", "))))))];
    return el("tr", { class: others.length ? "differs" : undefined }, el("td", null, el("b", null, breakable(keyText(key))), " ", undone && tag("reset")), cells,
      el("td", null, result < 0 ? "no event" : brief(result), others.map(([other, steps]) =>
        el("div", { class: "muted" }, other + ": ", steps.result[row] < 0 ? "no event" : brief(steps.result[row])))));
  });
  const headings = columns ? columns.map((i) => "State " + letter(i)) : ["In the states"];
  return table(["Entry", ...headings, "Result"], rows);
}

function orderParts(title, events, none) {
  return [el("h4", null, title + (events.length ? ": " + events.length.toLocaleString("en") : "")),
    events.length ? longList(events, (one) => el("li", null, link(one)), (made) => el("ol", { class: "plain" }, made), 30) : el("p", null, none)];
}

function tried(detail, by) {
  if (!by.checks.length) return el("p", null, "No event was tried.");
  const list = longList(by.checks.map((one, i) => [i, ...one]), ([i, event, phase, verdict, accepted, replaced]) => [
    String(i + 1), el("span", null, brief(event), el("div", { class: "muted" }, "phase: " + phase, replaced >= 0 && [", in place of ", link(replaced)])),
    el("span", null, tag(accepted ? "allowed" : "refused"), " ", verdict < 0 ? "taken without a check" : verdictText(detail.tables, verdict)),
  ], (rows) => table(["No.", "Event", "Verdict"], rows), 30);
  return el("div", null, list, by.more > 0 && el("p", { class: "muted" }, "and " + counted(by.more, "more check", "more checks") + ", which the page leaves out"));
}
