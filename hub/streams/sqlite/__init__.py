"""The log of an embedded installation: one SQLite file, and the Faust transport over it."""
