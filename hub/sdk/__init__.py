"""The plugin author's world: data, contracts, errors, hooks and settings. No I/O, no framework."""
