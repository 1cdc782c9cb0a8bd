"""Settings of a Segment connection."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

import hub


def _names(value: object) -> object:
    if isinstance(value, str):
        return frozenset(name.strip().casefold() for name in value.split(",") if name.strip())
    return value


class SegmentSettings(hub.VendorSettings):
    """Read from `PULSEHUB_SEGMENT_*`."""

    prefix: ClassVar[str] = "PULSEHUB_SEGMENT_"

    connection: str = Field("segment", min_length=1, max_length=32, description="the name in /in/{connection}")
    write_key: hub.Secrets = Field(
        min_length=1,
        description="what your clients show as their write key; several, comma-separated, while one is being rotated",
    )
    signing_secret: hub.Secrets = Field(
        default=(),
        description="the shared secret of a webhook destination in Segment, where single events may come signed",
    )
    group_is_external_id: bool = Field(
        default=True,
        description="whether your groupId is the key you know a customer by in every system",
    )
    sessions: Annotated[frozenset[str], BeforeValidator(_names)] = Field(
        default=frozenset({"session started", "signed in", "logged in", "user logged in", "application opened"}),
        description="names of events that say somebody came to the product, comma-separated; case does not matter",
    )
