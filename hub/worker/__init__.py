"""The composition root: what a process is made of, and how it starts and stops."""
