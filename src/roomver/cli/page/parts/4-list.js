// The list of events: rows for what is in view only, the filters, the search and the keys.

let shown; // the numbers of the events that the filters leave, newest first
let whole = true; // whether they leave all
let chosen = null; // the chosen event; -1 for the forward extremities
let virtual;
const rowElements = new Map();

function prepareList() {
  const options = () => ({
    count: shown.length,
    getScrollElement: () => $("list"),
    estimateSize: () => ROW,
    overscan: 12,
    observeElementRect: TanStackVirtual.observeElementRect,
    observeElementOffset: TanStackVirtual.observeElementOffset,
    scrollToFn: TanStackVirtual.elementScroll,
    onChange: drawRows,
  });
  shown = Array.from({ length: D.events }, (_, i) => i);
  virtual = new TanStackVirtual.Virtualizer(options());
  virtual.changed = () => { virtual.setOptions(options()); virtual.measure(); virtual._willUpdate(); drawRows(); };
  virtual._didMount();
  virtual.changed();
  $("list").addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    if (row && Number(row.dataset.event) !== chosen) go(Number(row.dataset.event));
  });
  $("list").addEventListener("keydown", listKey);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { palette = undefined; drawRows(true); });
}

let drawn = "";
function drawRows(force) {
  const items = virtual.getVirtualItems();
  $("rows").style.height = virtual.getTotalSize() + "px";
  const first = items.length ? items[0].index : 0;
  const key = first + ":" + items.length + ":" + shown.length + ":" + (window.devicePixelRatio || 1);
  if (force === true || key !== drawn) {
    drawn = key;
    const events = items.map((item) => shown[item.index]);
    drawGraph($("lanes"), events, first, whole);
    const wanted = new Set(events);
    for (const [event, row] of rowElements) if (!wanted.has(event)) { row.remove(); rowElements.delete(event); }
  }
  for (const item of items) {
    const event = shown[item.index];
    let row = rowElements.get(event);
    if (!row) rowElements.set(event, row = $("rows").appendChild(makeRow(event)));
    const place = "translateY(" + item.start + "px)";
    if (row.style.transform !== place) row.style.transform = place;
    row.setAttribute("aria-posinset", item.index + 1);
    row.setAttribute("aria-setsize", shown.length);
    row.setAttribute("aria-selected", event === chosen);
  }
  const active = rowElements.get(chosen);
  if (active) $("list").setAttribute("aria-activedescendant", active.id);
  else $("list").removeAttribute("aria-activedescendant");
}

function makeRow(event) {
  const status = statusOf(event);
  const state = D.key[event] >= 0 ? " state" : "";
  const row = el("div", { class: "row " + status + state, role: "option", id: "row-" + event, "data-event": event },
    timeCell(event),
    el("span", { class: "who" }, senderOf(event)),
    el("span", { class: "what" }, wordsOf(event)),
    shapes.resets.has(event) && tag("reset"),
    shapes.lost.has(event) && tag("reset", "undone"),
    shapes.merges.has(event) && !shapes.resets.has(event) && tag("merge"),
    status !== "accepted" && tag(status));
  row.style.paddingLeft = laneWidth + 6 + "px";
  return row;
}

function timeCell(event) {
  const [date, ...clock] = timeText(D.ts[event]).replace("Z", "").split(" ");
  return el("time", null, el("span", { class: "date" }, date + " "), clock.join(" "));
}

// Choosing

function choose(event, { write = false, focus = false } = {}) {
  chosen = event;
  reveal(shown.indexOf(event));
  drawRows();
  showEvent(event, focus);
  if (write) {
    const hash = "#" + encodeURIComponent(event < 0 ? "current" : idOf(event));
    if (location.hash !== hash) {
      try { history.replaceState(null, "", hash); } catch { location.hash = hash; }
    }
  }
}

// Scrolls as little as brings a row into view; to the middle if it is far away.
function reveal(place) {
  if (place < 0) return;
  const list = $("list"), top = place * ROW, height = list.clientHeight;
  const above = list.scrollTop - top, below = top + ROW - list.scrollTop - height;
  if (above > height || below > height) list.scrollTop = top - height / 2;
  else if (above > 0) list.scrollTop = top;
  else if (below > 0) list.scrollTop += below;
}

function step(by) {
  const place = shown.indexOf(chosen);
  const next = Math.max(0, Math.min(shown.length - 1, place < 0 ? 0 : place + by));
  if (shown.length) choose(shown[next], { write: true });
}

function listKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const page = Math.max(1, Math.floor($("list").clientHeight / ROW) - 1);
  const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
  if (by !== undefined) step(by);
  else if (event.key === "ArrowRight" && chosen >= 0 && D.prev[chosen].some(isHere)) choose(D.prev[chosen].find(isHere), { write: true });
  else if (event.key === "ArrowLeft" && chosen >= 0 && children(chosen).length) choose(children(chosen).at(-1), { write: true });
  else if (event.key === "Enter") $("right").focus();
  else return;
  event.preventDefault();
}

