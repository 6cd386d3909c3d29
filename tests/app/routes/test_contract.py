"""The OpenAPI document against the server: schemathesis finds no server error and no answer off its schema.

Ids in paths are made real for most examples, so that operations do more than say 404. Few examples by default; more
with ``-m slow``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS, load_all_checks, not_a_server_error
from schemathesis.core.failures import FailureGroup

DEMO = "demo-synthetic"
NEVER_REAL = {("DELETE", "/v1/cases/{case_id}")}
"""What would take the ground from under the other operations."""

SLOW = 120.0
"""Seconds that an answer may take here: this is no test of speed."""

load_all_checks()
WANTED = [
    not_a_server_error,
    *CHECKS.get_by_names(
        [
            "status_code_conformance", "content_type_conformance", "response_headers_conformance",
            "response_schema_conformance",
        ]
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def document(served: TestClient) -> Iterator[schemathesis.BaseSchema]:
    async def running(scope: dict, receive: object, send: object) -> None:
        """The application that ``served`` has started; schemathesis would start it a second time."""
        if scope["type"] != "lifespan":
            await served.app(scope, receive, send)

    yield schemathesis.openapi.from_asgi("/openapi.json", running, timeout=SLOW)


def made_real(case: schemathesis.Case, real: dict[str, str], number: int) -> None:
    """Put ids that exist into the path of three examples of four."""
    if number % 4 and (case.method, case.path) not in NEVER_REAL:
        for name, value in real.items():
            if case.path_parameters and name in case.path_parameters:
                case.path_parameters[name] = value


def hammer(document: schemathesis.BaseSchema, real: dict[str, str], examples: int) -> dict[str, str]:
    """Run every operation; operation -> what broke its document, "" where nothing did."""
    found = {}
    for result in document.get_all_operations():
        operation = result.ok()
        try:
            examined(operation, real, examples)()
            broken = ""
        except FailureGroup as group:
            broken = "; ".join(f"{f.title}: {f.message} {f.case_id or ''}" for f in group.exceptions)
        found[f"{operation.method.upper()} {operation.path}"] = broken
    return found


def examined(operation: schemathesis.APIOperation, real: dict[str, str], examples: int) -> Callable[[], None]:
    """A function that calls one operation with made-up input, over and over."""
    number = itertools.count()

    @given(case=operation.as_strategy())
    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, report_multiple_bugs=False,
        phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def hold(case: schemathesis.Case) -> None:
        made_real(case, real, next(number))
        case.validate_response(case.call(timeout=SLOW), checks=WANTED)

    return hold


@pytest.fixture(scope="module")
def real(job_id: str) -> dict[str, str]:
    return {
        "case_id": DEMO, "job_id": job_id, "evidence_id": "M1", "form": "md", "service_id": "radomica-patient-view",
    }  # fmt: skip


def test_every_answer_keeps_to_the_document(document: schemathesis.BaseSchema, real: dict[str, str]) -> None:
    found = hammer(document, real, examples=4)
    assert len(found) > 30 and {name: broken for name, broken in found.items() if broken} == {}


@pytest.mark.slow
def test_every_answer_keeps_to_the_document_at_length(document: schemathesis.BaseSchema, real: dict[str, str]) -> None:
    found = hammer(document, real, examples=100)
    assert {name: broken for name, broken in found.items() if broken} == {}


def test_every_operation_is_described(served: TestClient) -> None:
    for path, operations in served.get("/openapi.json").json()["paths"].items():
        for method, told in operations.items():
            place = f"{method} {path}"
            assert told["operationId"] and told["tags"] and told["description"], place
            assert path == "/healthz" or {"401", "403", "422", "429"} <= set(told["responses"]), place


def test_there_is_no_page_that_loads_from_elsewhere(served: TestClient) -> None:
    assert served.get("/docs").status_code == served.get("/redoc").status_code == 404
