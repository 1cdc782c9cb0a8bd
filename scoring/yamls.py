"""YAML as people write it: read with the line of everything, and refused where it would grow or go round in circles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import yaml

LONGEST: Final = 60_000
"""Letters of a file that a page takes."""
_MOST: Final = 20_000  # nodes, once every alias is written out
_DEEPEST: Final = 60


class Problem(NamedTuple):
    """What is wrong with a file, and what would be right.

    Attributes:
        file: `measures.yaml` or `scorecard.yaml`.
        line: counted from 1; None where it is about the whole.
        said: what is wrong.
        todo: what to do about it; may be empty.
    """

    file: str
    line: int | None
    said: str
    todo: str = ""


class Parsed(NamedTuple):
    """A file that is YAML.

    Attributes:
        data: what it says.
        node: the same as a tree with places; None if it says nothing.
    """

    data: Any
    node: yaml.Node | None


class NotYamlError(Exception):
    """A file cannot be read.

    Attributes:
        problem: why.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.said)


def parse(file: str, text: str) -> Parsed:
    """Read a file.

    Raises:
        NotYamlError: it is too long, not YAML, or would be too large.
    """
    if len(text) > LONGEST:
        raise NotYamlError(
            Problem(
                file, None, f"it is {len(text):,} letters long", f"a page takes {LONGEST:,}; use `pulsehub` instead"
            )
        )
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                _bounded(file, node)
            data = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        line = None if mark is None else min(mark.line, text.count("\n")) + 1
        raise NotYamlError(Problem(file, line, f"this is not YAML: {said}", _hint(said))) from None
    except RecursionError:
        raise NotYamlError(Problem(file, None, "it is nested too deeply")) from None
    except (yaml.YAMLError, ValueError) as error:
        said = str(error).splitlines()[0]
        said = "it holds a number that is too long" if "digits" in said else f"this is not YAML: {said[:200]}"
        raise NotYamlError(Problem(file, None, said)) from None
    return Parsed(data, node)


def _hint(said: str) -> str:
    if "\\t" in said:
        return "indent with spaces: YAML takes no tabs"
    if "mapping values are not allowed" in said:
        return "a colon too many, or a text with a colon that is not in quotes"
    if "expected <block end>" in said or "did not find expected key" in said:
        return "look at the indentation of this line and the one before"
    if "could not determine a constructor" in said:
        return "write plain values; tags such as `!!python` are not taken"
    if "alias" in said:
        return "give the anchor (`&name`) before the alias (`*name`)"
    return ""


def _bounded(file: str, root: yaml.Node) -> None:
    """Make sure that aliases, written out, end, and end soon."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def size(node: yaml.Node, depth: int) -> int:
        key = id(node)
        if key in open_:
            raise NotYamlError(Problem(file, _line(node), "it refers to itself", "take the alias out"))
        if depth > _DEEPEST:
            raise NotYamlError(Problem(file, _line(node), "it is nested too deeply"))
        if key not in sizes:
            open_.add(key)
            sizes[key] = 1 + sum(size(one, depth + 1) for one in _below(node))
            open_.discard(key)
        if sizes[key] > _MOST:
            said = "written out with all its aliases it would be too large"
            raise NotYamlError(Problem(file, _line(node), said, "write fewer measures, or fewer aliases"))
        return sizes[key]

    size(root, 0)


def _below(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from (key, value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def twice(file: str, root: yaml.Node | None) -> list[Problem]:
    """Keys that are said twice: YAML would take the second without a word."""
    found: list[Problem] = []
    seen: set[int] = set()
    todo = [] if root is None else [root]
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            names: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in names and key.value != "<<":
                    found.append(Problem(file, _line(key), f"`{key.value}` is said twice", "keep one of them"))
                names.add(key.value if isinstance(key, yaml.ScalarNode) else "")
        todo += _below(node)
    return sorted(found, key=lambda one: one.line or 0)


def inner(node: yaml.Node | None, key: str | int) -> yaml.Node | None:
    """What stands under a key or at a place of a list; None if nothing does."""
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if getattr(name, "value", None) == str(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and 0 <= key < len(node.value):
        found: yaml.Node = node.value[key]
        return found
    return None


def line_of(node: yaml.Node | None, path: Sequence[str | int]) -> int | None:
    """The line of what a path leads to, or of the nearest before it that is there; of a key, where that stands."""
    line = None if node is None else _line(node)
    for key in path:
        if isinstance(node, yaml.MappingNode):
            for name, _ in node.value:
                if getattr(name, "value", None) == str(key):
                    line = _line(name)
        node = inner(node, key)
        if node is None:
            break
        if isinstance(key, int):
            line = _line(node)
    return line


def line_saying(node: yaml.Node | None, word: str) -> int | None:
    """The first line on which a word stands as a whole value or key."""
    todo, seen, lines = ([] if node is None else [node]), set[int](), list[int]()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, yaml.ScalarNode) and one.value == word:
            lines.append(_line(one))
        todo += _below(one)
    return min(lines, default=None)
