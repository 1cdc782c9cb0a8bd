"""About sixty companies, told straight to the tables: what pages look like when a business is in them."""

import json
import random
from collections import deque
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import msgspec
from sqlalchemy import insert

from hub.sdk.events import Event
from hub.sdk.health import Driver, Health
from hub.store import schema
from hub.store.questions.tree import rollup
from scoring.growth import Outlook
from scoring.loading import load
from scoring.overrides import current
from scoring.sources import Told
from scoring.value.kept import value_all
from scoring.value.settings import Valuing
from tests.web.standing import stand

NOW = 1_789_383_600.0  # Monday 14 September 2026, 11:00 UTC
DAY = 86_400.0
HOSTILE = '<script>window.hacked=1</script>"><img src=x onerror=window.hacked=1> & Söhne'
NAMES = """Northwind Traders|Aurelia Foods|Brightside Logistics|Calder & Finch|Dovetail Studio|Eastgate Clinics
Fjord Energy|Granite Peak Outfitters|Halcyon Travel|Ironbridge Capital|Juniper Books|Kestrel Robotics
Lumen Optics|Maple Row Bakery|Nimbus Weather|Orchard Street Hotels|Pinnacle Dental|Quarry Lane Press
Ravenswood Games|Saltbox Ceramics|Tidewater Shipping|Umbra Lighting|Verdant Seeds|Willowbrook Schools
Xylo Instruments|Yarrow Botanicals|Zephyr Airlines|Alder Legal|Birchwood Homes|Cinder Coffee
Driftwood Surf|Elm & Oak Joinery|Foxglove Pharma|Gull Harbor Marina|Hearthstone Ovens|Indigo Textiles
Jasper Mining|Kiln House|Larkspur Media|Meridian Freight|Nettle Software|Osprey Security
Pebble Pay|Quill Insurance|Redstart Mobility|Sable Fashion|Thistle Care|Upland Dairy
Vesper Analytics|Wren Hospitality|Yonder Tours|Zinnia Florists|Amber Road Trading|Basalt Construction
Copperfield Audio|Dunmore Distillery|Ember Fitness|Falcon Couriers|Gable Architects|Harrow Education"""
OWNERS = ["Ada Berg", "Jonas Lindqvist", "Priya Raman", "Tom Okafor", "Mei Tanaka"]
PEOPLE = [
    "Elena Ruiz",
    "Sam Whitaker",
    "Ngozi Adeyemi",
    "Lars Holm",
    "Hana Kim",
    "Paul Mercier",
    "Ivy Chen",
    "Omar Haddad",
]
_PROPERTIES = {
    "ticket.opened": {"priority": "urgent", "status": "open"},
    "usage.tracked": {"event": "Report exported"},
    "invoice.paid": {"subscription": "zendesk:subscription:7"},
}
BAD = [
    (
        "open_urgent_tickets",
        "{n} urgent tickets open",
        "support",
        "ticket.opened",
        "Export has been failing since Friday",
    ),
    ("failed_payments", "{n} payments failed this month", "billing", "invoice.failed", None),
    ("days_since_login", "nobody signed in for {n} days", "adoption", "session.started", None),
    ("usage_trend", "usage down {n} % against last month", "adoption", "usage.tracked", None),
    ("csat", "last rating {n} of 5", "sentiment", "csat.rated", "Slow answers, and the answer did not help"),
    ("champion_left", "main contact left {n} days ago", "relationship", "contact.left", None),
]
GOOD = [
    ("invoices_paid", "paid {n} invoices in a row", "billing", "invoice.paid", None),
    ("active_people", "{n} people active this month", "adoption", "usage.tracked", None),
    ("expansion", "pays {n} % more than last quarter", "billing", "subscription.changed", None),
    ("meetings", "{n} meetings this quarter", "relationship", "meeting.held", None),
    ("nps", "recommends us with {n} of 10", "sentiment", "survey.answered", "The new reports saved us a day a week"),
    ("tickets_solved", "{n} tickets solved within a day", "support", "ticket.solved", None),
]


OUTLOOK = Outlook(
    measure="mrr",
    by=0.1,
    days=60.0,
    chance=0.081,
    usual=0.055,
    drivers=[Driver("active_people", "7 people active this month", 2.3, "adoption")],
    rest=0.3,
    labels=812,
    missing=0,
)


def band(health):
    return "thriving" if health >= 80 else "steady" if health >= 60 else "watch" if health >= 40 else "at_risk"


def companies():
    return [name.strip() for name in NAMES.replace("\n", "|").split("|")] + [HOSTILE]


