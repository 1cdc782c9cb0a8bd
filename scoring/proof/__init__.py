"""How well would it have predicted? The past replayed point-in-time: every number from what was known at its moment."""
