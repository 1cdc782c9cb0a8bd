"""What all tables are made of."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData
from sqlalchemy import String as _String
from sqlalchemy import Text as _Text

metadata = MetaData()

# texts compare and sort by their bytes, as on SQLite, whatever language the server speaks
String = _String().with_variant(_String(collation="C"), "postgresql")
Text = _Text().with_variant(_Text(collation="C"), "postgresql")

RACED: Final = {"raced": True}
"""Of a table: two workers may write the same key at once; who is later runs its transaction again, and reads it."""
