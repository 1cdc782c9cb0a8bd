"""What an operator says about a Salesforce organization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

import hub

FieldName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")]


def _address(value: str) -> str:
    """An https address without path; plain http only on this machine, where the sandbox lives."""
    parts = urlsplit(value)
    local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise ValueError("must look like https://acme.my.salesforce.com")
    return f"{parts.scheme}://{parts.netloc}"


class SalesforceSettings(hub.VendorSettings):
    """`PULSEHUB_SALESFORCE_*`: secrets of what is pushed to us make a source, a connected app makes a sink."""

    prefix: ClassVar[str] = "PULSEHUB_SALESFORCE_"

    connection: str = Field("salesforce", pattern=r"^[a-z][a-z0-9-]*$", description="name of this connection")
    signing_secret: hub.Secrets = Field((), description="that signs what Apex or a flow pushes; several while rotating")
    tolerance: float = Field(300.0, gt=0, description="seconds a signature's stamp may be off our clock")
    address_key: hub.Secrets = Field((), description="`?key=` in the address of outbound messages, which nobody signs")
    organization_id: str = Field(
        "", pattern=r"^(00D[A-Za-z0-9]{12}([A-Za-z0-9]{3})?)?$", description="whose outbound messages are taken"
    )
    user_id: str = Field(
        "",
        pattern=r"^(005[A-Za-z0-9]{12}([A-Za-z0-9]{3})?)?$",
        description="the user our connected app runs as; outbound messages it caused are our own echo",
    )
    url: Annotated[str, AfterValidator(_address)] | None = Field(None, description="https://acme.my.salesforce.com")
    client_id: str = Field("", description="of the connected app; its client credentials flow is switched on")
    client_secret: SecretStr | None = Field(None, description="of the connected app")
    api_version: str = Field("61.0", pattern=r"^[0-9]{2,3}\.0$", description="of the REST API")
    external_id_field: FieldName = Field("Pulsehub_Key__c", description="external id on Account: your customer's key")
    plan_field: FieldName = Field("Plan__c", description="on Account: what the customer is subscribed to")
    renewal_field: FieldName = Field("Renewal_Date__c", description="on Account: when the contract ends")
    contract_amount_field: FieldName = Field("Amount__c", description="on Contract: what a renewal is worth")
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="where a record says none: single-currency orgs")
    # an organization has about 100,000 calls a day for all its programs; this makes 43,200 at most
    per_minute: int = Field(60, ge=1, description="calls that write accounts, 200 each, in any minute; on average half")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        sink = {"URL": self.url, "CLIENT_ID": self.client_id, "CLIENT_SECRET": self.client_secret}
        outbound = {"ADDRESS_KEY": self.address_key, "ORGANIZATION_ID": self.organization_id}
        self._all_or_none(sink, "writing to Salesforce")
        self._all_or_none(outbound, "taking outbound messages")
        if not (self.signing_secret or self.address_key or self.url):
            raise hub.ConfigError(
                f"{self.prefix}SIGNING_SECRET is not set, and the other {self.prefix}* settings need it"
            )
        return self

    def _all_or_none(self, together: Mapping[str, object], purpose: str) -> None:
        missing = [self.prefix + key for key, value in together.items() if not value]
        if 0 < len(missing) < len(together):
            raise hub.ConfigError(f"{missing[0]} is not set, and {purpose} needs it")
