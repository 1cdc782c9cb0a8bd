"""Parameters that many routes of the API share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

Limit = Annotated[int, Query(ge=1, le=500, description="most rows of a page")]
Cursor = Annotated[str | None, Query(max_length=2_000, description="`next` of the page before")]
Reference = Annotated[
    str,
    Path(
        description="our id, or any vendor's reference, URL-encoded (a slash in it as `%2F`)",
        examples=["acc_3f0c9e1b2a4d5e6f7081", "zendesk:organization:42"],
    ),
]
