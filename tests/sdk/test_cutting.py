import pytest

import hub


def test_one_unreadable_part_does_not_cost_the_others():
    assert hub.cut_json(b'{"a":1e400,"b":"\xff","c":[{"d":1}]}') == {"a": b"1e400", "b": b'"\xff"', "c": b'[{"d":1}]'}
    assert hub.cut_json(b' [1, "x" , {}]') == [b"1", b'"x"', b"{}"]


def test_of_members_of_one_name_the_last_counts():
    assert hub.cut_json(b'{"writeKey":"a","writeKey":"b"}') == {"writeKey": b'"b"'}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"1",
        b"null",
        b'"x"',
        b"{",
        b"[1",
        b"{} x",
        b'{"a":NaN}',
        b'{"\xff":1}',
        b"[" * 100_000,
        b'{"a":' + b"[" * 9_000 + b"]" * 9_000 + b"}",
    ],
)
def test_what_is_no_json_object_or_array_is_malformed(body):
    with pytest.raises(hub.MalformedError):
        hub.cut_json(body)
