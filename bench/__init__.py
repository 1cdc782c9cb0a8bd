"""What Pulsehub costs, measured: `python -m bench` for all of it, `python -m bench NAME --json` for a machine."""