// Filters

const MOST = 1000; // choices of a filter: a room may have any number of types and servers

function prepareFilters() {
  const fill = (id, any, values, of) => {
    const counts = new Map();
    for (let i = 0; i < D.events; i++) counts.set(of(i), (counts.get(of(i)) ?? 0) + 1);
    const order = [...counts].sort((a, b) => b[1] - a[1]);
    $(id).append(el("option", { value: "" }, any), ...order.slice(0, MOST).map(([value, n]) =>
      el("option", { value }, values[value] + " (" + n.toLocaleString("en") + ")")));
    if (order.length > MOST) {
      $(id).append(el("option", { disabled: true }, "and " + (order.length - MOST).toLocaleString("en") + " more: search for them"));
    }
    $(id).addEventListener("change", filter);
  };
  fill("type", "Any type", D.types, (i) => D.type[i]);
  fill("server", "Any server", D.servers, (i) => D.server_of[D.sender[i]]);
  fill("status", "Any status", D.statuses, (i) => D.status[i]);
  $("status").append(el("option", { value: "merge" }, "merges of differing states (" + D.all_merges.filter(isHere).length + ")"),
    el("option", { value: "reset" }, "with a reset (" + new Set([...shapes.resets, ...shapes.lost].filter(isHere)).size + ")"));
  $("senders").append(...D.senders.slice(0, 2000).map((one) => el("option", { value: one })));
  let wait;
  const soon = () => { clearTimeout(wait); wait = setTimeout(filter, D.events > 20000 ? 180 : 40); };
  for (const id of ["search", "sender"]) $(id).addEventListener("input", soon);
  $("raw").addEventListener("change", filter);
  $("clear").addEventListener("click", clearFilters);
  $("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      const found = findId($("search").value.trim());
      if (found !== undefined && isHere(found)) choose(found, { write: true });
      else if (shown.length && !shown.includes(chosen)) choose(shown[0], { write: true });
      $("list").focus();
    }
  });
}

function clearFilters() {
  for (const id of ["search", "sender", "type", "server", "status"]) $(id).value = "";
  filter();
}

// The numbers of the texts that contain a text. Each text is looked at once, however many events share it.
function containing(texts, wanted) {
  const found = new Uint8Array(texts.length);
  texts.forEach((one, i) => { if (one.toLowerCase().includes(wanted)) found[i] = 1; });
  return found;
}

let run = 0;
async function filter() {
  const mine = ++run;
  const text = $("search").value.trim().toLowerCase();
  const [type, server, status] = ["type", "server", "status"].map((id) => $(id).value);
  const sender = $("sender").value.trim().toLowerCase();
  const raw = text && $("raw").checked ? await searchRaw(text, mine) : null;
  if (mine !== run) return;
  const senders = containing(D.senders, sender);
  const inSender = containing(D.senders, text), inWords = containing(D.words, text), inType = containing(D.types, text);
  const inKey = containing(D.keys.map((one) => one[1]), text);
  const matches = (i) => (!type || D.type[i] === +type) && (!server || D.server_of[D.sender[i]] === +server) && matchesStatus(i, status) &&
    (!sender || senders[D.sender[i]]) && (!text || raw?.has(i) || inWords[D.word[i]] || inSender[D.sender[i]] || inType[D.type[i]] ||
    (D.key[i] >= 0 && inKey[D.key[i]]) || D.ids[i].toLowerCase().includes(text));
  whole = !(text || type || server || status || sender);
  shown = [];
  for (let i = 0; i < D.events; i++) if (whole || matches(i)) shown.push(i);
  $("clear").hidden = whole;
  $("told").textContent = whole ? counted(D.events, "event", "events") + ", newest first"
    : counted(shown.length, "event", "events") + " of " + D.events.toLocaleString("en") + "; lines between events are not drawn here";
  drawn = "";
  virtual.changed();
  $("list").scrollTop = 0;
  reveal(shown.indexOf(chosen));
}

function matchesStatus(event, status) {
  if (status === "merge") return shapes.merges.has(event);
  if (status === "reset") return shapes.resets.has(event) || shapes.lost.has(event);
  return !status || D.status[event] === +status;
}

async function searchRaw(text, mine) {
  const found = new Set();
  for (let number = 0; number * D.chunk < D.events; number++) {
    if (mine !== run) return found;
    $("told").textContent = "Searching the raw PDUs: " + Math.round(100 * number * D.chunk / D.events) + " %";
    (await chunk(number)).forEach((one, i) => { if (wholePdu(one).toLowerCase().includes(text)) found.add(number * D.chunk + i); });
  }
  return found;
}
