import msgspec

from hub.ingest.deadletters import Dead
from hub.settings import Settings
from hub.streams.dead import letter
from hub.streams.kafka.declaring import LARGEST
from hub.streams.room import DeadLetter, Record

AROUND = 64 * 1024  # bytes, more than enough for what goes with a value


def dead(value, key=b"acc_1"):
    return letter("test.keep", "events", DeadLetter(Record(1, 2, 3.0, key, value), "cannot be read"), 4.0)


def test_a_letter_is_read_as_one_and_keeps_the_bytes():
    read = msgspec.json.decode(dead(b"\0value").value, type=Dead)
    assert (read.body, read.reason) == (b"\0value", "cannot be read")


def test_the_letter_of_the_largest_record_there_is_can_be_sent_and_says_what_it_left_out():
    largest = b"x" * LARGEST
    message = dead(largest, key=b"\1" * LARGEST)
    assert len(message.key) + len(message.value) < LARGEST - AROUND
    read = msgspec.json.decode(message.value, type=Dead)
    assert largest.startswith(read.body)
    assert f"the first {len(read.body)} of its {LARGEST} bytes" in read.reason


def test_the_largest_body_that_is_taken_fits_into_a_letter_whole():
    largest = next(bound.le for bound in Settings.model_fields["max_body"].metadata if hasattr(bound, "le"))
    raw = msgspec.json.encode(b"x" * largest) + b" " * AROUND  # as topic `raw` keeps it
    assert msgspec.json.decode(dead(raw).value, type=Dead).body == raw
