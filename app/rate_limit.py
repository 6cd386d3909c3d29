"""A token bucket for each credential and each address, in this process: 429 with Retry-After when it is empty.

Counted are the API's paths alone, so that the page's own traffic cannot lock its user out. Several server processes
would each count for themselves. Not known here: who the caller is (app/access.py); the credential is only hashed.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LIMITED_PATHS = ("/v1/", "/cds-services", "/openapi.json")
ADDRESS_FACTOR = 4
"""One address may ask as much as four credentials: a key made up for each request gets no further than this."""

MAX_BUCKETS = 10_000
BURST_SECONDS = 10.0
"""A bucket holds what its rate gives in this time."""


@dataclass
class _Bucket:
    tokens: float
    seen: float


class RateLimit:
    """Token buckets by name. ``per_minute`` <= 0 allows everything."""

    def __init__(self, per_minute: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = per_minute / 60.0  # tokens a second
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, name: str, *, factor: int = 1) -> float:
        """Take a token of ``name``; 0.0, or the seconds until there is one."""
        if self.rate <= 0:
            return 0.0
        rate = self.rate * factor
        size, now = max(1.0, rate * BURST_SECONDS), self._clock()
        bucket = self._buckets.setdefault(name, _Bucket(size, now))
        self._buckets.move_to_end(name)
        while len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        bucket.tokens = min(size, bucket.tokens + (now - bucket.seen) * rate)
        bucket.seen = now
        if bucket.tokens < 1.0:
            return (1.0 - bucket.tokens) / rate
        bucket.tokens -= 1.0
        return 0.0


class RateGuard:
    """ASGI middleware that refuses what is over the limit before anything is read or looked up."""

    def __init__(self, app: Any, *, limit: RateLimit) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass on, or answer 429."""
        if scope["type"] != "http" or not scope["path"].startswith(LIMITED_PATHS):
            await self.app(scope, receive, send)
            return
        address = (scope.get("client") or ("unknown", 0))[0]
        wait = self.limit.take(f"address {address}", factor=ADDRESS_FACTOR) or self.limit.take(_credential(scope))
        if not wait:
            await self.app(scope, receive, send)
            return
        seconds = math.ceil(wait)
        allowed = f"{self.limit.rate * 60:g} a minute are allowed"
        message = f"too many requests with this key: {allowed}; ask again in {seconds} s."
        error = {"type": "TooManyRequests", "message": message}
        body = {"error": error, "request_id": str(scope.get("radomica_request_id", ""))}
        headers = [(b"content-type", b"application/json"), (b"retry-after", str(seconds).encode())]
        await send({"type": "http.response.start", "status": 429, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def _credential(scope: dict[str, Any]) -> str:
    """A name for who asks that holds no secret: a hash of the key or the session, else the address."""
    headers = dict(scope["headers"])
    shown = headers.get(b"authorization") or headers.get(b"cookie")
    if shown is None:
        return f"nobody at {(scope.get('client') or ('unknown', 0))[0]}"
    return hashlib.sha256(shown).hexdigest()
