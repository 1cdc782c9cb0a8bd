"""What a command says when it cannot: a sentence, the right exit status, and nothing changed."""

import sqlite3

import pytest

from tests.e2e.kit import document

LOOKING = [
    ("accounts",),
    ("explain", "x"),
    ("explain", "--all"),
    ("ledger", "x"),
    ("what-if", "x", "nps=9"),
    ("events", "x"),
    ("deliveries",),
    ("deadletters", "list"),
    ("deadletters", "show", "x"),
    ("deadletters", "replay", "--all"),
]


def sentence(done, status, says):
    """The one line an error is."""
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith(("pulsehub: ", "Usage: "))


@pytest.mark.parametrize("command", LOOKING, ids=" ".join)
def test_without_an_installation_it_says_how_to_make_one(run, tmp_path, command):
    data = tmp_path / "data"
    sentence(run(data, *command), 1, "`pulsehub up` or `pulsehub demo` makes one")
    assert not data.exists()


def test_the_doctor_of_an_empty_folder_is_content(tmp_path):
    told = document(tmp_path / "data", "doctor")
    assert (told["ok"], told["received"], told["pending"]) == (True, 0, 0)
    assert any("nothing in" in check["says"] for check in told["checks"])
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"PULSEHUB_PORT": "eighty"}, "PULSEHUB_PORT"),
        ({"PULSEHUB_PARTITIONS": "0"}, "PULSEHUB_PARTITIONS"),
        ({"PULSEHUB_CLOCK": "sundial"}, "PULSEHUB_CLOCK"),
        ({"PULSEHUB_BROKER_URL": "rabbit://here"}, "rabbit"),
        ({"PULSEHUB_DATABASE_URL": "mysql://here/there"}, "mysql"),
        ({"PULSEHUB_CONFIG": "/nowhere/pulsehub.toml"}, "/nowhere/pulsehub.toml"),
        ({"PULSEHUB_SCORING": "/nowhere"}, "/nowhere"),
        ({"PULSEHUB_SMTP_URL": "mail.example"}, "PULSEHUB_SMTP_URL"),
        ({"PULSEHUB_SALESFORCE_URL": "https://acme.my.salesforce.com"}, "PULSEHUB_SALESFORCE_CLIENT_ID"),
        ({"PULSEHUB_ZENDESK_EMAIL": "agent@acme.com"}, "PULSEHUB_ZENDESK_URL"),
        ({"PULSEHUB_HOST": "0.0.0.0"}, "PULSEHUB_API_TOKEN"),  # noqa: S104 - refused
        ({"PULSEHUB_HOST": "192.0.2.1", "PULSEHUB_API_TOKEN": "x" * 40}, "192.0.2.1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_setting_stops_the_start_and_is_named(run, tmp_path, settings, says):
    sentence(run(tmp_path / "data", "up", "--port", "0", settings=settings), 2, says)


@pytest.mark.parametrize("text", ["port = [", 'colour = "red"', "\xff\xfe", "[connections.x]\nplugin = 'none'\n"])
def test_a_wrong_settings_file_is_named(run, tmp_path, text):
    file = tmp_path / "pulsehub.toml"
    file.write_text(text, encoding="latin-1")
    done = run(tmp_path / "data", "--config", file, "up", "--port", "0")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert any(word in done.stderr for word in ("pulsehub.toml", "connections.x"))


@pytest.mark.parametrize(
    "command",
    [
        ("nonsense",),
        ("accounts", "--band", "purple"),
        ("accounts", "--sort", "shoe-size"),
        ("accounts", "--limit", "0"),
        ("deadletters", "list", "--state", "lost"),
        ("deadletters", "replay"),
        ("up", "--port", "70000"),
        ("explain",),
        ("sandbox", "oracle"),
    ],
    ids=" ".join,
)
def test_a_mistyped_command_is_wrong_use(run, tmp_path, command):
    done = run(tmp_path / "data", *command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def text(path):
    path.write_text("not a database, not at all, and long enough to be looked at twice")


def foreign(path):
    with sqlite3.connect(path) as connection:
        connection.execute("create table notes (words text)")
        connection.execute("insert into notes values ('somebody else''s')")


def of_another_version(path):
    with sqlite3.connect(path) as connection:
        connection.execute("create table meta (key text primary key, value text not null)")
        connection.execute("insert into meta values ('schema', '9999'), ('format', '9999'), ('partitions', '8')")


@pytest.fixture
def copied(tmp_path, filled):
    """An installation of our own, to be spoiled."""
    data = tmp_path / "data"
    data.mkdir()
    for name in ("hub.db", "streams.db"):
        (data / name).write_bytes((filled.data / name).read_bytes())
    return data


@pytest.mark.parametrize("spoil", [text, foreign, of_another_version])
@pytest.mark.parametrize("name", ["hub.db", "streams.db"])
@pytest.mark.parametrize("command", [("up", "--port", "0"), ("accounts",), ("doctor",)], ids=" ".join)
def test_a_file_that_is_not_ours_is_named_and_left_as_it_is(run, copied, name, spoil, command):
    data = copied
    (data / name).unlink()
    spoil(data / name)
    before = (data / name).read_bytes()
    done = run(data, *command)
    assert (data / name).read_bytes() == before
    if (name, command) == ("streams.db", ("accounts",)):  # who only looks at customers needs no log
        assert done.returncode == 0
        return
    assert done.returncode == (1 if command == ("doctor",) else 2), done.stderr
    assert name in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("up", "--port", "0"), ("demo", "--once")], ids=" ".join)
def test_a_data_folder_that_cannot_be_written_is_named(run, tmp_path, command):
    file = tmp_path / "file"
    file.write_text("here is no folder")
    done = run(file / "data", *command)
    assert done.returncode in (1, 2), done.stderr
    assert str(file / "data") in done.stderr
    assert "Traceback" not in done.stderr
