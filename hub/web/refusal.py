"""How the web face says no: one error, shown as JSON to programs and in plain words to people."""

from __future__ import annotations

from typing import Final

CODES: Final = {
    400: ("bad_request", "This request cannot be understood."),
    401: ("token_needed", "Send the installation's token: `Authorization: Bearer <PULSEHUB_API_TOKEN>`."),
    403: ("forbidden", "This request is not allowed."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method."),
    413: ("too_large", "This request is too large."),
    421: ("wrong_host", "This server does not answer to that host name."),
    500: ("failed", "Something went wrong here. It has been logged; nothing that was received is lost."),
    503: ("unavailable", "The database cannot be asked right now. Nothing that was received is lost."),
}


class RefusedError(Exception):
    """Answer with this status, code and message.

    Args:
        status: of HTTP.
        message: for people: what happened, and what to do.
        code: for programs; the status's own unless given.
        title: the heading of the page that says so.
    """

    def __init__(self, status: int, message: str = "", *, code: str = "", title: str = "") -> None:
        usual = CODES.get(status, ("refused", "This request was refused."))
        self.status = status
        self.code = code or usual[0]
        self.message = message or usual[1]
        self.title = title
        super().__init__(self.message)
