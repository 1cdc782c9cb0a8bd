"""What the customer said: a message without markup, quoted replies, signatures and what would steer a program.

Bounded before anything is searched in it, and read line by line and word by word, so that a text of megabytes costs
what a page costs, whatever is in it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

LOOKED_AT: Final = 20_000
"""Letters of a message that are looked at."""
LONGEST: Final = 2_000
"""Letters that are read of what is left: what moves a customer stands at the beginning."""
_LINES: Final = 300
_LINE: Final = 300  # letters of a line in which a header is looked for
_WORD: Final = 100  # letters of the longest word; what is longer nobody said

_TAG: Final = re.compile(r"<(?:br|/p|/div|/li|/tr)\b[^<>]{0,500}>", re.IGNORECASE)
_MARKUP: Final = re.compile(r"</?[a-zA-Z][^<>]{0,500}>")
_UNSEEN: Final = (("<!--", "-->"), ("<script", "</script>"), ("<style", "</style>"), ("<blockquote", ""))
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_QUOTED: Final = re.compile(
    r"""(?:on|am|le|el|il|op|den)\s.{4,}(?:wrote|schrieb.{0,80}|a\sécrit|escribió|ha\sscritto|schreef.{0,80})\s?:$
        |-{3,}\s?(?:original|forwarded|ursprüngliche|weitergeleitete|message|mensaje|messaggio|oorspronkelijk)
        |_{10,}$
    """,
    re.IGNORECASE | re.VERBOSE,
)
_FROM: Final = re.compile(r"(?:from|von|de|da|van)\s?:\s", re.IGNORECASE)
_SENT: Final = re.compile(
    r"(?:sent|to|date|gesendet|an|envoyé|à|enviado|para|inviato|a|verzonden|aan)\s?:", re.IGNORECASE
)
_SIGNED: Final = re.compile(
    r"""(?:--|__)$
        |(?:sent\sfrom\smy|von\smeinem\s.{1,40}gesendet|envoyé\sde(?:puis)?\smon|enviado\sdesde\smi
            |inviato\sda(?:l\smio)?|verzonden\svanaf)\b
        |(?:(?:kind|best|warm)\sregards|regards|best\swishes|cheers|sincerely|mit\sfreundlichen\sgrü(?:ß|ss)en
            |(?:viele|beste|liebe)\sgrü(?:ß|ss)e|(?:bien\s)?cordialement|bien\sà\svous|(?:un\s)?(?:cordial\s)?saludos?
            |atentamente|cordiali\ssaluti|distinti\ssaluti|met\svriendelijke\sgroet(?:en)?|groet(?:en|jes)?|mvg|mfg|vg)
            \s?[,.!]?$
    """,
    re.IGNORECASE | re.VERBOSE,
)


def said(text: str) -> str:
    r"""The customer's own words; empty where there are none.

    >>> said("<p>It is <b>down</b>&nbsp;again</p>\nOn Mon, 2 Mar 2026 at 10:01, Ada wrote:\n> Is it up?")
    'It is down again'
    >>> said("Still broken.\x00\n\n-- \nBest Ltd, the perfect partner")
    'Still broken.'
    """
    text = text[:LOOKED_AT]
    if "<" in text:
        text = _MARKUP.sub(" ", _TAG.sub("\n", _seen(text)))
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)[:LOOKED_AT]
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    text = _CONTROL.sub("", text.replace("\t", " "))
    if "\n" in text or text.startswith(">"):
        text = _own(text)
    return "\n".join(filter(None, map(_line, text.split("\n"))))[:LONGEST]


def _seen(text: str) -> str:
    """Without what a mail program does not show, or shows as another's words."""
    for begin, end in _UNSEEN:
        small = text.lower()
        if begin not in small or len(small) != len(text):  # some letters are two in lower case
            continue
        kept, at = [], 0
        while (found := small.find(begin, at)) >= 0:
            kept.append(text[at:found])
            closed = small.find(end, found) if end else -1
            at = closed + len(end) if closed >= 0 else len(text)
        text = "\n".join([*kept, text[at:]])
    return text


def _own(text: str) -> str:
    """The lines before whatever is quoted or signed, without those that are quoted among them."""
    lines = [line.strip() for line in text.split("\n", _LINES)[:_LINES]]
    own: list[str] = []
    for place, line in enumerate(lines):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if line.startswith(">"):
            continue
        if line and _ends(line[:_LINE], following[:_LINE]):
            break
        own.append(line)
    return "\n".join(own)


def _ends(line: str, following: str) -> bool:
    """Whether what follows is not the customer's any more; a header may be broken into two lines."""
    if _SIGNED.match(line) or _QUOTED.match(line) or (_FROM.match(line) and _SENT.match(following)):
        return True
    return following.endswith(":") and _QUOTED.match(f"{line} {following}") is not None


def _line(line: str) -> str:
    return " ".join([word for word in line.split() if len(word) <= _WORD and not _address(word)])


def _address(word: str) -> bool:
    return "://" in word or word.startswith("www.") or ("@" in word and "." in word.rpartition("@")[2])
