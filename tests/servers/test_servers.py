import subprocess
import sys

import pytest

from tests.servers import shared
from tests.servers.program import HIGH, LOW, Program, ServerError, children, started


class Sleeper(Program):
    """A shell and its child; it answers at once."""

    name = "sleeper"

    def command(self):
        return ["/bin/sh", "-c", "sleep 600 & wait"]

    def answers(self):
        return bool(children(self.pid() or 0))


class Failing(Program):
    name = "failing"

    def command(self):
        return ["/bin/sh", "-c", "echo no such luck; exit 3"]

    def answers(self):
        raise ConnectionRefusedError


@pytest.fixture
def sleeper(tmp_path):
    program = Sleeper(tmp_path)
    yield program
    program.kill()


def test_a_second_start_leaves_the_running_one(sleeper):
    sleeper.start()
    pid = sleeper.pid()
    sleeper.start()
    assert sleeper.pid() == pid


def test_another_of_the_same_folder_stops_it(sleeper, tmp_path):
    sleeper.start()
    pid = sleeper.pid()
    Sleeper(tmp_path).stop()
    assert started(pid) is None


def test_a_pid_that_is_somebody_else_by_now_is_left_alone(sleeper):
    sleeper.folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (sleeper.folder / "pid").write_text(f"{other.pid} {started(other.pid) - 1}\n")
        assert sleeper.pid() is None
        sleeper.stop()
        sleeper.kill()
        assert other.poll() is None
        other.communicate(b"\n")
        assert other.returncode == 0


def test_killed_it_takes_its_children_along(sleeper):
    sleeper.start()
    pid = sleeper.pid()
    (child,) = children(pid)
    sleeper.kill()
    assert sleeper.pid() is None
    assert started(child) is None


def test_paused_it_is_there_and_stopped_it_is_gone(sleeper):
    sleeper.start()
    pid = sleeper.pid()
    sleeper.pause()
    assert sleeper.pid() == pid
    sleeper.stop()
    assert started(pid) is None


def test_one_that_ends_while_it_starts_names_its_log(tmp_path):
    program = Failing(tmp_path)
    with pytest.raises(ServerError, match=str(program.log)):
        program.start()
    assert program.log.read_text() == "no such luck\n"


def test_a_port_is_kept_and_no_client_of_the_machine_is_given_it(tmp_path):
    port = Sleeper(tmp_path).port
    assert LOW <= port < HIGH
    assert Sleeper(tmp_path).port == port


def test_the_environment_is_read_as_it_was_written(tmp_path):
    variables = {"PULSEHUB_TEST_BROKER": "kafka://127.0.0.1:1", "PULSEHUB_TEST_REDIS": "redis://127.0.0.1:2/0?a=b"}
    shared.write_env(tmp_path / "env", variables)
    assert shared.read_env(tmp_path / "env") == variables
    assert shared.read_env(tmp_path / "none") == {}


def test_what_does_not_answer_is_not_exported_and_what_was_set_stays(tmp_path):
    shared.write_env(
        tmp_path / "env", {"PULSEHUB_TEST_BROKER": "kafka://127.0.0.1:1", "PULSEHUB_TEST_REDIS": "redis://127.0.0.1:1"}
    )
    environ = {"PULSEHUB_TEST_REDIS": "redis://elsewhere:1"}
    assert shared.export(environ, tmp_path / "env") == {"PULSEHUB_TEST_REDIS": "redis://elsewhere:1"}
    assert environ == {"PULSEHUB_TEST_REDIS": "redis://elsewhere:1"}


def test_a_run_says_what_it_has_without_a_password_and_what_it_skips():
    said = shared.sentence({"PULSEHUB_TEST_DATABASE": "postgresql://us:secret@127.0.0.1:5/pulsehub"})
    assert said.startswith("real parts: PostgreSQL at 127.0.0.1:5; tests of Kafka, Redis are skipped")
    assert shared.sentence(dict.fromkeys(shared.PARTS, "x://h:1")).count("skipped") == 0
