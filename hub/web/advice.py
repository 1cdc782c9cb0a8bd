"""What to do next about a customer, and what was done: asked by a page or by a program."""

from __future__ import annotations

from typing import Final

from hub.success.next.proposing import HeldError, Next
from hub.success.next.record import Proposal
from hub.web.page import Site
from hub.web.pages.account import find
from hub.web.refusal import RefusedError

_ELSEWHERE: Final = "This process does not know how health is made; ask the one that scores."


def key_of(site: Site, reference: str) -> str:
    """Our id of the account that a URL names. Raises RefusedError: nobody is known by it."""
    with site.context.database.read() as connection:
        return find(connection, reference)


def advisor(site: Site) -> Next:
    """Who proposes. Raises RefusedError: nobody does in this process."""
    if site.context.next is None:
        raise RefusedError(503, _ELSEWHERE)
    return site.context.next


def propose(site: Site, account: str) -> Proposal:
    """The proposal that stands, or a new one, written down with its chance.

    Raises:
        RefusedError: there is nothing to propose; it says why.
    """
    now = site.today()
    wall = now if site.context.settings.clock == "event" else site.context.now()
    try:
        return advisor(site).propose(site.context.database, account, now=now, wall=wall)
    except HeldError as error:
        raise _held(error) from None


def took(site: Site, account: str, action: str) -> Proposal:
    """Write down what was done: the name of an action, or `none`.

    Raises:
        RefusedError: there is no such action, or nothing that this could be the answer to.
    """
    try:
        return advisor(site).took(site.context.database, account, action, now=site.today())
    except HeldError as error:
        raise _held(error) from None


def _held(error: HeldError) -> RefusedError:
    said = str(error)
    return RefusedError(409, f"{said[:1].upper()}{said[1:]}.", code="nothing_proposed", title="Nothing was written")
