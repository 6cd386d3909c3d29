"""How long and how large one answer of an LLM server may be, whatever the server does.

httpx limits each read, so a server that sends one byte a second would be read for ever. Here the whole exchange,
retries included, has one end in time and one in bytes. Not known here: what the bytes say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import httpx

BASE_BYTES = 256_000
BYTES_PER_TOKEN = 4_000
"""Room for one streamed token: a server-sent event with its JSON, several times over."""


class OverLimitError(httpx.ReadTimeout):
    """The exchange took longer, or brought more, than allowed."""


@dataclass
class AnswerLimits:
    """``seconds`` from now, and ``max_bytes`` of all answers together."""

    seconds: float
    max_bytes: int
    _end: float = field(init=False)
    _read: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    def check(self, n_bytes: int = 0) -> None:
        """Count ``n_bytes``.

        Raises
        ------
        OverLimitError: the time is over, or more came than allowed.
        """
        self._read += n_bytes
        if time.monotonic() > self._end:
            raise OverLimitError(f"no complete answer in time, {self.seconds:g} s")
        if self._read > self.max_bytes:
            raise OverLimitError(f"an endless answer, cut off after {self._read:,} bytes")


_CURRENT: ContextVar[AnswerLimits | None] = ContextVar("answer_limits", default=None)


@contextmanager
def answer_limits(seconds: float, max_tokens: int) -> Iterator[None]:
    """Requests sent within the block share these limits; a response keeps them after the block."""
    token = _CURRENT.set(AnswerLimits(seconds, BASE_BYTES + BYTES_PER_TOKEN * max_tokens))
    try:
        yield
    finally:
        _CURRENT.reset(token)


class LimitedTransport(httpx.BaseTransport):
    """httpx's own transport with the limits of the surrounding ``answer_limits`` block."""

    def __init__(self, inner: httpx.BaseTransport | None = None) -> None:
        self._inner = inner or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send, unless the time is over already (a retry)."""
        limits = _CURRENT.get()
        if limits is None:
            return self._inner.handle_request(request)
        limits.check()
        response = self._inner.handle_request(request)
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _LimitedStream(response.stream, limits)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class _LimitedStream(httpx.SyncByteStream):
    def __init__(self, inner: httpx.SyncByteStream, limits: AnswerLimits) -> None:
        self._inner, self._limits = inner, limits

    def __iter__(self) -> Iterator[bytes]:
        for block in self._inner:
            self._limits.check(len(block))
            yield block

    def close(self) -> None:
        self._inner.close()
