"""What a command says of itself, read from its source: a table of contents need not load the whole program."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from importlib.util import find_spec
from pathlib import Path


def summary(module: str, name: str) -> str:
    """The text of a function's docstring, or the `help` of a group of commands; empty where there is neither.

    >>> summary("hub.cli.plugins", "version")
    'Print the version.'
    """
    for node in _parsed(module).body:
        match node:
            case ast.FunctionDef(name=found) if found == name:
                return inspect.cleandoc(ast.get_docstring(node) or "")
            case ast.Assign(targets=[ast.Name(id=found)], value=ast.Call(keywords=said)) if found == name:
                return next((ast.literal_eval(one.value) for one in said if one.arg == "help"), "")
    return ""


@cache
def _parsed(module: str) -> ast.Module:
    spec = find_spec(module)
    assert spec is not None, module  # noqa: S101 - a test imports every one
    assert spec.origin is not None, module  # noqa: S101 - likewise
    return ast.parse(Path(spec.origin).read_text("utf-8"))
