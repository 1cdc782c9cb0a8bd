from hub.worker.saying import Saying


class Rooms:
    """Rooms that are told what to say."""

    def __init__(self):
        self.shares = {"scoring.rescore": [0, 1]}
        self.reasons = {}

    @property
    def failed(self):
        return next(iter(self.reasons.values()), None)

    def held(self):
        return dict(self.shares)

    def halted(self):
        return dict(self.reasons)

    def ready(self):
        return not self.reasons


def test_a_process_says_since_when_it_holds_what_it_holds_and_since_when_a_room_stands_still():
    rooms, now, sinks = Rooms(), [100.0], ["crm"]
    says = Saying(rooms, lambda: sinks, lambda: "http://127.0.0.1:8420", lambda: now[0])
    first = says()
    assert first == {
        "rooms": {"scoring.rescore": [0, 1]},
        "delivers": ["crm"],
        "since": 100.0,
        "halted": {},
        "failed": None,
        "ready": True,
        "url": "http://127.0.0.1:8420",
    }
    now[0] = 160.0
    assert says() == first  # a heartbeat tells others at once what is new, so what is not must be the same

    rooms.shares["scoring.rescore"] = [0]
    rooms.reasons["scoring.rescore"] = "the disk is gone"
    now[0] = 200.0
    says()
    now[0] = 230.0
    then = says()
    assert then["since"] == 200.0
    assert then["halted"] == {"scoring.rescore": {"reason": "the disk is gone", "since": 200.0}}
    assert then["failed"] == "the disk is gone"
    assert not then["ready"]

    rooms.reasons.clear()
    assert says()["halted"] == {}
    sinks.clear()
    now[0] = 300.0
    assert says()["since"] == 300.0
