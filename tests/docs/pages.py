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
_INLINE = re.compile(r"(?<!`)`((?:[\w./-]+/)?(?:pulsehub|make) [^`]+)`(?!`)")
_PROGRAM = re.compile(r"(?:[\w./-]+/)?(pulsehub|make)")


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
    return [words for line in lines if (words := _command(line))]


def _command(line):
    """The words of one of our commands, whatever stands before it: settings, `sudo`, another program's options."""
    try:
        words = shlex.split(line.rstrip(" &"), comments=True)  # `&` is the shell's: it goes on meanwhile
    except ValueError:
        return []
    for at, word in enumerate(words):
        if (program := _PROGRAM.fullmatch(word)) and (at == 0 or "bin/" in word or "=" in words[at - 1]):
            return [program[1], *words[at + 1 :]]
    return []


def _lines(text):
    joined = text.replace("\\\n", " ")
    return [re.sub(r"^\s*\$ ", "", line) for line in joined.splitlines()]
