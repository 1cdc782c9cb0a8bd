from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.sentiment.intent import INTENTS
from scoring.sentiment.lexicon import LANGUAGES, entries, lexicon
from scoring.sentiment.reading import read
from scoring.sentiment.said import LONGEST, said
from scoring.sentiment.tokens import tokens


def polarity(text):
    return read(text).polarity


@pytest.mark.parametrize(
    ("good", "turned"),
    [
        ("I am happy with it.", "I am not happy with it."),
        ("Es funktioniert.", "Es funktioniert seit gestern leider nicht."),
        ("Je suis content.", "Je ne suis pas content."),
        ("Estoy contento.", "No estoy contento."),
        ("Sono contento.", "Non sono contento."),
        ("Ik ben tevreden.", "Ik ben niet tevreden."),
    ],
)
def test_a_no_turns_what_it_stands_with(good, turned):
    assert polarity(good) > 0.25
    assert polarity(turned) < -0.25


def test_two_words_of_no_in_one_sentence_are_one_no():
    assert polarity("No tengo ninguna queja.") > 0.25
    assert polarity("Non abbiamo nessun problema.") > 0.25


def test_a_no_ends_with_its_clause():
    assert polarity("It is not expensive, and support is great.") > 0.25


def test_after_a_but_comes_what_is_meant():
    assert polarity("The people are friendly, but it is broken.") < -0.25
    assert polarity("It was slow, but now it is perfect.") > 0.25


def test_politeness_is_no_praise_and_no_complaint():
    for text in ("Thanks in advance!", "Hello, hope you are well. Kind regards"):
        assert abs(polarity(f"Where is the invoice? {text}")) < 0.25, text
    assert abs(polarity("Wo ist die Rechnung? Vielen Dank im Voraus, mit freundlichen Grüßen")) < 0.25
    assert read("Could you please tell me how it works? Many thanks").intent == "question"


def test_thanks_and_nothing_else_are_praise():
    assert read("Thank you!").intent == read("Vielen Dank!").intent == "praise"


def test_praise_in_the_midst_of_trouble_is_irony():
    assert polarity("Great. The server is down again and nobody answers.") < -0.25


def test_a_trouble_that_is_gone_is_none():
    assert polarity("The error is gone.") > -0.25


def test_a_text_of_a_language_we_do_not_read_is_said_to_be_unknown():
    for text in (
        "Não consigo abrir o sistema, está muito lento.",
        "\u041d\u0435 \u0440\u0430\u0431\u043e\u0442\u0430\u0435\u0442",
        "システムが動きません",
        "Nie działa",
    ):
        assert read(text).language == "unknown"
        assert read(text).confidence <= 0.4


def test_what_others_wrote_is_not_the_customers():
    mail = "It works perfectly now.\n\nOn Mon, 2 Mar 2026 at 10:01, Support <help@us.example> wrote:\n> Is it broken?"
    assert said(mail) == "It works perfectly now."
    assert read(mail).polarity > 0.25
    assert said("Kaputt.\n\nAm 2. März 2026 um 10:01 schrieb Ada <ada@us.example>:\n\nSuper!") == "Kaputt."
    assert said("Cassé.\n\nLe lun. 2 mars 2026 à 10:01, Ada a écrit :\n> Super !") == "Cassé."
    assert said("Broken.\n-----Original Message-----\nFrom: us\nGreat news") == "Broken."
    assert said("Broken.\nKind regards,\nEva\nGreat & Fantastic Ltd") == "Broken."
    assert said("> all of it is quoted") == ""
    assert read("> all of it is quoted") is None


def test_markup_links_and_what_cannot_be_seen_are_not_read():
    page = "<html><style>.bad{color:red}</style><script>crash()</script><p>All <b>good</b> &amp; fine</p></html>"
    assert said(page) == "All good & fine"
    assert said("see https://bad.example/broken?error=500 now") == "see now"
    assert said("gr\u200beat\u202e\x00") == "great"


def test_a_text_without_a_word_says_nothing():
    for text in ("", " \n", "\x00\x01", "<p></p>"):
        assert read(text) is None, text


@given(st.text(max_size=400))
def test_any_text_is_read_within_bounds(text):
    reading = read(text)
    if reading is not None:
        assert reading.language in (*LANGUAGES, "unknown")
        assert reading.intent in INTENTS
        assert -1.0 <= reading.polarity <= 1.0
        assert 0.0 <= reading.confidence <= 1.0
        assert 0.0 <= reading.language_confidence <= 1.0


@pytest.mark.parametrize(
    "text",
    [
        "a" * 5_000_000,
        "> " * 1_000_000,
        "<" * 1_000_000,
        "<a " * 500_000,
        "<!--" * 300_000,
        "On " * 500_000,
        "\n" * 1_000_000,
        "very " * 500_000,
        "not good " * 300_000,
        "\u202e\x00😀" * 300_000,
        "&amp;" * 300_000,
        "\ufdfa" * 500_000,
        "Z" + "\u0301" * 500_000,
        "www." * 300_000,
        "x@" * 300_000,
        "From: a\n" * 200_000,
        "\ud800broken\udfff" * 1000,
    ],
    ids=lambda text: ascii(text[:6]),
)
def test_a_hostile_text_costs_no_more_than_a_long_one(text):
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 0.5
    assert len(said(text)) <= LONGEST


def test_every_file_of_words_can_be_read_and_says_each_thing_once():
    for language in LANGUAGES:
        assert lexicon(language) is lexicon(language)
        seen = list(entries(language))
        twice = {(head, words) for head, words in seen if seen.count((head, words)) > 1}
        assert {(head[0], " ".join(words)) for head, words in twice} == set(), language


def test_apostrophes_part_words_and_a_short_no_is_a_no():
    assert tokens("L'export n'arrive pas") == ["l", "export", "n", "arrive", "pas"]
    assert tokens("can\u2019t") == ["ca", "not"]
