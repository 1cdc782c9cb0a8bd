"""Settings of a Stripe connection."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

import hub


class StripeSettings(hub.VendorSettings):
    """Read from `PULSEHUB_STRIPE_*`."""

    prefix: ClassVar[str] = "PULSEHUB_STRIPE_"

    connection: str = Field("stripe", min_length=1, max_length=32, description="the name in /in/{connection}")
    signing_secret: hub.Secrets = Field(
        min_length=1,
        description="the webhook endpoint's `whsec_...`; several, comma-separated, while one is being rotated",
    )
    tolerance_seconds: int = Field(
        300, ge=1, le=86_400, description="how far a signature's stamp may be off, either way"
    )
    external_id_key: str = Field(
        "external_id",
        min_length=1,
        description="the metadata key in which your customers carry the key you know them by everywhere",
    )
