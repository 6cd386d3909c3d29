"""CDS Hooks 2.0 services patient-view and order-select over stored reports (https://cds-hooks.hl7.org/2.0/).

A hook's patient is matched by id alone to a stored case (its own id, or the patient id in its newest report); who has
no case gets no card. FHIR access offered by the caller is not used. Not known here: a card's words (app/cds_cards.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from app.access import Caller, audit
from app.cds_cards import all_cards, card_id, order_cards, patient_cards
from app.routes.errors import documented, not_found
from app.routes.guards import Asker, Reader
from app.workbench import Workbench

MAX_ORDERS = 50
_HOOK_OF = {"radomica-patient-view": "patient-view", "radomica-order-select": "order-select"}
ServiceId = Annotated[str, Path(max_length=64, examples=["radomica-patient-view"])]


class Service(BaseModel):
    """One service, as discovery lists it."""

    hook: str
    title: str
    description: str
    id: str
    prefetch: dict[str, str]
    usageRequirements: str  # noqa: N815  the standard's spelling


class Services(BaseModel):
    """Discovery."""

    services: list[Service]


class HookContext(BaseModel):
    """What the EHR says of the moment; other fields are taken and not used."""

    model_config = ConfigDict(extra="allow")
    patientId: str = Field(min_length=1, max_length=200)  # noqa: N815
    selections: list[str] = Field(default_factory=list, max_length=MAX_ORDERS)
    draftOrders: dict[str, Any] | None = None  # noqa: N815


class HookCall(BaseModel):
    """A call of a service."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "hook": "patient-view", "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
                    "context": {"userId": "Practitioner/1", "patientId": "SYN-0001"},
                }
            ]
        },
    )  # fmt: skip
    hook: Literal["patient-view", "order-select"]
    hookInstance: str = Field(min_length=1, max_length=100)  # noqa: N815
    context: HookContext
    prefetch: dict[str, Any] | None = None


class CardSource(BaseModel):
    """Who says it."""

    label: str
    url: str


class CardLink(BaseModel):
    """Where to read on."""

    label: str
    url: str
    type: Literal["absolute"]


class Coding(BaseModel):
    """A reason to override, in this program's own code system."""

    code: str
    system: str
    display: str


class CardAnswer(BaseModel):
    """One card."""

    uuid: str
    summary: str = Field(max_length=139)
    detail: str
    indicator: Literal["info", "warning", "critical"]
    source: CardSource
    links: list[CardLink]
    overrideReasons: list[Coding]  # noqa: N815


class Cards(BaseModel):
    """The answer of a service; no card where nothing is to be said."""

    cards: list[CardAnswer]


class OverrideReason(BaseModel):
    """Why a card was overridden."""

    reason: Coding | None = None
    userComment: str | None = Field(default=None, max_length=2000)  # noqa: N815


class CardFeedback(BaseModel):
    """What became of one card."""

    model_config = ConfigDict(extra="allow")
    card: str = Field(min_length=1, max_length=100)
    outcome: Literal["accepted", "overridden"]
    overrideReason: OverrideReason | None = None  # noqa: N815
    outcomeTimestamp: str = Field(min_length=1, max_length=60)  # noqa: N815


