"""A plan as EXPLAIN shows it: a tree by indentation as text, or the same tree as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Node:
    """One operator. `head` is its line, `lines` stand below it and `tail` below its inputs.

    `fields` are what the line says, by name; `notes` what was asked to be shown of its rows. `parts` are subplans with
    a name of their own: subqueries, what a Let binds; `result` is what those are bound for.
    """

    operator: str
    head: str
    fields: tuple[tuple[str, Json], ...] = ()
    lines: tuple[str, ...] = ()
    inputs: "tuple[Node, ...]" = ()
    parts: "tuple[tuple[str, Node], ...]" = ()
    result: "Node | None" = None
    tail: tuple[str, ...] = ()
    notes: tuple[tuple[str, str | int | bool], ...] = ()


def lines(node: Node, depth: int = 0) -> list[str]:
    """The text of a node and all below it."""
    pad = "  " * depth
    found = [f"{pad}{node.head}{notes_text(node)}", *(f"{pad}  {line}" for line in node.lines)]
    for child in node.inputs:
        found.extend(lines(child, depth + 1))
    for label, part in node.parts:
        found.append(f"{pad}  {label}")
        found.extend(lines(part, depth + 2))
    if node.result is not None:
        found.extend([f"{pad}Return", *lines(node.result, depth + 1)])
    found.extend(f"{pad}  {line}" for line in node.tail)
    return found


def notes_text(node: Node) -> str:
    if not node.notes:
        return ""
    shown = ", ".join(f"{name}: {_note(value)}" for name, value in node.notes)
    return f" // {{ {shown} }}"


def _note(value: str | int | bool) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return f'"{value}"'


def as_json(node: Node) -> dict[str, Json]:
    """A node and all below it: `operator`, `text`, its fields, and what there is of notes, inputs and parts."""
    found: dict[str, Json] = {"operator": node.operator, "text": node.head}
    found.update(node.fields)
    found.update((name.replace(" ", "_"), value) for name, value in node.notes)
    if node.lines or node.tail:
        found["lines"] = list[Json]([line.strip() for line in (*node.lines, *node.tail)])
    if node.inputs:
        found["inputs"] = list[Json](map(as_json, node.inputs))
    if node.parts:
        found["parts"] = list[Json]([{"name": label.removesuffix(" ="), "plan": as_json(p)} for label, p in node.parts])
    if node.result is not None:
        found["result"] = as_json(node.result)
    return found


def texts(values: Sequence[str]) -> list[Json]:
    """Texts as a JSON list."""
    return list[Json](values)
