from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import ConfigError
from hub.sealing import FILE, BrokenSealError, Seal
from hub.settings import Settings, load

OLD, NEW = "o" * 32, "n" * 32


def _seal(*keys: str) -> Seal:
    return Seal(lambda: list(keys))


@given(st.binary(max_size=200))
def test_what_was_signed_is_believed(body):
    _seal(OLD).check("forest", body, _seal(OLD).sign("forest", body))


@given(st.binary(min_size=1, max_size=60), st.data())
def test_whatever_was_changed_cut_off_or_added_is_not(body, data):
    signature = _seal(OLD).sign("forest", body)
    place, bit = data.draw(st.integers(0, len(body) - 1)), data.draw(st.integers(0, 7))
    changed = bytearray(body)
    changed[place] ^= 1 << bit
    for other in (bytes(changed), body[:place], body + b"\0"):
        with pytest.raises(BrokenSealError, match="not what was signed"):
            _seal(OLD).check("forest", other, signature)


@pytest.mark.parametrize("signature", ["", ":", "x", "é", "0" * 73, "deadbeef:" + "0" * 64])
def test_a_signature_that_is_none_is_refused(signature):
    with pytest.raises(BrokenSealError):
        _seal(OLD).check("forest", b"state", signature)


def test_what_one_expert_learned_is_no_other_s():
    signature = _seal(OLD).sign("forest", b"state")
    with pytest.raises(BrokenSealError):
        _seal(OLD).check("other", b"state", signature)


def test_a_new_secret_in_front_signs_and_the_old_one_behind_it_is_still_believed():
    old, rotated = _seal(OLD).sign("forest", b"state"), _seal(NEW, OLD)
    rotated.check("forest", b"state", old)
    new = rotated.sign("forest", b"state")
    _seal(NEW).check("forest", b"state", new)
    with pytest.raises(BrokenSealError, match=r"PULSEHUB_SECRET_KEYS \(.{8}\): add the old secret behind the new one"):
        _seal(NEW).check("forest", b"state", old)


def test_where_there_is_no_secret_nothing_is_signed_and_nothing_believed():
    with pytest.raises(BrokenSealError, match="PULSEHUB_SECRET_KEYS is not set"):
        _seal().sign("forest", b"state")
    with pytest.raises(BrokenSealError, match="PULSEHUB_SECRET_KEYS is not set"):
        _seal().check("forest", b"state", _seal(OLD).sign("forest", b"state"))


def test_a_signature_tells_nothing_of_the_secret():
    assert OLD not in _seal(OLD).sign("forest", b"state")


def test_on_files_the_key_is_made_when_it_is_first_needed_and_nobody_else_may_read_it(tmp_path):
    seal = Seal.of(Settings(data=tmp_path))
    with pytest.raises(BrokenSealError):  # to look makes none
        seal.check("forest", b"state", _seal(OLD).sign("forest", b"state"))
    assert not (tmp_path / FILE).exists()
    signature = seal.sign("forest", b"state")
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    Seal.of(Settings(data=tmp_path)).check("forest", b"state", signature)
    assert [one.name for one in tmp_path.iterdir()] == [FILE]


def test_who_comes_second_takes_the_key_of_who_came_first(tmp_path, monkeypatch):
    first = Seal.of(Settings(data=tmp_path)).sign("forest", b"state")
    late = Seal.of(Settings(data=tmp_path))
    monkeypatch.setattr(late, "_secrets", list)  # it looked before the file was there
    assert late.sign("forest", b"state") == first


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(BrokenSealError, match="cannot write"):
        Seal.of(Settings(data=tmp_path / "missing")).sign("forest", b"state")


def test_a_key_that_is_set_wins_over_the_file(tmp_path):
    Seal.of(Settings(data=tmp_path)).sign("forest", b"state")
    settings = Settings(data=tmp_path, secret_keys=f"{NEW},{OLD}")
    _seal(NEW).check("forest", b"state", Seal.of(settings).sign("forest", b"state"))


def test_several_processes_need_a_secret_that_they_share(tmp_path):
    settings = Settings(data=tmp_path, broker_url="kafka://k:1", database_url="postgresql://d/h")
    with pytest.raises(BrokenSealError, match="PULSEHUB_SECRET_KEYS is not set"):
        Seal.of(settings).sign("forest", b"state")
    assert not any(tmp_path.iterdir())


def test_a_secret_short_enough_to_be_guessed_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"PULSEHUB_SECRET_KEYS.*less than 32 characters"):
        load({"PULSEHUB_SECRET_KEYS": f"{NEW},short"}, _empty(tmp_path))


def test_secrets_come_from_the_environment_or_as_a_list_in_the_file(tmp_path):
    written = tmp_path / "pulsehub.toml"
    written.write_text(f'secret_keys = ["{NEW}", "{OLD}"]')
    settings, _ = load({}, written)
    assert [one.get_secret_value() for one in settings.secret_keys] == [NEW, OLD]
    assert NEW not in repr(settings)
    settings, _ = load({"PULSEHUB_SECRET_KEYS": OLD}, written)
    assert [one.get_secret_value() for one in settings.secret_keys] == [OLD]


def test_what_does_not_outlive_the_process_has_a_key_of_its_own():
    one, other = Seal.once(), Seal.once()
    one.check("forest", b"state", one.sign("forest", b"state"))
    with pytest.raises(BrokenSealError):
        other.check("forest", b"state", one.sign("forest", b"state"))


def _empty(folder: Path) -> Path:
    path = folder / "empty.toml"
    path.write_text("")
    return path
