"""The database: its tables, its one writer, and the questions asked of it."""
