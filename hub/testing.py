"""The contracts a connector's tests inherit; needs pytest and Hypothesis, which an installation has not."""

from hub.sdk.testing.expert import ExpertContract
from hub.sdk.testing.hostile import hostile_bodies
from hub.sdk.testing.sandbox import EXAMPLES, SandboxContract
from hub.sdk.testing.sink import SinkContract
from hub.sdk.testing.source import SourceContract, check_event, listen

__all__ = [
    "EXAMPLES",
    "ExpertContract",
    "SandboxContract",
    "SinkContract",
    "SourceContract",
    "check_event",
    "hostile_bodies",
    "listen",
]
