"""Segment: what people do in the product, and so whether it is worth its price to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import hub
from plugins.segment.settings import SegmentSettings
from plugins.segment.source import Segment


@hub.hookimpl
def register_sources(settings: Mapping[str, str]) -> Iterable[hub.Source]:
    """Take Segment's tracking API's place where a write key is set."""
    return [Segment(ours)] if (ours := SegmentSettings.read(settings)) else []


@hub.hookimpl
def register_sandboxes() -> Iterable[hub.Sandbox]:
    """A product whose people click when told to."""
    from plugins.segment.sandbox import SegmentSandbox  # noqa: PLC0415 - an installation never loads it

    return [SegmentSandbox()]
