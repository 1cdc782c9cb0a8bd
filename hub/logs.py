"""The program's own log: one JSON object a line on standard error; names, not sentences; no secrets, no customers."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_ADDRESS: Final = re.compile(r"[\w.+%-]+@[\w-]+(\.[\w-]+)+")
_PASSWORD: Final = re.compile(r"(?<=://)[^/\s@\"]+(?=@)")
_DETAIL: Final = re.compile(r"\n *(DETAIL|CONTEXT|HINT|QUERY|LINE \d+):.*")  # PostgreSQL quotes rows there
_INPUT: Final = re.compile(r"input_value=.*?(?=, input_type=|\n|$)", re.DOTALL)  # so does Pydantic
_QUOTED: Final = re.compile(
    r"(?<!\w)(['\"])(?![a-z0-9_.]{1,40}\1)(?:\\.|(?!\1).)*\1", re.DOTALL
)  # any; but for names of ours
# aiokafka is not among them: it tells every attempt to reach a broker, and `hub.streams.kafka` silences it
_FOREIGN: Final = ("faust", "mode", "httpx", "httpcore", "uvicorn", "asyncio", "mail", "aiosmtplib")


class Lines(logging.Formatter):
    """A record as one line of JSON: `at`, `level`, `event`, and whatever `extra` it was given."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1]:
            line["exception"] = _exception(record.exc_info[1])
        written = msgspec.json.encode(line, enc_hook=lambda value: _DETAIL.sub("", str(value))).decode()
        return _PASSWORD.sub("***", _ADDRESS.sub("***", written))


def _exception(error: BaseException) -> str:
    """Where it came from and what it was, without the values its message quotes: they may be a customer's words.

    >>> _exception(ValueError("could not convert string to float: 'Ada King'"))
    "ValueError: could not convert string to float: '…'"
    """
    told = traceback.TracebackException.from_exception(error)
    seen = [told]
    while (
        above := seen[-1].__cause__ or (None if seen[-1].__suppress_context__ else seen[-1].__context__)
    ) is not None:
        seen.append(above)
    parts = []
    for one in reversed(seen):
        said = _INPUT.sub("input_value=…", _DETAIL.sub("", "".join(one.format_exception_only())))
        parts.append("".join(one.stack.format()) + _QUOTED.sub(lambda found: f"{found[1]}…{found[1]}", said).rstrip())
    return "\n".join(parts)


def configure_logging(level: str) -> None:
    """Send our log to standard error from `level` on, and of the libraries only what is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _FOREIGN:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
