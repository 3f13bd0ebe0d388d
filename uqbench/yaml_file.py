"""YAML files that are not trusted: plain values only, and no more of them than people write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from uqbench.errors import UqbenchError
from uqbench.limits import read_at_most

MOST_BYTES = 1 << 20
DEEPEST = 40
MOST_VALUES = 100_000
"""With every alias counted as often as it stands for something: a kilobyte of aliases can stand for a terabyte."""


def read_yaml(path: Path, what: str) -> tuple[Any, yaml.Node | None]:
    """The content of a file and its nodes, which know their lines.

    Raises UqbenchError, which begins with `what` or the path and line, for a file that cannot be read, is not YAML,
    asks for other than plain values, or is beyond the limits above.
    """
    content = read_at_most(path, MOST_BYTES, what)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UqbenchError(f"{what} {path} cannot be read: {error}.") from None
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                line = event.start_mark.line + 1
                raise UqbenchError(f"{path}, line {line}: more than {DEEPEST} levels deep; write it flatter.")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None and _count(node, {}) > MOST_VALUES:
            raise UqbenchError(f"{path}: more than {MOST_VALUES:,} values, aliases counted; write less.")
        return yaml.safe_load(text), node
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UqbenchError(f"{path}{line}: not valid YAML: {problem}.") from None
    except UqbenchError:
        raise
    # A value that its tag does not fit, such as the 40th of a month.
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UqbenchError(f"{path}: not valid YAML: {error}.") from None


def line_of(node: yaml.Node | None, location: Sequence[int | str]) -> int:
    """Line of what a validation error's path leads to, or of the innermost thing around it that is there."""
    line = 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            match = [(key, value) for key, value in node.value if key.value == str(step)]
            if not match:
                break
            line, node = match[0][0].start_mark.line + 1, match[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            item: yaml.Node = node.value[step]
            line, node = item.start_mark.line + 1, item
    return line


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Values that a node stands for; one that holds itself is beyond any limit."""
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        known[id(node)] = 1 + sum(_count(part, known) for part in parts)
    return known[id(node)]
