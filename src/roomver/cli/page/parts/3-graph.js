// The lanes: drawn on one canvas, for the rows that are in the document only.

const ROW = 28;
let lanePitch = 14;
let laneWidth = 40;
let buckets; // the stretches that touch each 64 rows
const BUCKET = 64;
let shapes; // what each merge, reset and extremity is marked with

function prepareGraph() {
  const s = D.stretches;
  let widest = 1;
  for (const lane of D.lanes) if (lane >= widest) widest = lane + 1;
  lanePitch = Math.max(5, Math.min(15, Math.floor(170 / widest)));
  laneWidth = Math.min(190, widest * lanePitch + 14);
  buckets = Array.from({ length: Math.ceil(D.events / BUCKET) + 1 }, () => []);
  for (let i = 0; i < s.length; i += 4) {
    const last = Math.floor(s[i + 2] / BUCKET);
    for (let b = Math.floor(s[i + 1] / BUCKET); b <= last; b++) buckets[b].push(i);
  }
  shapes = { merges: new Set(D.all_merges), resets: new Set(D.resets.map((one) => one[0])), lost: new Set(D.resets.map((one) => one[2])) };
}

const laneX = (lane) => 10 + lane * lanePitch;

let palette;
function colours() {
  if (!palette) {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue(name).trim();
    palette = {
      lanes: [212, 145, 28, 282, 185, 340, 52, 255].map((hue) => `hsl(${hue} ${dark ? 62 : 58}% ${dark ? 66 : 42}%)`),
      bg: value("--bg"), bad: value("--bad"), warn: value("--warn"), open: value("--open"), reset: value("--reset"),
    };
  }
  return palette;
}

// rows: the numbers of the events in the document, from the top. whole: whether no filter leaves any out.
function drawGraph(canvas, rows, first, whole) {
  const scale = window.devicePixelRatio || 1;
  const height = rows.length * ROW;
  canvas.width = Math.ceil(laneWidth * scale);
  canvas.height = Math.ceil(height * scale);
  canvas.style.width = laneWidth + "px";
  canvas.style.height = height + "px";
  canvas.style.transform = "translateY(" + first * ROW + "px)";
  const g = canvas.getContext("2d");
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.clearRect(0, 0, laneWidth, height);
  if (whole) drawLines(g, rows[0], rows[rows.length - 1]);
  rows.forEach((event, i) => drawNode(g, event, i * ROW + ROW / 2));
}

function drawLines(g, first, last) {
  const { lanes } = colours();
  const s = D.stretches;
  const y = (row) => (row - first) * ROW + ROW / 2;
  g.lineWidth = lanePitch < 8 ? 1.2 : 2;
  const seen = new Set();
  for (let b = Math.floor(Math.max(0, first - 1) / BUCKET); b <= Math.floor((last + 1) / BUCKET) && b < buckets.length; b++) {
    for (const i of buckets[b]) {
      if (seen.has(i)) continue;
      seen.add(i);
      const [lane, top, bottom, parent] = [s[i], s[i + 1], s[i + 2], s[i + 3]];
      if (bottom < first - 1 || top > last + 1) continue;
      const x = laneX(lane);
      g.strokeStyle = lanes[lane % lanes.length];
      g.beginPath();
      const from = Math.max(top + 1, first - 1), to = Math.min(bottom, last + 2);
      if (to > from) { g.moveTo(x, y(from)); g.lineTo(x, y(to)); }
      if (bottom !== parent) curve(g, x, y(bottom), laneX(D.lanes[bottom]), y(bottom + 1)); // it moves to another lane
      g.stroke();
    }
  }
  // From each row to the lanes of its parents.
  for (let row = Math.max(0, first - 1); row <= Math.min(D.events - 1, last + 1); row++) {
    const missing = D.prev[row].some((parent) => !isHere(parent));
    for (const parent of D.prev[row]) {
      const found = laneBelow(row, parent);
      if (found === undefined) continue;
      const [lane, isNew] = found;
      g.strokeStyle = lanes[(isNew ? lane : D.lanes[row]) % lanes.length];
      g.beginPath();
      curve(g, laneX(D.lanes[row]), y(row), laneX(lane), y(row + 1));
      g.stroke();
    }
    if (missing) {
      g.strokeStyle = colours().open;
      g.setLineDash([2, 3]);
      g.beginPath();
      g.moveTo(laneX(D.lanes[row]), y(row));
      g.lineTo(laneX(D.lanes[row]), y(row) + ROW / 2);
      g.stroke();
      g.setLineDash([]);
    }
  }
}

// The lane that an edge has below its row, and whether it begins there.
function laneBelow(row, parent) {
  for (const i of buckets[Math.floor(row / BUCKET)]) {
    if (D.stretches[i + 3] === parent && D.stretches[i + 1] <= row && row < D.stretches[i + 2]) return [D.stretches[i], D.stretches[i + 1] === row];
  }
  return undefined;
}

function curve(g, x1, y1, x2, y2) {
  g.moveTo(x1, y1);
  if (x1 === x2) g.lineTo(x2, y2);
  else g.bezierCurveTo(x1, y1 + ROW * 0.6, x2, y2 - ROW * 0.6, x2, y2);
}

function drawNode(g, event, y) {
  const { lanes, bg, bad, warn, open, reset } = colours();
  const x = laneX(D.lanes[event]);
  const r = lanePitch < 8 ? 3 : 4.5;
  const status = D.status[event];
  const colour = [lanes[D.lanes[event] % lanes.length], warn, bad, open][status];
  g.lineWidth = 2;
  if (shapes.resets.has(event)) {
    g.strokeStyle = reset;
    g.beginPath();
    g.arc(x, y, r + 3.5, 0, 7);
    g.stroke();
  }
  g.strokeStyle = colour;
  g.fillStyle = status === 0 ? colour : bg;
  g.beginPath();
  if (D.prev[event].length > 1) { // a diamond: branches meet
    g.moveTo(x, y - r - 1); g.lineTo(x + r + 1, y); g.lineTo(x, y + r + 1); g.lineTo(x - r - 1, y); g.closePath();
  } else {
    g.arc(x, y, r, 0, 7);
  }
  g.fill();
  g.stroke();
  if (status === 2) { // a cross: rejected
    g.beginPath();
    g.moveTo(x - 2.5, y - 2.5); g.lineTo(x + 2.5, y + 2.5); g.moveTo(x + 2.5, y - 2.5); g.lineTo(x - 2.5, y + 2.5);
    g.stroke();
  } else if (status === 3) {
    g.fillStyle = colour;
    g.fillRect(x - 1, y - 1, 2, 2);
  }
}
