// The start: read the data, show the room, and listen to the address and to the keys that work everywhere.

function fromAddress(focus) {
  let text = location.hash.slice(1);
  try { text = decodeURIComponent(text); } catch { return false; }
  if (chosen !== null && text === (chosen < 0 ? "current" : idOf(chosen))) return true; // it is chosen already
  if (text === "current") { choose(-1, { focus }); return true; }
  const found = text.startsWith("$") ? findId(text) : undefined;
  if (found === undefined || !isHere(found)) {
    if (text.startsWith("$")) tell("The address names " + isolated(text.slice(0, 60)) + ", which is not the beginning of exactly one event ID of the page.");
    return false;
  }
  if (!shown.includes(found)) clearFilters();
  choose(found, { focus });
  return true;
}

function tell(text) {
  $("note").textContent = text;
  $("note").hidden = false;
}

// Goes to an event by its number: two hostile IDs may look alike. The address changes, so that "back" comes back.
function go(event) {
  if (event >= 0 && !shown.includes(event)) clearFilters();
  $("note").hidden = true;
  choose(event);
  location.hash = "#" + encodeURIComponent(event < 0 ? "current" : idOf(event));
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "/" && !typing) {
    $("search").focus();
    $("search").select();
    event.preventDefault();
  } else if (event.key === "Escape") {
    if (event.target === $("search") && $("search").value) { $("search").value = ""; filter(); }
    else $("list").focus();
    event.preventDefault();
  }
}

async function start() {
  if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old to read the page: it lacks DecompressionStream");
  D = await unpack("core");
  document.title = $("title").textContent;
  $("room").textContent = (D.room.name ? D.room.id + " · " : "") + D.room.version + " · resolution " + D.room.algorithm;
  $("verdict").textContent = D.verdict;
  prepareGraph();
  $("rows").append(el("canvas", { id: "lanes", "aria-hidden": "true" }));
  preparePanels();
  $("wait").hidden = true;
  $("main").hidden = false;
  if (innerWidth > 860) openPanel(D.resets.length ? "resets" : "summary", false);
  prepareFilters();
  prepareList();
  $("told").textContent = counted(D.events, "event", "events") + ", newest first";
  addEventListener("hashchange", () => fromAddress(false));
  addEventListener("beforeprint", fillPrint);
  $("hide").addEventListener("click", closePanel);
  document.addEventListener("keydown", keys);
  document.addEventListener("click", (event) => {
    const to = event.target.closest("a[data-event]");
    if (!to || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(Number(to.dataset.event));
  });
  if (!fromAddress(false) && D.events) choose(D.resets.length && D.resets[0][0] >= 0 ? D.resets[0][0] : 0, { write: true });
  $("list").focus({ preventScroll: true });
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  $("wait").hidden = false;
  $("wait").className = "failed";
  $("wait").textContent = "The page cannot be shown: " + error.message;
});
