"""Which LLM addresses may be used."""

from __future__ import annotations

import pytest

from assistant.llm.address import parse_address
from encoders.errors import LLMUnreachableError, SettingsError


@pytest.mark.parametrize(
    ("text", "base", "model"),
    [
        ("http://127.0.0.1:8000#m", "http://127.0.0.1:8000/v1", "m"),
        ("http://localhost:11434/v1/", "http://localhost:11434/v1", None),
        ("https://10.0.0.7/api#org/m", "https://10.0.0.7/api", "org/m"),
        ("http://[::1]:8000#m", "http://[::1]:8000/v1", "m"),
    ],
)
def test_local_and_private_addresses_are_used(text: str, base: str, model: str | None) -> None:
    found = parse_address(text)
    assert (found.base_url, found.model) == (base, model)


@pytest.mark.parametrize("text", ["http://8.8.8.8#m", "https://1.1.1.1/v1#m", "http://0.0.0.0:80#m"])
def test_an_address_outside_is_refused_until_allowed(text: str) -> None:
    with pytest.raises(SettingsError, match=r"patient data would leave.*--allow-remote"):
        parse_address(text)
    assert parse_address(text, allow_remote=True).model == "m"


@pytest.mark.parametrize("text", ["127.0.0.1:8000#m", "ftp://127.0.0.1#m", "http://#m", ""])
def test_what_is_not_an_http_address_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match="is not an LLM address"):
        parse_address(text)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="holds no user name") as caught:
        parse_address("http://me:secret@127.0.0.1#m")
    assert "secret" not in str(caught.value)


def test_a_host_that_does_not_resolve_is_unreachable() -> None:
    with pytest.raises(LLMUnreachableError, match="does not resolve"):
        parse_address("http://no-such-host.invalid:8000#m")
