"""Whose an event is: the same at the door, in the importer and when links are written."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hub
from hub.ingest.identity import (
    Identifiers,
    account_id,
    account_of,
    domain_of,
    identifiers_of,
    is_account_id,
    references_of,
    survivor_of,
)

AT = datetime(2026, 3, 1, tzinfo=UTC)
FREE = ["gmail.com", "yahoo.co.uk", "outlook.de", "gmx.net", "icloud.com", "proton.me", "qq.com", "web.de"]


def event(account="zendesk:organization:1", contact=None, **properties):
    return hub.Event(
        id="zendesk:1", kind="usage.tracked", account=account, contact=contact, occurred_at=AT, properties=properties
    )


def place(events):
    """Give events their accounts one after another, linking as scoring does: the first to claim a reference has it."""
    links: dict[str, str] = {}
    keyed: set[str] = set()
    accounts = []
    for one in events:
        account = account_of(identifiers_of(one), links.get, keyed.__contains__)
        accounts.append(account)
        for reference, how in references_of(one):
            if links.setdefault(reference, account) == account and how == "key":
                keyed.add(account)
    return accounts


def test_a_link_of_the_reference_decides_before_key_and_domain():
    links = {"r": "acc_r", "key:K": "acc_k", "domain:acme.com": "acc_d"}
    found = Identifiers("r", "key:K", "domain:acme.com")
    never = dict.fromkeys(()).__contains__

    assert account_of(found, links.get, never) == "acc_r"
    del links["r"]
    assert account_of(found, links.get, never) == "acc_k"
    del links["key:K"]
    assert account_of(found, links.get, never) == "acc_d"
    del links["domain:acme.com"]
    assert account_of(found, links.get, never) == account_id("key:K")
    assert account_of(Identifiers("r", None, "domain:acme.com"), links.get, never) == account_id("domain:acme.com")
    assert account_of(Identifiers("r"), links.get, never) == account_id("r")


def test_two_vendors_meet_at_one_account_by_key_in_either_order():
    one, other = (
        event("stripe:customer:cus_1", external_id="ACME-1"),
        event("salesforce:account:001", external_id="ACME-1"),
    )

    assert len(set(place([one, other]))) == 1
    assert place([one, other])[0] == place([other, one])[0]


def test_two_vendors_meet_at_one_account_by_a_persons_address_and_a_web_domain():
    one = event("zendesk:organization:42", domain="https://www.acme.co.uk/")
    other = event("segment:user:u1", contact="segment:user:u1", email="Ada@mail.acme.co.uk")

    assert len(set(place([one, other]))) == 1


def test_a_company_known_by_domain_gets_its_key_later_and_stays_one():
    assert len(set(place([event("a:1", domain="acme.com"), event("b:2", domain="acme.com", external_id="K")]))) == 1


def test_two_keys_are_two_customers_though_they_share_a_domain():
    first, second = event("a:1", domain="acme.com", external_id="EU"), event("a:2", domain="acme.com", external_id="US")

    assert len(set(place([first, second]))) == 2


def test_a_key_is_the_same_as_text_integer_and_float():
    keys = {identifiers_of(event(external_id=key)).key for key in ("42", " 42 ", 42, 42.0)}

    assert keys == {"key:42"}
    assert [identifiers_of(event(external_id=key)).key for key in (True, None, "", "  ", "x" * 300)] == [None] * 5


@pytest.mark.parametrize("domain", FREE)
def test_free_mail_tells_nothing_of_an_employer(domain):
    assert identifiers_of(event(email=f"ada@{domain}")).domain is None
    assert identifiers_of(event(domain=domain)).domain is None


def test_the_customers_domain_is_believed_before_a_persons_address():
    assert identifiers_of(event(domain="acme.com", email="ada@agency.com")).domain == "domain:acme.com"
    assert identifiers_of(event(domain="gmail.com", email="ada@acme.com")).domain == "domain:acme.com"


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("acme.com", "acme.com"),
        ("ACME.com.", "acme.com"),
        ("https://www.acme.co.uk/about?x=1#y", "acme.co.uk"),
        ("http://user:pass@shop.acme.com:8080/", "acme.com"),
        ("Ada King <ada@mail.acme.com>", "acme.com"),
        ("müller.de", "xn--mller-kva.de"),
        ("shop.github.io", "shop.github.io"),
        ("localhost", None),
        ("com", None),
        ("co.uk", None),
        ("10.0.0.1", None),
        ("http://[::1]/", None),
        ("ada@", None),
        ("", None),
        ("n/a", None),
        ("not a domain", None),
        ("a..com", None),
        ("x" * 300 + ".com", None),
        ("\ud800.com", None),
        ("\0.com", None),
    ],
)
def test_a_domain_is_read_from_what_people_write(text, domain):
    assert domain_of(text) == domain


def test_an_event_proves_its_references_key_and_domain():
    found = references_of(event(contact="zendesk:user:7", external_id="K", email="ada@acme.com"))

    assert found == [
        ("zendesk:organization:1", "record"),
        ("key:K", "key"),
        ("zendesk:user:7", "record"),
        ("domain:acme.com", "domain"),
    ]


def test_our_own_events_name_accounts_and_prove_nothing():
    ours = account_id("domain:acme.com")

    assert is_account_id(ours)
    assert references_of(event(ours, external_id="K", domain="acme.com")) == []
    assert account_of(identifiers_of(event(ours)), {}.get, {}.__contains__) == ours
    assert not is_account_id("acc_short")
    assert not is_account_id("acc_" + "g" * 20)


def test_merges_are_followed_to_the_end_and_a_circle_ends():
    assert survivor_of("a", {"a": "b", "b": "c"}) == "c"
    assert survivor_of("a", {}) == "a"
    assert survivor_of("a", {"a": "b", "b": "a"}) == "b"
    assert survivor_of("a", {"a": "a"}) == "a"


names = st.sampled_from(["acme", "globex", "initech", "umbrella"])


@st.composite
def sightings(draw):
    """Events of a few companies, each naming its company fully but by some vendor's reference of it."""
    company = draw(names)
    vendor = draw(st.sampled_from(["zendesk", "stripe", "segment"]))
    return company, event(f"{vendor}:{company}", external_id=company.upper(), domain=f"{company}.com")


@given(st.lists(sightings(), max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(seen, chance: random.Random):
    shuffled = seen.copy()
    chance.shuffle(shuffled)

    placed = dict(zip([e.account for _, e in seen], place([e for _, e in seen]), strict=True))
    again = dict(zip([e.account for _, e in shuffled], place([e for _, e in shuffled]), strict=True))
    assert placed == again
    assert len(set(placed.values())) == len({company for company, _ in seen})


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from(FREE)), max_size=30))
def test_free_mail_never_makes_two_companies_one(people):
    events = [event(f"stripe:customer:{n}", email=f"p{n}@{domain}") for n, domain in people]

    assert len(set(place(events))) == len({e.account for e in events})


@given(st.text(max_size=80))
def test_any_text_may_stand_for_a_domain(text):
    found = domain_of(text)
    assert found is None or domain_of(found) == found


@given(st.text(max_size=300))
def test_any_reference_has_an_account_id(text):
    assert is_account_id(account_id(text))
