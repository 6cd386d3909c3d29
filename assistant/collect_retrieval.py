"""Similar cases, guideline passages and therapy rows as evidence.

A case of a synthetic cohort is called synthetic in its field and its text, so no claim can hide it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from assistant.collect_draft import Draft, neutralise, percent, percent_range, quantity, sentence, word
from assistant.evidence import EvidenceSource, Field
from encoders.kaplan_meier import KaplanMeier, fit_kaplan_meier
from retrieval.passage import Direction, Hit, NeighbourSurvival, Retrieved, SimilarCase, TherapyMatch

IMPORTED = "imported from "
"""How the place of an evidence begins whose row a user imported."""

_DISEASE_RANK = {"exact": 20, "parent": 14, "tumour_agnostic": 10, "other_disease": 0}


def draft_retrieved(retrieved: Retrieved) -> Iterator[Draft]:
    """Every S and G evidence of the case."""
    for index, case in enumerate(retrieved.similar_cases):
        yield _similar(case, index)
    if retrieved.similar_cases:
        yield _summary(retrieved.similar_cases)
    if retrieved.neighbour_survival is not None and retrieved.neighbour_survival.neighbours is not None:
        yield _neighbours(retrieved.neighbour_survival, retrieved.neighbour_survival.neighbours)
    for index, match in enumerate(retrieved.therapies):
        yield _therapy(match, index)
    for index, hit in enumerate(h for h in retrieved.passages if h.passage.patient_id is None):
        yield _passage(hit, index)


def _similar(case: SimilarCase, index: int) -> Draft:
    kind = "synthetic case" if case.synthetic else "case"
    outcome = "died" if case.event else "alive at last follow-up"
    fields = {
        "case": Field(value=case.case_id, display=f"{kind} {case.case_id}"),
        "similarity": quantity(case.similarity, None, digits=2),
        "followup": quantity(case.followup_months, "months", digits=0),
        "outcome": word(outcome),
    }
    text = f"Similar {fields['case'].display} (similarity {fields['similarity'].display})"
    if case.shared:
        fields["shared"] = Field(value=case.shared[:4], display=", ".join(case.shared[:4]))
        text += f" shares {fields['shared'].display}"
    text += f"; follow-up {fields['followup'].display}, {outcome}."
    source = EvidenceSource(row_id=case.case_id, place=case.cohort or None)
    return Draft("similar_case", text, fields, source, rank=45 - index, label=case.case_id)


def _summary(cases: Sequence[SimilarCase]) -> Draft:
    synthetic = all(c.synthetic for c in cases)
    curve = fit_kaplan_meier(np.array([c.followup_months for c in cases]), np.array([c.event for c in cases], bool))
    median = curve.median_months
    kind = "synthetic cases" if synthetic else "cases"
    fields: dict[str, Field] = {"count": Field(value=len(cases), display=f"{len(cases)} {kind}")}
    fields["median_survival"] = quantity(median, "months", digits=0) if median is not None else word("not reached")
    text = f"Among the {fields['count'].display} most similar to the patient, median survival is "
    text += fields["median_survival"].display
    if max(c.followup_months for c in cases) >= 24:
        fields["alive_24m"] = percent(curve.probability_at(24))
        text += f" and {fields['alive_24m'].display} are estimated alive at 24 months"
    return Draft("similar_summary", f"{text}.", fields, EvidenceSource(place=cases[0].cohort or None), rank=60)


def _neighbours(found: NeighbourSurvival, curve: KaplanMeier) -> Draft:
    """The survival of many neighbours in one sentence. It says "events", not "deaths": the checker then still tells
    the share alive from the share that died."""
    kind = "synthetic cases" if found.synthetic else "cases"
    fields: dict[str, Field] = {
        "count": Field(value=curve.n, display=f"{curve.n} {kind}"),
        "events": quantity(curve.events, "events" if curve.events != 1 else "event", digits=0),
    }
    median, (low, high) = curve.median_months, curve.median_interval_months
    fields["median_survival"] = quantity(median, "months", digits=0) if median is not None else word("not reached")
    text = f"Kaplan-Meier estimate of the {fields['count'].display} most similar to the patient, "
    text += f"{fields['events'].display}: median survival is {fields['median_survival'].display}"
    if low is not None and high is not None:
        fields["median_interval"] = Field(
            value=f"{low:.0f}-{high:.0f}", display=f"{low:.0f} months to {high:.0f} months", unit="months"
        )
        text += f", 95 % interval {fields['median_interval'].display}"
    year, later = curve.share_at(12), curve.share_at(36)
    if year is not None:
        fields["alive_12m"] = percent(year.share)
        fields["interval_12m"] = percent_range(year.lower, year.upper)
        text += f"; at 12 months {fields['alive_12m'].display} are estimated alive"
        text += f", 95 % interval {fields['interval_12m'].display}"
    if later is not None:
        fields["alive_36m"] = percent(later.share)
        text += f"; at 36 months {fields['alive_36m'].display} are estimated alive"
    if "median_interval" in fields or "interval_12m" in fields:
        fields["interval_level"] = percent(0.95)
    return Draft("neighbour_survival", f"{text}.", fields, EvidenceSource(place=found.cohort or None), rank=40)


def _passage(hit: Hit, index: int) -> Draft:
    passage = hit.passage
    # The title of a document that somebody added is text from outside, as its sentences are.
    title = passage.title if passage.document_id is None else neutralise(passage.title, limit=160)
    fields = {"title": word(title), "statement": word(neutralise(passage.statement, limit=420))}
    if passage.date:
        fields["date"] = word(passage.date)
    text = f"{title}: {sentence(fields['statement'].display)}"
    source = EvidenceSource(
        row_id=passage.passage_id, pmid=passage.pmid, url=passage.url, date=passage.date, place=passage.locator or None,
        file=passage.source or None,
    )  # fmt: skip
    return Draft("passage", text, fields, source, rank=30 - index, label=title)


def therapy_status(match: TherapyMatch) -> str:
    """ "offered", or "excluded: why". A resistance row is never offered."""
    if match.excluded:
        return f"excluded: {'; '.join(match.excluded)}"
    if match.row.direction is Direction.RESISTANCE:
        return "excluded: predicts resistance"
    return "offered"


def _therapy(match: TherapyMatch, index: int) -> Draft:
    row = match.row
    status = therapy_status(match)
    offered = status == "offered"
    drug = " + ".join(row.drugs)
    fields: dict[str, Field] = {
        "drug": Field(value=row.drugs, display=drug),
        "biomarker": word(row.rule.text),
        "disease": word(row.disease_name),
        "direction": word(row.direction.value),
        "level": Field(value=row.level, display=f"level {row.level}"),
        "level_system": word(row.level_system),
        "status": word(status),
    }
    approval = "off-label: evidence from another disease" if match.disease_match == "other_disease" else row.approval
    cautions = tuple(dict.fromkeys((*match.cautions, *row.contraindications)))
    for name, value in (("line", row.line), ("approval", approval), ("trial", row.trial)):
        if value:
            fields[name] = word(value)
    if cautions:
        fields["contraindications"] = Field(value=cautions, display="; ".join(cautions))
    text = f"{drug}: {row.direction.value} with {row.rule.text} in {row.disease_name}"
    text += f", {row.level_system} level {row.level}"
    text += f", {IMPORTED}{row.imported_from}" if row.imported_from else ""
    text += f", {row.line}" if row.line else ""
    text += f"; {approval}" if approval else ""
    text += f"; trial {row.trial}" if row.trial else ""
    text += f"; matched on {', '.join(match.matched_on)}" if match.matched_on else ""
    text += f"; status {status}"
    text += f"; weigh {fields['contraindications'].display}" if cautions else ""
    text += f". {sentence(row.statement)}" if row.statement else "."
    place = f"{IMPORTED}{row.imported_from}: {row.source}" if row.imported_from else row.source
    source = EvidenceSource(row_id=row.row_id, pmid=row.pmid, date=row.reviewed or None, place=place)
    rank = (
        (50 if offered else 25)
        - 10 * (row.imported_from is not None)
        + _DISEASE_RANK.get(match.disease_match, 0)
        - index * 0.1
    )
    return Draft("therapy", text, fields, source, rank=rank, label=f"{drug} for {row.rule.text}")
