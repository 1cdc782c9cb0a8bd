"""The command `pulsehub`. Exit status: 0 done, 1 failed, 2 wrong use (a mistyped command or a wrong setting)."""

from __future__ import annotations

import sys

from hub.cli.app import app
from hub.cli.output import aside, visible
from hub.sdk.errors import ConfigError, HubError


def main() -> None:
    """Run the command line; errors we raise on purpose end in one sentence, never in a stack trace."""
    try:
        app(prog_name="pulsehub")
    except ConfigError as error:
        aside.print(f"pulsehub: {visible(str(error))}", style="red", markup=False)
        sys.exit(2)
    except HubError as error:
        aside.print(f"pulsehub: {visible(str(error))}", style="red", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        aside.print("stopped")
        sys.exit(130)
