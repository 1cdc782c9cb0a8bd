"""The shapes of Zendesk's pings: ids are strings (sometimes numbers), and "0" says that there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

import hub


def _clean(value: object) -> object:
    return value.replace("\0", "") if isinstance(value, str) else value


def _none(value: object) -> object:
    return None if isinstance(value, str | int) and str(value) in {"", "0", "-1"} else value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time beyond the calendar") from None


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Reference = Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$"), BeforeValidator(_none)]
Text = Annotated[str | None, BeforeValidator(_clean)]
Time = Annotated[AwareDatetime, AfterValidator(_utc)]


class _Part(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class Ping(_Part):
    """The envelope of every event."""

    type: Annotated[str, Field(max_length=100)]
    time: Time
    detail: dict[str, Any] = {}
    event: dict[str, Any] = {}

    @property
    def what(self) -> str:
        """`ticket.created` of `zen:event-type:ticket.created`."""
        return self.type.removeprefix("zen:event-type:")

    def said(self, key: str) -> str | None:
        """What the event says as text or number under `key`, `current` say."""
        value = self.event.get(key)
        return str(value).replace("\0", "")[:1000] if isinstance(value, str | float) and value != "" else None


class Ticket(_Part):
    """A ticket as it was when the event left; documented as `detail` of ticket events."""

    id: Id
    created_at: Time | None = None
    description: Text = None
    organization_id: Reference = None
    priority: Text = None
    requester_id: Reference = None
    status: Text = None
    subject: Text = None


class Author(_Part):
    """Who wrote a comment."""

    id: Reference = None
    is_staff: bool = False


class Comment(_Part):
    """`event.comment` of `ticket.comment_added`."""

    id: Id
    author: Author = Author()
    body: Text = None
    is_public: bool = True


class Move(_Part):
    """`event` of `ticket.organization_changed`."""

    current: Reference = None
    previous: Reference = None


class Rating(_Part):
    """`event.satisfaction_score` of `ticket.csat_received`: good or bad, or one to five stars."""

    score: Annotated[str, Field(max_length=40)]
    comment: Text = None


class User(_Part):
    """A person; `external_id` is the customer's number for the person, not for the company."""

    id: Id
    email: Text = None
    external_id: Text = None
    name: Text = None
    organization_id: Reference = None
    role: str = "end-user"

    @property
    def ours(self) -> bool:
        """Whether it is one of us, who answer tickets."""
        return self.role in {"agent", "admin"}


class Organization(_Part):
    """A customer; webhooks leave out `domain_names` and `organization_fields`, which records of the API have."""

    id: Id
    domain_names: list[str] = []
    external_id: Text = None
    name: Text = None
    organization_fields: dict[str, Any] = {}


def stamp(at: datetime) -> str:
    """A time in an id: to the second, as Zendesk's own records say it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def word(text: str | None) -> str:
    """Text fit for an id: short, lower case, letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", (text or "").lower()).strip("_")[:40]


def known(facts: Mapping[str, hub.Scalar]) -> dict[str, hub.Scalar]:
    """The facts that say something."""
    return {name: fact for name, fact in facts.items() if fact is not None and fact != ""}


OWN_FIELDS: Final = ("pulsehub_health", "pulsehub_band", "pulsehub_drivers", "pulsehub_risk", "pulsehub_as_of")
"""Keys of the organization fields our sink writes, and whose changes our source therefore does not tell."""