class FeedbackCall(BaseModel):
    """Feedback on cards."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "feedback": [
                        {
                            "card": "0b1d0a1e-5f4b-5c7e-9a53-0d6b8f3d7e11", "outcome": "accepted",
                            "outcomeTimestamp": "2026-03-06T10:05:31Z",
                        }
                    ]
                }
            ]
        }
    )  # fmt: skip
    feedback: list[CardFeedback] = Field(min_length=1, max_length=100)


class FeedbackKept(BaseModel):
    """How many were saved."""

    saved: int


def add_cds_hooks(app: FastAPI, workbench: Workbench) -> None:
    """Add discovery, the two services and their feedback."""
    patients = _Patients(workbench)

    @app.get("/cds-services", tags=["cds-hooks"], operation_id="discover_cds_services", responses=documented())
    def discover(caller: Reader) -> Services:
        """The services here."""
        return Services(services=[_service(i, hook) for i, hook in _HOOK_OF.items()])

    @app.post(
        "/cds-services/{service_id}",
        tags=["cds-hooks"],
        operation_id="call_cds_service",
        responses=documented(400, 404),
    )
    def call(service_id: ServiceId, caller: Reader, request: Request, asked: HookCall) -> Cards:
        """Cards for the patient in view, or for the drugs being ordered."""
        _check(service_id, asked.hook)
        found = patients.find(caller, patient_ids(asked))
        if found is None:
            return Cards(cards=[])
        job, report = found
        audit(caller, f"cds {asked.hook}", case_id=job["case_id"])
        made = patient_cards(report) if asked.hook == "patient-view" else order_cards(report, ordered_drugs(asked))
        address = str(request.base_url).rstrip("/")
        return Cards(cards=[CardAnswer(**c.to_dict(job_id=job["id"], address=address)) for c in made])

    @app.post(
        "/cds-services/{service_id}/feedback", tags=["cds-hooks"], operation_id="give_cds_feedback",
        responses=documented(400, 404),
    )  # fmt: skip
    def feedback(service_id: ServiceId, caller: Asker, told: FeedbackCall) -> FeedbackKept:
        """Save what became of cards; none is saved where one of them is not known."""
        _check(service_id)
        cards = dict(patients.cards(caller, {f.card for f in told.feedback}))
        for one in told.feedback:
            if one.card not in cards:
                raise not_found("card", one.card, "the uuid of a card that this server gave you")
        for one in told.feedback:
            case_id, summary = cards[one.card]
            rating = "up" if one.outcome == "accepted" else "down"
            workbench.feedback(case_id, f"cds card: {summary}", one.outcome, rating, _comment(one), caller.name)
            audit(caller, f"cds feedback: {one.outcome}", case_id=case_id)
        return FeedbackKept(saved=len(told.feedback))


def _check(service_id: str, hook: str | None = None) -> None:
    if service_id not in _HOOK_OF or hook not in (None, _HOOK_OF[service_id]):
        raise not_found(f"service for hook {hook}" if hook else "service", service_id, "GET /cds-services")


def _service(service_id: str, hook: str) -> Service:
    titles = {
        "patient-view": (
            "Tumour-board report in short",
            "Checked statements, matched therapy rows and contradictions.",
        ),
        "order-select": ("Ordered drug against therapy rows", "A warning where a cited row speaks against the drug."),
    }
    title, description = titles[hook]
    return Service(
        hook=hook, title=title, description=f"{description} Research use only.", id=service_id,
        prefetch={"patient": "Patient/{{context.patientId}}"},
        usageRequirements="A report of the patient must be stored here; the case or its files bear the patient's id.",
    )  # fmt: skip


def patient_ids(asked: HookCall) -> tuple[str, ...]:
    """Ids the patient may be stored under: the context's, and those of a prefetched Patient."""
    found = [asked.context.patientId]
    patient = (asked.prefetch or {}).get("patient")
    if isinstance(patient, Mapping) and patient.get("resourceType") == "Patient":
        identifiers = patient.get("identifier")
        named = identifiers if isinstance(identifiers, list) else []
        found += [str(patient.get("id") or ""), *(str(i.get("value") or "") for i in named if isinstance(i, Mapping))]
    return tuple(dict.fromkeys(i for i in found if i))


def ordered_drugs(asked: HookCall) -> tuple[str, ...]:
    """Names of the selected drugs: texts and displays of MedicationRequests in draftOrders."""
    entries = (asked.context.draftOrders or {}).get("entry")
    names: list[str] = []
    for entry in entries if isinstance(entries, list) else []:
        order = entry.get("resource") if isinstance(entry, Mapping) else None
        if not isinstance(order, Mapping) or order.get("resourceType") != "MedicationRequest":
            continue
        if asked.context.selections and f"MedicationRequest/{order.get('id')}" not in asked.context.selections:
            continue
        names += _names(order)
    return tuple(dict.fromkeys(names))[:MAX_ORDERS]


def _names(order: Mapping[str, Any]) -> Iterator[str]:
    concept, reference = order.get("medicationCodeableConcept"), order.get("medicationReference")
    if isinstance(reference, Mapping) and reference.get("display"):
        yield str(reference["display"])
    if not isinstance(concept, Mapping):
        return
    coding = concept.get("coding")
    shown = [c.get("display") for c in coding if isinstance(c, Mapping)] if isinstance(coding, list) else []
    for text in (concept.get("text"), *shown):
        # "osimertinib 80 MG Oral Tablet": the drug is one of the words in front of the strength.
        words = str(text or "").split()
        yield from (" ".join(words[:n]) for n in range(1, min(len(words), 4) + 1))


def _comment(one: CardFeedback) -> str:
    reason = one.overrideReason
    parts = [one.outcomeTimestamp]
    if reason is not None:
        parts += [reason.reason.code] if reason.reason else []
        parts += [reason.userComment] if reason.userComment else []
    return "; ".join(parts)


class _Patients:
    """Which report is whose: the patient id of each finished report, read once."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._patient_of: dict[str, str] = {}  # job id -> patient id

    def find(self, caller: Caller, ids: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """(job, report) of the newest report of the patient among the caller's cases."""
        for job in reversed(list(self._latest(caller))):
            if job["case_id"] in ids or self._patient(job) in ids:
                return job, self._workbench.report_json(job)
        return None

    def cards(self, caller: Caller, wanted: set[str]) -> Iterator[tuple[str, tuple[str, str]]]:
        """(card id, (case id, summary)) of those wanted, among all cards of the caller's cases."""
        for job in self._latest(caller):
            for card in all_cards(self._workbench.report_json(job)):
                found = card_id(job["id"], card.key)
                if found in wanted:
                    yield found, (job["case_id"], card.summary)

    def _latest(self, caller: Caller) -> Iterator[dict[str, Any]]:
        for case in self._workbench.cases(caller):
            job = self._workbench.latest_report(case.case_id)
            if job is not None:
                yield job

    def _patient(self, job: Mapping[str, Any]) -> str:
        known = self._workbench.files.kept.patient_id(job["case_id"])
        if known is not None:
            return str(known)
        if job["id"] not in self._patient_of:
            self._patient_of[job["id"]] = str(self._workbench.report_json(job)["case_id"])
        return self._patient_of[job["id"]]
