"""The whole part of a number that is not negative, in SQL: databases agree on no way to say it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class Whole(FunctionElement[int]):
    """`Whole(column / 2.5)`: PostgreSQL's CAST would round, and not every SQLite has a floor()."""

    name = "whole"
    type = Integer()
    inherit_cache = True


@compiles(Whole)
def _floor(element: Whole, compiler: SQLCompiler, **more: Any) -> str:
    return f"CAST(floor({compiler.process(element.clauses, **more)}) AS INTEGER)"


@compiles(Whole, "sqlite")
def _cast(element: Whole, compiler: SQLCompiler, **more: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **more)} AS INTEGER)"