def fill(database, *, number=None, now=NOW, seed=7, history=True):
    """Write companies; more than sixty repeat the names with a number. Returns their ids."""
    chance = random.Random(seed)
    names = companies()
    number = number or len(names)
    rows = {table: [] for table in schema.metadata.tables}
    rows["labels"] = [
        {
            "account": f"acc_{n:020x}",
            "at": float(n),
            "matured_at": now,
            "lost": int(n % 9 == 0),
            "predictions": "{}",
            "taught": 12,
        }
        for n in range(428 if history else 0)
    ]
    ids = []
    for n in range(number):
        name = names[n % len(names)] + (f" {n // len(names) + 1}" if n >= len(names) else "")
        ids.append(_company(rows, chance, n, name, now, history=history))
    _way(rows, chance, ids, now)

    def write(connection):
        for name, found in rows.items():
            if found:
                connection.execute(insert(schema.metadata.tables[name]), found)

    database.write(write).result()
    if history:
        stand(database, ids[0], now)
        deque(value_all(database, load(), Valuing(), now=now, wall=now), maxlen=0)
    return ids


def _company(rows, chance, n, name, now, *, history):
    key = f"acc_{n:020x}"
    slug = "".join(c for c in name.lower() if c.isalnum())[:20]
    domain = f"{slug}.com"
    mood = chance.choices(["good", "fine", "bad", "falling", "rising"], [34, 42, 6, 8, 10])[0]
    course = _course(chance, mood, now, steps=46 if history else 3)
    mrr = round(chance.lognormvariate(7.4, 0.9), -1)
    was = None
    for step, (at, health, changes, causes) in enumerate(course):
        moved = [Driver(d[0], d[1], change, d[2]) for d, change in changes]
        drivers = _drivers(chance, health) if step == len(course) - 1 else moved
        message = Health(
            account=key,
            at=at,
            health=health,
            band=band(health),
            risk=max(0.003, (100 - health) / 100 * 0.6) ** 1.5,
            base=70.0,
            drivers=drivers,
            rest=round(health - 70.0 - sum(d.points for d in drivers), 4),
            was=was,
            was_band=None if was is None else band(was),
            moved_by=moved,
            causes=[f"zendesk:{key}:{step}:{i}" for i in range(len(causes))],
            config_version="c1",
            model_version=12,
            name=name,
        )
        rows["ledger"].append(
            {
                "partition": n % 8,
                "sequence": n // 8 * 100 + step + 1,
                "account": key,
                "at": at,
                "health": health,
                "was": was,
                "band": band(health),
                "was_band": message.was_band,
                "message": msgspec.json.encode(message),
            }
        )
        for i, cause in enumerate(causes if history else ()):
            _happened(rows, f"zendesk:{key}:{step}:{i}", cause, at - 2 - i, chance)
        was = health
    if history:
        for _ in range(40):
            at = now - chance.random() * 60 * DAY
            _happened(rows, f"segment:{key}:{chance.random()}", GOOD[1], at, chance)
    rows["accounts"].append(
        {
            "id": key,
            "partition": n % 8,
            "state": b"\0" * 512,
            "scored_at": course[-1][0],
            "last_event_at": course[-1][0],
            "health": course[-1][1],
            "band": band(course[-1][1]),
            "risk": message.risk,
            "driver": message.drivers[0].text,
            "model_version": 12,
        }
    )
    nameless = n % 60 == 59
    renewal = datetime.fromtimestamp(now, UTC).date() + timedelta(days=chance.randrange(3, 360))
    rows["profiles"].append(
        {
            "account": key,
            "name": None if nameless else name,
            "domain": None if nameless else domain,
            "owner": chance.choice(OWNERS) if chance.random() < 0.92 else None,
            "owner_email": None,
            "renewal_on": renewal.isoformat(),
            "mrr": mrr,
            "currency": "EUR",
            "parent": None,
            "merged_into": None,
            "facts": json.dumps({"plan": [now, "x", "Business"], "industry": [now, "x", "Retail"]}),
        }
    )
    references = [f"zendesk:organization:{1000 + n}", f"salesforce:account:001{n:06d}", f"segment:group:{slug}/{n}"]
    for reference in references:
        rows["links"].append({"reference": reference, "account": key, "how": "record", "at": now - 80 * DAY})
    if history:
        _around(rows, chance, n, domain, course[-1][1])
    return key


