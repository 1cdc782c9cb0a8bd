"""What an operator writes, in the file and in the environment."""

import pytest

import hub
from hub.settings import load


def read(folder, text, **environ):
    (folder / "pulsehub.toml").write_text(text)
    return load({"PULSEHUB_CONFIG": str(folder / "pulsehub.toml"), **environ})


def test_a_further_connection_is_written_as_the_first_one_is(tmp_path):
    keys = 'signing_secret = ["new", "old"]\ntolerance = 60\n'
    settings, vendors = read(tmp_path, f'[zendesk]\n{keys}[connections.emea]\nplugin = "zendesk"\n{keys}')
    assert vendors["PULSEHUB_ZENDESK_SIGNING_SECRET"] == "new,old"
    assert vendors["PULSEHUB_ZENDESK_TOLERANCE"] == "60"
    assert settings.connections["emea"] == {"plugin": "zendesk", "signing_secret": "new,old", "tolerance": "60"}


def test_the_environment_wins_over_the_file(tmp_path):
    settings, vendors = read(
        tmp_path, "port = 1\n[segment]\nwrite_key = 'a'\n", PULSEHUB_PORT="2", PULSEHUB_SEGMENT_WRITE_KEY="b"
    )
    assert settings.port == 2
    assert vendors["PULSEHUB_SEGMENT_WRITE_KEY"] == "b"


@pytest.mark.parametrize("text", ["prot = 1", "port = 70000", "port = [", "connections = 3"])
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path, text):
    with pytest.raises(hub.ConfigError) as told:
        read(tmp_path, text)
    assert "pulsehub.toml" in str(told.value)
    assert "\n" not in str(told.value)
