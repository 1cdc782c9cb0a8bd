import pytest

from hub.sdk.errors import ConfigError
from hub.streams.kafka.broker import Broker


def test_a_url_names_servers_and_a_prefix():
    broker = Broker.at("kafka://one:9092,two:9093,three/acme.hub")
    assert broker.servers == ("one:9092", "two:9093", "three:9092")
    assert broker.prefix == "acme.hub"
    assert broker.named("events") == "acme.hub.events"
    assert broker.security == "plaintext"


def test_the_prefix_is_ours_unless_another_is_named():
    assert Broker.at("kafka://one").prefix == Broker.at("kafka://one/").prefix == "pulsehub"


def test_an_address_may_be_of_version_six():
    assert Broker.at("kafka://[::1]:9093,[::2]").servers == ("[::1]:9093", "[::2]:9092")


def test_a_password_travels_encrypted_unless_asked_otherwise():
    assert Broker.at("kafka://us:word@one").security == "sasl_ssl"
    clear = Broker.at("kafka://us:p%40ss%3A@one?security=sasl_plaintext&mechanism=scram-sha-256")
    assert (clear.user, clear.password, clear.mechanism) == ("us", "p@ss:", "SCRAM-SHA-256")
    assert clear.client()["sasl_plain_password"] == "p@ss:"


def test_no_password_is_shown():
    broker = Broker.at("kafka://us:word@one:9092/acme")
    assert broker.place == "kafka://one:9092/acme"
    assert "word" not in repr(broker)


def test_times_can_be_shortened():
    broker = Broker.at("kafka://one?session=3&patience=1.5&rebalance=9")
    assert (broker.session, broker.patience, broker.rebalance) == (3.0, 1.5, 9.0)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("kafka://", "names no server"),
        ("kafka:///pulsehub", "names no server"),
        ("kafka://one:port", "names no server"),
        ("kafka://one,,two", "names no server"),
        ("kafka://one/a/b", "cannot begin the names of topics"),
        ("kafka://one?security=tls", "security=tls"),
        ("kafka://us:word@one?mechanism=gssapi", "mechanism=GSSAPI"),
        ("kafka://us:word@one?security=ssl", "do not agree"),
        ("kafka://one?security=sasl_ssl", "do not agree"),
        ("kafka://one?session=soon", "session=soon"),
        ("kafka://one?retention=7", "nothing is called retention"),
        ("amqp://one", "that is no Kafka"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_write(url, said):
    with pytest.raises(ConfigError, match=said) as refused:
        Broker.at(url)
    assert "word" not in str(refused.value).replace("user:password", "")


def test_a_missing_authority_is_named():
    with pytest.raises(ConfigError, match=r"ca=/nowhere\.pem"):
        Broker.at("kafka://one?security=ssl&ca=/nowhere.pem").client()