def _around(rows, chance, n, domain, health):
    key, now = rows["accounts"][-1]["id"], NOW
    for who in chance.sample(PEOPLE, 3):
        mail = who.lower().replace(" ", ".")
        rows["contacts"].append(
            {
                "reference": f"segment:user:{n}-{mail}",
                "account": key,
                "name": who,
                "email": f"{mail}@{domain}",
                "last_seen_at": now - chance.random() * 20 * DAY,
                "facts": json.dumps({"role": [now, "x", "Head of operations"]}),
            }
        )
    for i in range(chance.randrange(4)):
        rows["entities"].append(
            {
                "account": key,
                "reference": f"zendesk:ticket:{n}{i:02d}",
                "kind": "ticket",
                "state": msgspec.json.encode(
                    {
                        "kind": "ticket",
                        "status": [now - DAY, "e1", chance.choice(["open", "closed"])],
                        "priority": [now - DAY, "e1", chance.choice(["urgent", "normal"])],
                    }
                ),
            }
        )
    rows["entities"].append(
        {
            "account": key,
            "reference": f"stripe:subscription:sub_{n}",
            "kind": "subscription",
            "state": msgspec.json.encode(
                {
                    "kind": "subscription",
                    "status": [now, "e2", "open"],
                    "amount": [now, "e2", 4200.0],
                    "currency": "EUR",
                }
            ),
        }
    )
    shown = json.dumps({"Health__c": round(health), "Health_Band__c": band(health), "Health_Reason__c": "usage fell"})
    for sink, target in (("salesforce", f"001{n:06d}"), ("zendesk", str(1000 + n))):
        rejected = n % 17 == 3 and sink == "salesforce"
        rows["desired"].append(
            {
                "sink": sink,
                "account": key,
                "sequence": 50,
                "target": target,
                "fields": shown,
                "shown": None if rejected else shown,
                "shown_at": None if rejected else now - chance.random() * 40_000,
                "state": "rejected" if rejected else "shown",
                "attempts": 1,
                "next_at": 0,
                "reason": "FIELD_CUSTOM_VALIDATION_EXCEPTION: Health__c is locked for closed accounts"
                if rejected
                else None,
            }
        )


def _course(chance, mood, now, *, steps):
    start = {"good": 84, "fine": 70, "bad": 44, "falling": 78, "rising": 45}[mood] + chance.gauss(0, 6)
    drift = {"good": 0.05, "fine": 0.0, "bad": -0.3, "falling": -0.9, "rising": 0.8}[mood]
    health, home, found = start, {"falling": 34, "rising": 76, "bad": 38}.get(mood, start), []
    moments = sorted(now - 90 * DAY * chance.random() ** 1.5 for _ in range(steps - 1))
    moments.append(now - chance.random() * DAY * (0.9 if chance.random() < 0.5 else 4))
    for at in sorted(moments):
        change = (
            chance.gauss(drift, 2.4)
            + (home - health) * 0.08
            + (chance.choice([-11, -8, 7]) if chance.random() < 0.1 else 0)
        )
        after = min(96.0, max(6.0, health + change))
        change = after - health
        told = chance.choice(BAD if change < 0 else GOOD)
        cause = (told[0], told[1].replace("{n}", str(chance.randrange(2, 14))), *told[2:])
        found.append((at, after, [(cause, change)], [cause]))
        health = after
    return found


def _drivers(chance, health):
    points = health - 70.0
    picked = [*chance.sample(BAD, 3), *chance.sample(GOOD, 3)]
    shares = [-abs(chance.gauss(4, 3)) for _ in range(3)] + [abs(chance.gauss(3, 2)) for _ in range(3)]
    shares[0 if points < 0 else 3] += points - sum(shares) * 0.9
    found = [
        Driver(p[0], p[1].replace("{n}", str(chance.randrange(2, 14))), s, p[2])
        for p, s in zip(picked, shares, strict=True)
    ]
    return sorted(found, key=lambda d: -abs(d.points))


def _happened(rows, event_id, cause, at, chance):
    account, who = event_id.split(":")[1], chance.choice(PEOPLE)
    _, _, _, kind, text = cause
    connection = event_id.split(":", 1)[0]
    money = kind.startswith(("invoice", "subscription"))
    event = Event(
        id=event_id,
        kind=kind,
        account=f"{connection}:organization:1",
        occurred_at=datetime.fromtimestamp(at, UTC),
        connection=connection,
        received_at=datetime.fromtimestamp(at + 1, UTC),
        entity=f"{connection}:ticket:{chance.randrange(999)}" if kind.startswith("ticket") else None,
        contact=f"{connection}:user:{chance.randrange(99)}",
        amount=Decimal("1240.00") if money else None,
        currency="EUR" if money else None,
        value=float(chance.randrange(1, 6)) if kind in ("csat.rated", "survey.answered") else None,
        text=text if chance.random() < 0.95 else HOSTILE,
        properties={"contact_name": who, **_PROPERTIES.get(kind, {})},
    )
    rows["archive"].append(
        {
            "account": account,
            "occurred_at": at,
            "received_at": at + 1,
            "kind": kind,
            "connection": connection,
            "event": event_id,
            "body": msgspec.json.encode(event),
        }
    )


