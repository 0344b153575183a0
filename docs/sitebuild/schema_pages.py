"""The JSON Schemas of what commands print, as tables."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCHEMAS = "docs/schemas"

OTHERS = {
    "roomver check": ("check", "check-rooms", "check-rooms-line"),
    "roomver vectors report": ("../../vectors/schemas/report",),
    "roomver vectors run": ("../../vectors/schemas/results",),
    "roomver vectors show": ("../../vectors/schemas/vector-file",),
}
"""The schemas of commands that do not have exactly one with their own name."""


def schemas_of(command: str) -> tuple[str, ...]:
    """Return the names of the schemas of a command's JSON."""
    return OTHERS.get(command, ("-".join(command.split()[1:]),))


def path_of(name: str) -> Path:
    """Return the file of a schema."""
    return (ROOT / SCHEMAS / f"{name}.schema.json").resolve()


def page_name(name: str) -> str:
    """Return the name of the page of a schema."""
    return f"reference/schemas/{_short(name)}"


def _short(name: str) -> str:
    folder, _, last = name.rpartition("/")
    return f"vectors-{last}" if folder else last  # a command may have a schema of the same name


def schema_of(command: str) -> list[str]:
    """Return the lines about the JSON of a command."""
    lines = []
    for name in schemas_of(command):
        schema = json.loads(path_of(name).read_text(encoding="utf-8"))
        lines += [f"- [{_escaped(schema['title'])}](../schemas/{_short(name)}.md): {_about(schema)}"]
    return [*lines, ""]


def all_schemas() -> list[str]:
    """Return the names of all schemas."""
    own = [path.name.removesuffix(".schema.json") for path in sorted((ROOT / SCHEMAS).glob("*.schema.json"))]
    return own + [f"../../vectors/schemas/{path.name.removesuffix('.schema.json')}" for path in _vectors()]


def names() -> list[str]:
    """Return the names of all pages but the one that lists them."""
    return [page_name(name) for name in all_schemas()]


def _vectors() -> list[Path]:
    return sorted((ROOT / "vectors" / "schemas").glob("*.schema.json"))


def write() -> dict[str, str]:
    """Return the pages by file name: one for each schema, and one that lists them."""
    pages = {}
    lines = [
        "# JSON schemas",
        "",
        "What the commands print with `--json`, and the files of the test vectors.",
        "",
    ]
    lines += ["| Schema | What it describes |", "| --- | --- |"]
    for name in all_schemas():
        text = path_of(name).read_text(encoding="utf-8")
        schema = json.loads(text)
        lines.append(f"| [{_escaped(schema['title'])}](schemas/{_short(name)}.md) | {_about(schema)} |")
        pages[f"{page_name(name)}.md"] = _page(schema, text)
    pages["reference/schemas.md"] = "\n".join([*lines, ""])
    return pages


def _about(schema: dict[str, Any]) -> str:
    return _escaped(schema.get("description") or schema["title"])


def _page(schema: dict[str, Any], text: str) -> str:
    head = ["| Field | Type | Meaning |", "| --- | --- | --- |"]
    defined = schema.get("$defs", {})
    lines = [f"# {_escaped(schema['title'])}", "", _about(schema), "", "## Fields", ""]
    lines += ["A dot leads into an object, `[]` into an array. `{}` stands for any key.", ""]
    lines += [*head, *rows(schema, defined)]
    for name, one in defined.items():
        lines += ["", f"## {name}", "", *head, *rows(one, defined, top=True)]
    lines += ["", "## The schema", "", "```json", text.rstrip(), "```", ""]
    return "\n".join(lines)


def rows(schema: dict[str, Any], defined: dict[str, Any] | None = None, *, top: bool = False) -> list[str]:
    """Return the rows of a table: a field, its type and its meaning.

    Args:
        schema: the schema.
        defined: the definitions to which it may refer.
        top: whether the value itself has a row.
    """
    found = list(_rows("", schema))
    if top or not found:
        found.insert(0, ("", schema))
    named = defined or {}
    lines = []
    for path, one in found:
        about = one.get("description") or named.get(_name(one), {}).get("description", "")
        lines.append(f"| {f'`{path}`' if path else 'the value'} | {_kind(one)} | {_escaped(about)} |")
    return lines


def _name(schema: dict[str, Any]) -> str:
    """Return the name of the definition to which a schema refers, or an empty string."""
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _rows(path: str, schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(schema, dict):
        return
    for name, inner in schema.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below, inner if isinstance(inner, dict) else {}
        yield from _rows(below, inner)
    for key, mark in (("items", "[]"), ("additionalProperties", ".{}")):
        inner = schema.get(key)
        if isinstance(inner, dict):
            below = f"{path}{mark}".removeprefix(".")
            if inner.get("description") or "$ref" in inner:
                yield below, inner
            yield from _rows(below, inner)
    for key in ("oneOf", "anyOf", "allOf"):
        for inner in schema.get(key, []):
            yield from _rows(path, inner)


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{_escaped(name)}](#{name.lower()})" if schema["$ref"].startswith("#/") else _escaped(name)
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    for key in ("oneOf", "anyOf"):
        kinds += [_kind(inner) for inner in schema.get(key, []) if _kind(inner)]
    return " or ".join(dict.fromkeys(kinds))


def _escaped(text: str) -> str:
    for mark in "\\*_<>[]#|~$`":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
