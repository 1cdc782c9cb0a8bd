"""The Faust transport over our log on Kafka: chosen topics by the batch, ordinary ones by the message.

Handed to our own apps only; `faust.App(broker="kafka://...")` of anybody else gets Faust's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import aiokafka
from faust.transport import base

from hub.streams.batches import Batched
from hub.streams.kafka.consumer import Consumer
from hub.streams.kafka.log import KafkaLog
from hub.streams.kafka.producer import Producer


class Transport(base.Transport):  # type: ignore[misc]
    """One app's way to the log.

    Args:
        args: as Faust gives them: URLs, app, loop.
        log: the open log; it stays open.
        batched: by our topics' names, who reads them in batches.
    """

    Consumer: ClassVar[Any] = Consumer
    Producer: ClassVar[Any] = Producer
    default_port = 9092
    driver_version = f"aiokafka={aiokafka.__version__}"

    def __init__(self, *args: Any, log: KafkaLog, batched: Mapping[str, Batched], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.log = log
        self.batched = {log.named(topic): reader for topic, reader in batched.items()}
