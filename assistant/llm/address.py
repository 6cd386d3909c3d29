"""Whether an LLM server's address may be used: patient data leaves this machine or network only on purpose.

Not checked here: who answers at a private address.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from encoders.errors import LLMUnreachableError, SettingsError


@dataclass(frozen=True)
class ServerAddress:
    """``base_url`` ends in the API root ("/v1"); ``model`` is None when the server's only model is meant."""

    base_url: str
    model: str | None


def parse_address(text: str, *, allow_remote: bool = False) -> ServerAddress:
    """``http://127.0.0.1:8000#model`` -> ServerAddress; "/v1" is added when the URL has no path.

    Raises
    ------
    SettingsError: not an http(s) URL, or an address that is neither loopback nor private without ``allow_remote``.
    LLMUnreachableError: the host name does not resolve.
    """
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"{text!r} is not an LLM address; write http://HOST:PORT#MODEL.")
    if parts.username or parts.password or parts.query:
        raise SettingsError("an LLM address holds no user name, password or query; set OPENAI_API_KEY for a key.")
    if not allow_remote and not all(_stays_here(ip) for ip in _addresses(parts.hostname)):
        raise SettingsError(
            f"the LLM address {parts.hostname} is neither loopback nor private, so patient data would leave this "
            "network. Use a local server, or say --allow-remote if that is intended and permitted."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    path = parts.path.rstrip("/") or "/v1"
    return ServerAddress(f"{parts.scheme}://{host}{port}{path}", parts.fragment or None)


def _addresses(host: str) -> list[str]:
    try:
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None)})
    except (socket.gaierror, UnicodeError) as error:
        raise LLMUnreachableError(f"the LLM host {host!r} does not resolve; check the address.") from error


def _stays_here(text: str) -> bool:
    ip = ipaddress.ip_address(text.split("%", maxsplit=1)[0])
    return ip.is_loopback or (ip.is_private and not ip.is_unspecified)
