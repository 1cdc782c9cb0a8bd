"""What the customer said: a message without markup, quoted replies, signatures and what would steer a program.

Bounded before anything is searched in it, so that a text of megabytes costs what a page costs.
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

_TAG: Final = re.compile(r"<(?:br|/p|/div|/li|/tr)\b[^<>]{0,500}>", re.IGNORECASE)
_MARKUP: Final = re.compile(r"<!--.{0,5000}?-->|</?[a-zA-Z][^<>]{0,500}>", re.DOTALL)
_UNSEEN: Final = re.compile(r"(?s:<(script|style)\b.{0,5000}?</\1>)|<blockquote\b.*", re.IGNORECASE | re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_LINK: Final = re.compile(r"(?:https?://|www\.)\S{1,2000}|\S{1,64}@\S{1,255}\.\w{2,24}")
_QUOTE: Final = re.compile(
    r"""^\s*(?:
        (?:on|am|le|el|il|op|den)\s[^\n]{4,200}(?:wrote|schrieb[^\n:]{0,80}|a\sécrit|escribió|ha\sscritto|schreef[^\n:]{0,80})\s?:
        |-{3,}\s?(?:original|forwarded|ursprüngliche|weitergeleitete|message|mensaje|messaggio|oorspronkelijk)[^\n]{0,60}
        |_{10,}
        |(?:from|von|de|da|van)\s?:\s[^\n]{1,200}\n(?:sent|to|date|gesendet|an|envoyé|à|enviado|para|inviato|a|verzonden|aan)\s?:
    )""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_SIGNATURE: Final = re.compile(
    r"""^(?:--\s?|__\s?)$
        |^\s*(?:sent\sfrom\smy|von\smeinem[^\n]{1,40}gesendet|envoyé\sde(?:puis)?\smon|enviado\sdesde\smi|inviato\sda(?:l\smio)?
            |verzonden\svanaf)\b
        |^\s*(?:(?:kind|best|warm)\sregards|regards|best\swishes|cheers|sincerely|mit\sfreundlichen\sgrü(?:ß|ss)en
            |(?:viele|beste|liebe)\sgrü(?:ß|ss)e|(?:bien\s)?cordialement|bien\sà\svous|(?:un\scordial\s)?saludos?|atentamente
            |cordiali\ssaluti|distinti\ssaluti|met\svriendelijke\sgroet(?:en)?|groet(?:en|jes)?|mvg|mfg|vg)\s*[,.!]?\s*$""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
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
        text = _MARKUP.sub(" ", _TAG.sub("\n", _UNSEEN.sub("\n", text)))
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    text = _CONTROL.sub("", text.replace("\t", " "))
    if "\n" in text:
        text = _own(text)
    if "@" in text or "www." in text or "://" in text:
        text = _LINK.sub(" ", text)
    return " ".join(filter(None, text[: 4 * LONGEST].split(" "))).strip()[:LONGEST]


def _own(text: str) -> str:
    """Without what is quoted, up to the signature; a message that is nothing but these is left whole."""
    whole = text
    for end in (_QUOTE, _SIGNATURE):
        if (found := end.search(text)) is not None:
            text = text[: found.start()]
    text = "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(">"))
    return text if text.strip() else "" if whole.lstrip().startswith(">") else _QUOTE.split(whole, maxsplit=1)[0]
