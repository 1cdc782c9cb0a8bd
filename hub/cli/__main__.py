"""`python -m hub.cli` is `pulsehub`."""

from hub.cli import main

main()
