// JSON for Matrix: a parser that loses nothing, and canonical JSON.
//
// JSON.parse will not do: it rounds integers beyond 2^53, which events of room versions 1 to 5 may carry, and
// takes text that is not Unicode. Here objects are Maps, integers BigInts, and other numbers Fractions.
"use strict";

class Fraction {
  constructor(text) {
    this.text = text;
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const WHITE_SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const LITERALS = new Map([
  ["true", true],
  ["false", false],
  ["null", null],
]);

function parse(text) {
  let at = 0;

  function match(pattern) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) {
      throw new Error(`not JSON at character ${at}`);
    }
    at = pattern.lastIndex;
    return found;
  }

  function take(character) {
    if (text[at] !== character) {
      throw new Error(`expected ${character} at character ${at}`);
    }
    at += 1;
    match(WHITE_SPACE);
  }

  function string() {
    const found = JSON.parse(match(STRING)[0]);
    if (!found.isWellFormed()) {
      throw new Error("a surrogate that stands alone");
    }
    match(WHITE_SPACE);
    return found;
  }

  // What stands between brackets, with commas.
  function list(open, close, item) {
    take(open);
    while (text[at] !== close) {
      item();
      if (text[at] !== close) {
        take(",");
        if (text[at] === close) {
          throw new Error(`a comma before ${close}`);
        }
      }
    }
    take(close);
  }

  function value() {
    match(WHITE_SPACE);
    const first = text[at];
    if (first === "{") {
      const object = new Map();
      list("{", "}", () => {
        const key = string();
        take(":");
        object.set(key, value());
      });
      return object;
    }
    if (first === "[") {
      const array = [];
      list("[", "]", () => array.push(value()));
      return array;
    }
    if (first === '"') {
      return string();
    }
    for (const [word, meaning] of LITERALS) {
      if (text.startsWith(word, at)) {
        at += word.length;
        match(WHITE_SPACE);
        return meaning;
      }
    }
    const [number, fraction, exponent] = match(NUMBER);
    match(WHITE_SPACE);
    return fraction || exponent ? new Fraction(number) : BigInt(number);
  }

  const result = value();
  if (at < text.length) {
    throw new Error(`more than one value: character ${at}`);
  }
  return result;
}

// Strings in the order of their code points. JavaScript compares UTF-16 code units, by which U+10000 comes
// before U+E000; the bytes of UTF-8 have the order that is wanted.
function byCodePoint(one, other) {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

const SHORT = { '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function quoted(text) {
  return `"${text.replace(
    /["\\\u0000-\u001f]/g,
    (one) => SHORT[one] ?? `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )}"`;
}

const LARGEST = 2n ** 53n - 1n;

// The canonical JSON of a value, as text. From room version 6 on it is strict: integers alone, and within
// 2^53. Before that, numbers are what they are.
function canonical(value, strict) {
  if (value instanceof Map) {
    const keys = [...value.keys()].sort(byCodePoint);
    return `{${keys.map((key) => `${quoted(key)}:${canonical(value.get(key), strict)}`).join(",")}}`;
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => canonical(item, strict)).join(",")}]`;
  }
  if (typeof value === "string") {
    return quoted(value);
  }
  if (typeof value === "bigint") {
    if (strict && (value > LARGEST || value < -LARGEST)) {
      throw new Error("an integer beyond 2^53 - 1");
    }
    return value.toString();
  }
  if (value instanceof Fraction) {
    if (strict) {
      throw new Error("a number that is no integer");
    }
    if (Number.isInteger(Number(value.text))) {
      throw new Error("an integer written as a fraction: nobody agrees on its canonical form");
    }
    return value.text;
  }
  return String(value);
}

module.exports = { parse, canonical };
