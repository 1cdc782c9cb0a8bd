"""Alive, able, and in numbers: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import TimeoutError as TooLateError
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from hub.store.questions import portfolio, way
from hub.web.page import Site

_PATIENCE = 2.0  # seconds the database's writer has to answer


def router(site: Site) -> APIRouter:
    """The routes that machines ask."""
    routes = APIRouter(tags=["operation"])
    registry = CollectorRegistry()
    registry.register(_Facts(site))

    @routes.get("/healthz", summary="Alive?")
    def healthz() -> dict[str, str]:
        """Answers as long as the process serves requests."""
        return {"status": "ok"}

    @routes.get("/readyz", summary="Able?", responses={503: {"description": "Not able; `reasons` says why"}})
    def readyz() -> Response:
        """Whether the database answers, its writer lives, and no stream stands still."""
        reasons = _reasons(site)
        status = {"status": "not ready" if reasons else "ok", "reasons": reasons}
        return JSONResponse(status, 503 if reasons else 200)

    @routes.get("/metrics", summary="In numbers, for Prometheus", response_class=Response)
    def metrics() -> Response:
        """Counters and gauges in Prometheus' text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes


def _reasons(site: Site) -> list[str]:
    context = site.context
    found = [f"{halt.room} stands still: {halt.reason}" for halt in context.halted()]
    found += context.ready()
    try:
        with context.database.read() as connection:
            connection.execute(text("select 1"))
        context.database.write(lambda _: None).result(_PATIENCE)
    except TooLateError:
        found.append("the database's writer does not answer")
    except SQLAlchemyError as error:
        found.append(f"the database does not answer: {type(error).__name__}")
    return found


class _Facts(Collector):
    """Asks when it is scraped; keeps nothing."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def describe(self) -> Iterator[Metric]:
        """Names are known without asking the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Everything worth a graph or an alarm."""
        context = self._site.context
        yield from _books(context.counters())
        yield _gauge("pulsehub_room_lag_records", "Records a room has not yet taken", "room", context.lag())
        yield _gauge("pulsehub_topic_records_per_second", "Over the last minute", "topic", context.rates())
        halted = GaugeMetricFamily("pulsehub_rooms_halted", "Rooms that stand still")
        halted.add_metric([], len(context.halted()))
        yield halted
        with context.database.read() as connection:
            spread = portfolio.spread(connection)
            places = way.every_destination(connection, context.now())
            letters = way.letters_by_connection(connection)
        bands: dict[str, float] = {band or "unscored": number for band, number in spread.by_band.items()}
        yield _gauge("pulsehub_accounts", "Customers by band", "band", bands)
        yield _gauge("pulsehub_dead_letters_open", "Dead letters that wait for a person", "connection", letters)
        states = GaugeMetricFamily("pulsehub_delivery_records", "Records and alerts by state", labels=["sink", "state"])
        paused = GaugeMetricFamily("pulsehub_destination_paused", "1 while a destination is paused", labels=["sink"])
        for place in places:
            paused.add_metric([place.sink], float(place.paused))
            for state, number in place.states.items():
                states.add_metric([place.sink, state], number)
        yield states
        yield paused


def _books(books: Any) -> Iterator[Metric]:
    for name, says in (
        ("received", "Events the door acknowledged"),
        ("applied", "Events applied to an account"),
        ("duplicates", "Events that were known already"),
        ("dead_lettered", "Records that could not be taken"),
        ("forwarded", "Events passed on to the account theirs was merged into"),
    ):
        counter = CounterMetricFamily(f"pulsehub_events_{name}", says)
        counter.add_metric([], books.get(name, 0))
        yield counter
    pending = GaugeMetricFamily("pulsehub_events_pending", "Events on the log that scoring has not taken")
    pending.add_metric([], books.get("pending", 0))
    yield pending


def _gauge(name: str, says: str, label: str, values: Any) -> Metric:
    gauge = GaugeMetricFamily(name, says, labels=[label])
    for key, value in values.items():
        gauge.add_metric([key], value)
    return gauge
