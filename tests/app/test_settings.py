"""Settings: flag over environment over default, and switches that are neither 0 nor 1 are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import read_settings
from encoders.errors import SettingsError


def test_a_flag_goes_before_the_environment() -> None:
    env = {"RADOMICA_LLM": "hf:some/model", "RADOMICA_HOME": "/data/radomica"}
    assert read_settings(environ=env).llm == "hf:some/model"
    assert read_settings(llm="embedded", environ=env).llm == "embedded"
    assert read_settings(environ=env).cases == Path("/data/radomica/cases")


def test_defaults() -> None:
    found = read_settings(environ={})
    assert (found.llm, found.offline, found.allow_remote, found.debug) == ("embedded", False, False, False)


@pytest.mark.parametrize("name", ["RADOMICA_OFFLINE", "RADOMICA_DEBUG"])
def test_a_switch_is_0_or_1(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is 'yes'; allowed: 0 or 1"):
        read_settings(environ={name: "yes"})


def test_offline_and_remote_exclude_each_other() -> None:
    with pytest.raises(SettingsError, match="exclude each other"):
        read_settings(allow_remote=True, environ={"RADOMICA_OFFLINE": "1"})


def test_an_empty_spec_is_refused() -> None:
    with pytest.raises(SettingsError, match="empty"):
        read_settings(llm="  ", environ={})
