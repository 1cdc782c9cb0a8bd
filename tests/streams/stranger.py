"""Somebody else's Faust app on our transport: nothing here is ours. Run as a program by test_transport.py.

`stranger.py BROKER FOLDER SEND`: sends SEND words and numbers, waits until all it was ever sent is done, prints JSON.
"""

import asyncio
import json
import sys

import faust

broker, folder, send = sys.argv[1], sys.argv[2], int(sys.argv[3])
app = faust.App(
    "stranger",
    broker=broker,
    datadir=folder,
    store="memory://",
    topic_partitions=3,
    web_enabled=False,
    topic_disable_leader=True,
    reply_create_topic=send > 0,
    stream_wait_empty=False,  # a message answered in the worker that asked is never acknowledged, on Kafka neither
)


class Word(faust.Record):
    text: str


words = app.topic("words", key_type=str, value_type=Word)
shouts = app.topic("shouts", key_type=str, value_type=str)
counts = app.Table("counts", default=int)
seen, taken, shouted, headers = [], [], [], []


@app.agent(words)
async def count(stream):
    async for event in stream.events():
        counts[event.value.text] += 1
        seen.append(event.value.text)
        headers.append({name: bytes(value).decode() for name, value in event.headers.items() if name == "colour"})
        await shouts.send(key=event.key, value=event.value.text.upper())
        yield len(event.value.text)


@app.agent(shouts)
async def shout(stream):
    async for value in stream:
        shouted.append(value)  # noqa: PERF401 - an agent is a loop


@app.agent(app.topic("numbers", value_type=int))
async def bulk(stream):
    async for values in stream.take(10, within=0.2):
        taken.append(values)  # noqa: PERF401 - an agent is a loop


async def main():
    await app.start()
    before = dict(counts)
    for n in range(send):
        await words.send(key=f"w{n % 5}", value=Word(text=f"w{n % 5}"), headers={"colour": b"red"})
        await bulk.cast(n)
    answer = await asyncio.wait_for(count.ask(Word(text="hello"), key="hello"), 20) if send else None
    deadline = asyncio.get_running_loop().time() + 20
    while len(seen) < send + bool(send) or len(shouted) < len(seen) or sum(map(len, taken)) < send:
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)  # what comes too often would come now
    after = dict(counts)
    await app.stop()
    print(
        json.dumps(
            {
                "before": before,
                "after": after,
                "seen": seen,
                "shouted": shouted,
                "taken": taken,
                "headers": headers,
                "answer": answer,
            },
        ),
    )


asyncio.run(main())
