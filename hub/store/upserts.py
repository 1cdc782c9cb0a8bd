"""An insert that knows `ON CONFLICT` and compiles on both databases.

SQLAlchemy has one per dialect. PostgreSQL cannot compile SQLite's; PostgreSQL's says all that SQLite's compiler
asks of it, as long as a conflict is named by its columns and not by a constraint. Tests hold every statement to it.
"""

from sqlalchemy.dialects.postgresql import Insert, insert

__all__ = ["Insert", "insert"]
