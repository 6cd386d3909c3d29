"""Token buckets by a clock of the test's own, and what a client over the limit is told."""

from __future__ import annotations

import json

from fastapi.testclient import TestClient

from app.rate_limit import ADDRESS_FACTOR, BURST_SECONDS, MAX_BUCKETS, RateGuard, RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_holds_ten_seconds_of_its_rate_and_refills_with_time() -> None:
    clock = Clock()
    limit = RateLimit(60, clock=clock)  # one a second
    assert [limit.take("a") for _ in range(int(BURST_SECONDS))] == [0.0] * 10
    assert limit.take("a") == 1.0  # a whole second until the next one
    assert limit.take("b") == 0.0  # another key has its own
    clock.now = 0.5
    assert limit.take("a") == 0.5
    clock.now = 1.0
    assert limit.take("a") == 0.0


def test_a_factor_widens_a_bucket() -> None:
    clock = Clock()
    limit = RateLimit(60, clock=clock)
    assert sum(limit.take("x", factor=ADDRESS_FACTOR) == 0.0 for _ in range(1000)) == 10 * ADDRESS_FACTOR


def test_no_limit_allows_everything() -> None:
    assert all(RateLimit(0, clock=Clock()).take("a") == 0.0 for _ in range(10_000))


def test_made_up_keys_cannot_fill_the_memory() -> None:
    limit = RateLimit(60, clock=Clock())
    for number in range(MAX_BUCKETS + 50):
        limit.take(f"key {number}")
    assert len(limit._buckets) == MAX_BUCKETS


async def _hello(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def test_over_the_limit_is_429_with_retry_after_in_the_form_of_every_error() -> None:
    client = TestClient(RateGuard(_hello, limit=RateLimit(6, clock=Clock())))  # burst of one
    assert client.get("/v1/cases").status_code == 200
    refused = client.get("/v1/cases")
    assert refused.status_code == 429 and refused.headers["retry-after"] == "10"
    assert json.loads(refused.text)["error"]["type"] == "TooManyRequests"
    assert client.get("/v1/cases", headers={"Authorization": "Bearer other"}).status_code == 200


def test_the_page_and_health_are_not_limited() -> None:
    client = TestClient(RateGuard(_hello, limit=RateLimit(6, clock=Clock())))
    assert {client.get(path).status_code for path in ["/healthz", "/", "/gradio_api/queue/data"] * 5} == {200}


def test_a_new_key_for_each_request_stops_at_the_address() -> None:
    client = TestClient(RateGuard(_hello, limit=RateLimit(6, clock=Clock())))
    got = [client.get("/v1/x", headers={"Authorization": f"Bearer {i}"}).status_code for i in range(10)]
    assert got == [200] * ADDRESS_FACTOR + [429] * (10 - ADDRESS_FACTOR)
