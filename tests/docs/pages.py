"""The documentation as the tests see it: pages, fenced blocks, commands."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "plugins").glob("*/README.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
    ROOT / "deploy" / "README.md",
    ROOT / "sinks" / "README.md",
]
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`((?:pulsehub|make) [^`]+)`(?!`)")
_WORD = re.compile(r"[\w./-]*\b(?:pulsehub|make)$")


class Block(NamedTuple):
    """A fenced block: its language, which may be empty, and its text."""

    language: str
    text: str


def name_of(page):
    """How a page is called in a failure."""
    return str(page.relative_to(ROOT))


def blocks(page):
    """The fenced blocks of a page, in order."""
    return [Block(*found) for found in _FENCE.findall(page.read_text())]


def commands(page):
    """Every `pulsehub ...` and `make ...` a page tells people to type, as lists of words."""
    lines = [line for block in blocks(page) if block.language in ("", "sh", "console") for line in _lines(block.text)]
    lines += _INLINE.findall(_FENCE.sub("", page.read_text()).replace("\n", " "))
    found = []
    for line in lines:
        words = _words(line)
        at = next((n for n, word in enumerate(words) if "=" not in word and word not in ("sudo", "exec")), None)
        if at is not None and words[at] in ("-u",):
            continue
        starts = [n for n, word in enumerate(words) if _WORD.fullmatch(word) and (n == at or words[n - 1] == "pulsehub")]
        if starts:
            found.append([Path(words[starts[-1]]).name, *words[starts[-1] + 1 :]])
    return found


def _lines(text):
    joined = text.replace("\\\n", " ")
    return [re.sub(r"^\s*\$ ", "", line) for line in joined.splitlines()]


def _words(line):
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return []
