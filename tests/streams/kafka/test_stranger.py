"""Somebody else's Faust app beside ours: `kafka://` of `faust.App` is Faust's own driver, as it came."""

import json
import subprocess
import sys
from pathlib import Path

import faust
from faust.transport.drivers import aiokafka

from hub.streams.kafka.log import KafkaLog
from hub.streams.topics import EVENTS

PROGRAM = """
import asyncio, json, sys
import faust
import hub.streams.kafka.transport

app = faust.App("plain", broker=sys.argv[1], datadir=sys.argv[2], web_enabled=False, topic_disable_leader=True,
                topic_allow_declare=False, value_serializer="raw", key_serializer="raw", stream_wait_empty=False,
                consumer_auto_offset_reset="earliest")
words, seen = app.topic(sys.argv[3]), []

@app.agent(words)
async def listen(stream):
    async for word in stream:
        seen.append(word.decode())

async def main():
    await app.start()
    for n in range(20):
        await words.send(key=b"k%d" % n, value=b"w%d" % n)
    while len(seen) < 20:
        await asyncio.sleep(0.05)
    await app.stop()
    print(json.dumps(seen))

asyncio.run(main())
"""


def test_a_strangers_plain_app_streams_through_kafka(tmp_path, url, database):
    log = KafkaLog.at(url, 3, database)
    log.declare(EVENTS)
    broker = f"kafka://{log.broker.servers[0]}"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, broker, str(tmp_path / "faust"), log.named("events")],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    log.close()
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout)) == sorted(f"w{n}" for n in range(20))


def test_a_kafka_url_of_a_plain_app_is_fausts_own_driver():
    assert type(faust.App("plain", broker="kafka://one:9092").transport) is aiokafka.Transport