def _way(rows, chance, ids, now):
    for n, account in enumerate(ids[:200]):
        for _ in range(2):
            sink = chance.choice(["salesforce", "salesforce", "zendesk", "email"])
            outcome = chance.choices(["ok", "retry", "reject"], [92, 5, 3])[0]
            rows["receipts"].append(
                {
                    "at": now - chance.random() * 30_000,
                    "sink": sink,
                    "account": account,
                    "key": f"{sink}:{account}:{n}",
                    "outcome": outcome,
                    "reason": {"ok": None, "retry": "503: try again later", "reject": "INVALID_FIELD: Health__c"}[
                        outcome
                    ],
                    "attempt": 1 if outcome != "retry" else 2,
                    "took": 0.08 + chance.random() * 0.4,
                    "fields": json.dumps({"Health__c": 41, "Health_Band__c": "watch"}),
                }
            )
    for n, account in enumerate(ids[:6]):
        rows["alerts"].append(
            {
                "sink": "email",
                "key": f"alert:{account}:at_risk:{n}",
                "account": account,
                "target": "ada@pulsehub.test",
                "body": json.dumps({"subject": "Fell to 38 (at risk): 3 urgent tickets open"}),
                "state": "sent",
                "job": None,
                "attempts": 1,
                "next_at": 0,
                "at": now - n * DAY,
                "reason": None,
            }
        )
    for sink in ("salesforce", "zendesk", "email"):
        rows["destinations"].append(
            {"sink": sink, "paused": 0, "reason": None, "open_until": 0, "failures": 0},
        )
    reasons = [
        ("stripe", "normalize", "invoice has no customer"),
        ("zendesk", "normalize", "ticket 4411: created_at is not a time: 'yesterday'"),
        ("segment", "apply", "occurred_at lies 4 days in the future"),
        ("salesforce", "deliver", "FIELD_CUSTOM_VALIDATION_EXCEPTION: Health__c is locked for closed accounts"),
    ]
    for n in range(9):
        connection, stage, reason = reasons[n % 4]
        rows["dead_letters"].append(
            {
                "id": f"{connection}/events:3:{n}",
                "at": now - n * 5_000 - 600,
                "stage": stage,
                "connection": connection,
                "reason": reason,
                "version": "0.1.0",
                "context": json.dumps({"path": f"/in/{connection}", "partition": 3, "offset": n}),
                "body": b'{"type": "invoice.paid", "note": "<b>not bold</b>"}' if n else b"\x00\xff\xfe not text",
                "state": "open" if n < 6 else "replayed",
            }
        )
    for partition in range(8):
        rows["offsets"].append(
            {
                "room": "scoring.rescore",
                "topic": "events",
                "partition": partition,
                "next": 1000 + partition,
                "applied": 980,
                "duplicates": 14,
                "dead_lettered": 1,
                "forwarded": 0,
                "epoch": 3,
            }
        )


def explain(connection, account):
    """What the scoring room's own function gives, from the ledger alone."""
    found = connection.execute(
        schema.ledger.select()
        .where(schema.ledger.c.account == account)
        .order_by(schema.ledger.c.at.desc(), schema.ledger.c.sequence.desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    health = msgspec.json.decode(bytes(found.message), type=Health)
    rest = [Driver("rest", "everything else", health.rest, "")] if abs(health.rest) > 1e-9 else []
    at = found.at
    return SimpleNamespace(
        health=health.health,
        band=health.band,
        risk=health.risk,
        base=health.base,
        drivers=[*health.drivers, *rest],
        measures=[
            SimpleNamespace(
                name="logins_30d", label="Sign-ins in 30 days", value=42.0, unit="", dimension="adoption", as_of=at
            ),
            SimpleNamespace(
                name="active_people",
                label="People active in 28 days",
                value=7.4,
                unit="people",
                dimension="adoption",
                as_of=at - 9000,
            ),
            SimpleNamespace(
                name="open_tickets", label="Open tickets", value=3.0, unit="", dimension="support", as_of=at - 400
            ),
            SimpleNamespace(
                name="mrr", label="Monthly revenue", value=4200.0, unit="EUR", dimension="billing", as_of=at - DAY
            ),
            SimpleNamespace(
                name="csat", label="Last rating", value=None, unit="of 5", dimension="sentiment", as_of=None
            ),
        ],
        as_of=at,
        config_version="c1",
        model_version=12,
        computed=health.health if health.computed is None else health.computed,
        card=health.card,
        confidence=0.75,
        sources=[Told("zendesk", at - 400, at, silent=False), Told("stripe", at - DAY, at - 9 * DAY, silent=True)],
        rollup=rollup(connection, account, "value"),
        override=current(connection, account, at),
        outlook=OUTLOOK,
        left=None,
    )
