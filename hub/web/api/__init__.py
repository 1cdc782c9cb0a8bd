"""The same as JSON, for programs."""
