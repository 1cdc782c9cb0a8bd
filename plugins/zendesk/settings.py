"""What an operator says about a Zendesk account."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

import hub


def _address(value: str) -> str:
    """An https address without path; plain http only on this machine, where the sandbox lives."""
    parts = urlsplit(value)
    local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise ValueError("must look like https://acme.zendesk.com")
    return f"{parts.scheme}://{parts.netloc}"


class ZendeskSettings(hub.VendorSettings):
    """`PULSEHUB_ZENDESK_*`: a signing secret makes a source; address, e-mail and token make a sink."""

    prefix: ClassVar[str] = "PULSEHUB_ZENDESK_"

    connection: str = Field("zendesk", pattern=r"^[a-z][a-z0-9-]*$", description="name of this connection")
    signing_secret: hub.Secrets = Field((), description="of the webhook, from Admin Center; several while rotating")
    tolerance: float = Field(300.0, gt=0, description="seconds a signature's stamp may be off our clock")
    url: Annotated[str, AfterValidator(_address)] | None = Field(None, description="https://acme.zendesk.com")
    email: str = Field("", description="of the agent the API token belongs to")
    token: SecretStr | None = Field(None, description="API token, to write organization fields")
    # Zendesk holds 30 jobs at once, queued or running, and refuses more; each call begins one
    per_minute: int = Field(30, ge=1, description="calls that write organizations, 100 each, in any minute")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        sink = {"URL": self.url, "EMAIL": self.email, "TOKEN": self.token}
        if any(sink.values()):
            for key, value in sink.items():
                if not value:
                    raise hub.ConfigError(
                        f"{self.prefix}{key} is not set, and writing to Zendesk needs it beside "
                        + ", ".join(self.prefix + other for other in sink if other != key)
                    )
        elif not self.signing_secret:
            raise hub.ConfigError(f"{self.prefix}SIGNING_SECRET is not set, and the other {self.prefix}* need it")
        return self
