"""Bodies that somebody who means us harm, or a broken client, might send."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hypothesis import strategies as st

NOTORIOUS: Final[tuple[bytes, ...]] = (
    b"",
    b" ",
    b"null",
    b"true",
    b"0",
    b'""',
    b"[]",
    b"{}",
    b"[[]]",
    b"[null]",
    b'{"":""}',
    b"NaN",
    b'{"type":NaN}',
    b'{"created":Infinity}',
    b"-",
    b"1" * 5000,
    b"1e400",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[" * 50_000 + b"]" * 50_000,
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b'{"type":"\xc3\x28"}',
    b'{"type":"\\ud800"}',
    b'{"type":"\\u0000"}',
    b'{"id":1,"id":"2"}',
    b"\x1f\x8b\x08\x00",
    b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>]><x>&b;</x>",
)
"""What has broken parsers before, whole bodies each."""

POISON: Final[tuple[str, ...]] = (
    "null",
    "true",
    "-1",
    "0.5",
    "1e308",
    "1e400",
    "9" * 400,
    "-" + "9" * 30,
    "9007199254740993",
    '""',
    '"\\u0000"',
    '"a\\u0000b"',
    '"\\ud800"',
    '"\\u202e\\ufeff"',
    '"NaN"',
    '"Infinity"',
    '"0001-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59.999999Z"',
    '"2026-03-01T10:00:00+99:99"',
    '"' + "x" * 20_000 + '"',
    "[]",
    "[[]]",
    "[null]",
    '["a"]',
    "{}",
    '{"id":null}',
    '{"id":{"id":{}}}',
    "[" * 300 + "]" * 300,
)
"""JSON to find where something else was expected."""


MISFITS: Final[tuple[Any, ...]] = (None, True, -1, "a\0b", [], {"id": []})
"""One of each type, to put where another was expected."""


def misfits(sample: bytes) -> Iterator[bytes]:
    """A JSON sample once for each of its members and each of `MISFITS`, that in the member's place; else nothing."""
    tree = _tree(sample)
    places: list[dict[str, Any] | list[Any]] = [] if tree is None else [tree]
    while places:
        place = places.pop()
        keys: list[Any] = list(place) if isinstance(place, dict) else list(range(len(place)))
        for key in keys:
            kept: Any = place[key]
            for misfit in MISFITS:
                place[key] = misfit
                yield json.dumps(tree).encode()
            place[key] = kept
            if isinstance(kept, dict | list):
                places.append(kept)


def hostile_bodies(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Noise, notorious bodies, and the samples with something wrong in them.

    A sample that is JSON also gets one of its values replaced, removed or repeated under the same key, anywhere in
    the tree; any sample gets bytes cut out of it or put in.
    """
    choices = [st.sampled_from(NOTORIOUS), st.binary(max_size=200)]
    if samples:
        choices.append(_torn(samples))
    if trees := [tree for sample in samples if (tree := _tree(sample)) is not None]:
        choices.append(_poisoned(trees))
    return st.one_of(choices)


def _tree(body: bytes) -> dict[str, Any] | list[Any] | None:
    try:
        tree = json.loads(body)
    except ValueError:
        return None
    return tree if isinstance(tree, dict | list) and tree else None


@st.composite
def _torn(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    sample = draw(st.sampled_from(samples))
    start = draw(st.integers(0, len(sample)))
    end = draw(st.integers(start, min(len(sample), start + 40)))
    return sample[:start] + draw(st.binary(max_size=8)) + sample[end:]


@st.composite
def _poisoned(draw: st.DrawFn, trees: Sequence[dict[str, Any] | list[Any]]) -> bytes:
    node = tree = json.loads(json.dumps(draw(st.sampled_from(trees))))
    while True:
        key = draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        if not (isinstance(node[key], dict | list) and node[key] and draw(st.booleans())):
            break
        node = node[key]
    poison = draw(st.sampled_from((*POISON, None)))
    if poison is None:
        del node[key]
        return json.dumps(tree).encode()
    node[key] = "@poison@"
    repeated = isinstance(node, dict) and draw(st.booleans())
    written = f'null,{json.dumps(key)}:"@poison@"' if repeated else '"@poison@"'
    return json.dumps(tree).replace('"@poison@"', written.replace('"@poison@"', poison)).encode()
