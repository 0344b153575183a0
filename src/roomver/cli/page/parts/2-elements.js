// Elements of the page. Text goes in as text nodes, never as HTML.

function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false && one !== ""));
  return element;
}

const $ = (id) => document.getElementById(id);
const say = (text) => { $("said").textContent = text; };
const tag = (name, text) => el("span", { class: "tag " + name.replace(" ", "-") }, text ?? name);

// A text as one word of a shell: whatever is in it, nothing of it is run.
const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";

// A text that breaks after its punctuation rather than within a word. Copied, it is the same text.
const breakable = (text) => text.split(/(?<=[.:_/])(?=\w)/).flatMap((part, i) => i ? [el("wbr"), part] : [part]);

// A link to an event of the page. A missing event is only named.
function link(event, text) {
  if (event >= 0 && !isHere(event)) {
    return el("span", { class: "mono" }, text ?? idOf(event), " ", tag("missing"));
  }
  const href = "#" + encodeURIComponent(event < 0 ? "current" : idOf(event));
  return el("a", { href, "data-event": event }, text ?? eventWords(event));
}

// The same in a table: the words, and below them the short ID and the time.
function brief(event) {
  if (!isHere(event)) return link(event);
  return el("span", null, link(event, breakable(senderOf(event) + "'s " + wordsOf(event))), el("br"), el("small", null, shortId(event) + " · " + timeText(D.ts[event])));
}

// A text in which the IDs of events are links.
function linked(text) {
  return text.split(/(\$[^\s,;()'"]+)/).map((part) => {
    const number = part.startsWith("$") ? numberOf(part) : undefined;
    return number !== undefined && isHere(number) ? link(number, part) : part;
  });
}

// A sentence: words, and between them events, users and values.
function sentence(parts) {
  const told = new Set();
  return parts.map((part) => {
    if (typeof part === "string") return part;
    const [kind, value] = part;
    if (kind === "event") {
      const again = told.has(value);
      told.add(value);
      return again && isHere(value) ? link(value, shortId(value)) : link(value);
    }
    if (kind === "key") return keyText(value);
    return kind === "finding" ? D.finding_texts[value] : isolated(value);
  });
}

// A link to another page, which opens only if it is clicked.
function outside(url, text) {
  if (!url.startsWith("https://")) return text;
  return el("a", { href: url, rel: "noreferrer noopener", target: "_blank" }, text);
}

function table(headings, rows, numbers = []) {
  const kind = (i) => ({ class: numbers.includes(i) ? "number" : undefined });
  return el("div", { class: "wide" }, el("table", null,
    el("thead", null, el("tr", null, headings.map((one, i) => el("th", { scope: "col", ...kind(i) }, one)))),
    el("tbody", null, rows.map((row) => row instanceof Node ? row : el("tr", null, row.map((cell, i) => el("td", kind(i), cell)))))));
}

// The first rows of a long list, and a button for more.
function longList(items, make, wrap, first = 100) {
  const box = el("div");
  let shown = 0;
  const more = el("button", { type: "button", class: "plain", onclick: () => show(first * 5) });
  function show(n) {
    const part = items.slice(shown, shown + n);
    shown += part.length;
    more.remove();
    if (part.length) box.append(wrap(part.map(make)));
    if (shown < items.length) {
      more.textContent = "Show more: " + (items.length - shown).toLocaleString("en") + " left";
      box.append(more);
    }
  }
  show(first);
  return box;
}

// A long list with a field above it that leaves only what contains a text. words: what of an item is looked at.
function filteredList(items, name, words, make, wrap, first = 100) {
  const rows = el("div");
  if (items.length <= 10) return longList(items, make, wrap, first);
  const count = el("p", { class: "muted", role: "status" });
  const input = el("input", { type: "search", class: "filter", placeholder: "Filter the " + name, "aria-label": "Filter the " + name, autocomplete: "off", spellcheck: "false" });
  const draw = () => {
    const wanted = input.value.trim().toLowerCase();
    const found = wanted ? items.filter((one) => words(one).toLowerCase().includes(wanted)) : items;
    count.textContent = found.length.toLocaleString("en") + " of " + items.length.toLocaleString("en");
    rows.replaceChildren(longList(found, make, wrap, first));
  };
  input.addEventListener("input", draw);
  draw();
  return el("div", null, el("div", { class: "filtered" }, input, count), rows);
}

// A command, to be copied.
const command = (text) => el("div", { class: "command" }, el("pre", { tabindex: "0" }, text), copyButton(text, "the command"));

function copyButton(text, what) {
  return el("button", { type: "button", class: "plain small", "aria-label": "copy " + what, onclick: (event) => copy(text, event.currentTarget) }, "copy");
}

function copy(text, button) {
  const area = el("textarea", { class: "seen-by-readers", "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy"); // works in a file, where the clipboard interface may not
  area.remove();
  button.focus();
  button.textContent = done ? "copied" : "not copied";
  say(button.textContent);
  setTimeout(() => { button.textContent = "copy"; }, 1500);
}
