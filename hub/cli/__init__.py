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
    except Exception as error:
        if not (said := _database(error)):
            raise
        aside.print(f"pulsehub: {visible(said)}", style="red", markup=False)
        sys.exit(1)


def _database(error: Exception) -> str:
    """What to say where it was the database that failed under a command; nothing where it was not."""
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError  # noqa: PLC0415 - loaded by who raised it

    if not (
        isinstance(error, OperationalError | InterfaceError)
        or (isinstance(error, DBAPIError) and error.connection_invalidated)
    ):
        return ""
    why = " ".join(str(error.orig).split())
    return f"the database failed: {why}. What was committed is kept; once it answers, run the same command again"
