"""What if: a changed copy of the patient, predicted and matched again, and the difference as hypothetical evidence.

Only what is named is changed; images, expression and every other value stay as recorded, and the sentence says so.
The copy never leaves this module's callers: it gets no report, and its evidence enters only the answer's own ledger.
Not known here: how a question is read (what_if_question.py) or asked (agent.py). NOT checked: whether the change is
biologically possible, or whether a model trained on real combinations may be asked about this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from assistant.collect_draft import Draft, word
from assistant.collect_prediction import draft_predictions
from assistant.collect_retrieval import therapy_status
from assistant.evidence import EvidenceSource
from encoders.errors import InputError
from encoders.patient import Biomarker, CopyNumber, Fusion, Patient, SourceLocator, Treatment, Variant
from encoders.prediction import PatientPrediction
from retrieval.biomarker_values import same_biomarker
from retrieval.lexicon import canonical_drug, canonical_gene
from retrieval.passage import Direction, TherapyMatch, TherapyRow
from retrieval.therapy_rows import match_rows
from retrieval.variant_class import protein_change

HYPOTHETICAL = SourceLocator("hypothetical", "what-if question")
MAX_OPTIONS = 8
"""Most therapy rows one answer tells as appearing or disappearing; the rest are counted."""

SAME = "with everything else as recorded"


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StageChange(_Change):
    """Another stage group."""

    kind: Literal["stage"] = "stage"
    stage: str = Field(pattern=r"^(0|I|II|III|IV)[ABC]?\d?$")


class EcogChange(_Change):
    """Another ECOG performance status."""

    kind: Literal["ecog"] = "ecog"
    ecog: int = Field(ge=0, le=4)


class BiomarkerChange(_Change):
    """Another result of a biomarker; ``value`` is a number in ``unit``, or a word."""

    kind: Literal["biomarker"] = "biomarker"
    name: Literal["MSI", "TMB", "PD-L1", "ER", "PR", "HER2 IHC", "MGMT"]
    value: float | str
    unit: Literal["%", "mutations/Mb"] | None = None


class VariantChange(_Change):
    """A small variant found, or not found; without ``protein``, ``exon`` and ``consequence`` name it (added), or
    every variant of the gene is meant (removed)."""

    kind: Literal["variant"] = "variant"
    gene: str = Field(max_length=20)
    protein: str | None = Field(default=None, max_length=40)
    exon: int | None = Field(default=None, ge=1, le=400)
    consequence: Literal["inframe_deletion", "inframe_insertion", "splice"] | None = None
    action: Literal["added", "removed"] = "added"


class CopyNumberChange(_Change):
    """Another copy-number call of a gene."""

    kind: Literal["copy_number"] = "copy_number"
    gene: str = Field(max_length=20)
    call: Literal["amplification", "deep deletion", "neutral"]


class FusionChange(_Change):
    """A fusion found, or none of the gene."""

    kind: Literal["fusion"] = "fusion"
    gene: str = Field(max_length=20)
    partner: str | None = Field(default=None, max_length=20)
    action: Literal["added", "removed"] = "added"


class TreatmentChange(_Change):
    """A drug already given; ``line`` None counts as the line after the last recorded one."""

    kind: Literal["treatment"] = "treatment"
    drug: str = Field(max_length=60)
    line: int | None = Field(default=None, ge=1, le=20)


Change = Annotated[
    StageChange | EcogChange | BiomarkerChange | VariantChange | CopyNumberChange | FusionChange | TreatmentChange,
    Field(discriminator="kind"),
]


def describe(change: Any) -> str:
    """A change as the clause after "if"."""
    return _CLAUSE[change.kind](change)


def _biomarker_clause(change: BiomarkerChange) -> str:
    value = f"{change.value:g}" if isinstance(change.value, float) else change.value
    return f"{change.name} were {value}" + (f" {change.unit}" if change.unit else "")


def _variant_clause(change: VariantChange) -> str:
    return f"{_variant_name(change)} were {'found' if change.action == 'added' else 'not found'}"


def _copy_number_clause(change: CopyNumberChange) -> str:
    state = {"amplification": "amplified", "deep deletion": "deleted", "neutral": "not altered in copy number"}
    return f"{change.gene} were {state[change.call]}"


def _fusion_clause(change: FusionChange) -> str:
    name = f"{change.partner}-{change.gene} fusion" if change.partner else f"{change.gene} fusion"
    return f"{name} were {'found' if change.action == 'added' else 'not found'}"


_CLAUSE: dict[str, Callable[[Any], str]] = {
    "stage": lambda c: f"the stage were {c.stage}",
    "ecog": lambda c: f"ECOG performance status were {c.ecog}",
    "biomarker": _biomarker_clause,
    "variant": _variant_clause,
    "copy_number": _copy_number_clause,
    "fusion": _fusion_clause,
    "treatment": lambda c: f"{c.drug} had been given before",
}


def _variant_name(change: VariantChange) -> str:
    if change.protein:
        return f"{change.gene} {protein_change(change.protein) or change.protein}"
    if change.exon:
        kind = (change.consequence or "variant").replace("inframe_", "in-frame ")
        return f"{change.gene} exon {change.exon} {kind}"
    return f"{change.gene} mutation"


# ---- the copy -----------------------------------------------------------------------------------------------------


def apply_changes(patient: Patient, changes: Sequence[Any]) -> tuple[Patient, tuple[Any, ...], tuple[str, ...]]:
    """The changed copy, the changes that were not so already, and what had to be assumed to make it.

    Raises
    ------
    InputError: an unknown gene or drug, a variant that is not named exactly, or changes that are all so already.
    """
    made: list[Any] = []
    assumed: list[str] = []
    for change in changes:
        changed, note = _APPLY[change.kind](patient, change)
        if changed is not patient:
            made.append(change)
            assumed += [note] if note else []
        patient = changed
    if not made:
        already = " and ".join(describe(c).replace(" were ", " is ") for c in changes)
        raise InputError(f"nothing to change: the record already has it that {already}.")
    return patient, tuple(made), tuple(dict.fromkeys(assumed))


def _gene(symbol: str) -> str:
    found = canonical_gene(symbol)
    if found is None:
        raise InputError(f"gene {symbol!r} is not known; name it by its HGNC symbol or a known alias.")
    return found


def _stage(patient: Patient, change: StageChange) -> tuple[Patient, str]:
    if (patient.diagnosis.stage or "").upper().removeprefix("STAGE").strip() == change.stage:
        return patient, ""
    return replace(patient, diagnosis=replace(patient.diagnosis, stage=change.stage)), ""


def _ecog(patient: Patient, change: EcogChange) -> tuple[Patient, str]:
    return (patient if patient.ecog == change.ecog else replace(patient, ecog=change.ecog)), ""


def _biomarker(patient: Patient, change: BiomarkerChange) -> tuple[Patient, str]:
    old = [b for b in patient.biomarkers if same_biomarker(b, change.name)]
    if any(b.value == change.value for b in old):
        return patient, ""
    kept = tuple(b for b in patient.biomarkers if b not in old)
    new = Biomarker(change.name, change.value, HYPOTHETICAL, unit=change.unit)
    return replace(patient, biomarkers=(*kept, new)), ""


def _variant(patient: Patient, change: VariantChange) -> tuple[Patient, str]:
    gene = _gene(change.gene)
    wanted = protein_change(change.protein)
    held = patient.variants or ()
    same = [v for v in held if canonical_gene(v.gene) == gene and wanted in (None, protein_change(v.protein))]
    if change.action == "removed":
        if not same and patient.variants is not None:
            return patient, ""
        return _with_variants(patient, tuple(v for v in held if v not in same))
    if wanted is None and change.consequence is None:
        raise InputError(f"which {gene} variant? Name the protein change, such as EGFR p.T790M, or exon and kind.")
    if wanted is not None and same:
        return patient, ""
    consequence = change.consequence or "missense"
    exon = str(change.exon) if change.exon else None
    new = Variant(gene, wanted, consequence, HYPOTHETICAL, exon=exon)
    return _with_variants(patient, (*held, new))


def _with_variants(patient: Patient, variants: tuple[Variant, ...]) -> tuple[Patient, str]:
    note = "" if patient.variants is not None else "the tumour counts as sequenced with no other variant"
    missing = {k: v for k, v in patient.missing.items() if k != "variants"}
    return replace(patient, variants=variants, missing=missing), note


def _copy_number(patient: Patient, change: CopyNumberChange) -> tuple[Patient, str]:
    gene = _gene(change.gene)
    held = patient.copy_number or ()
    same = [c for c in held if canonical_gene(c.gene) == gene]
    if any(c.call.lower() == change.call for c in same) or (
        change.call == "neutral" and not same and patient.copy_number is not None
    ):
        return patient, ""
    note = "" if patient.copy_number is not None else "copy number counts as measured with no other change"
    kept = tuple(c for c in held if c not in same)
    missing = {k: v for k, v in patient.missing.items() if k != "copy_number"}
    return replace(patient, copy_number=(*kept, CopyNumber(gene, change.call, HYPOTHETICAL)), missing=missing), note


def _fusion(patient: Patient, change: FusionChange) -> tuple[Patient, str]:
    gene = _gene(change.gene)
    held = patient.fusions or ()
    same = [f for f in held if gene in (canonical_gene(f.gene5), canonical_gene(f.gene3))]
    already = bool(same) if change.action == "added" else not same and patient.fusions is not None
    if already:
        return patient, ""
    note = "" if patient.fusions is not None else "fusions count as tested with no other fusion"
    new = (Fusion(_gene(change.partner) if change.partner else "unnamed partner", gene, HYPOTHETICAL),)
    kept = tuple(f for f in held if f not in same)
    fusions = (*kept, *(new if change.action == "added" else ()))
    return replace(patient, fusions=fusions, missing={k: v for k, v in patient.missing.items() if k != "fusions"}), note


def _treatment(patient: Patient, change: TreatmentChange) -> tuple[Patient, str]:
    drug = canonical_drug(change.drug)
    if drug is None:
        raise InputError(f"drug {change.drug!r} is not known; write its generic name.")
    if any(canonical_drug(t.drug) == drug for t in patient.treatments):
        return patient, ""
    lines = [t.line for t in patient.treatments if t.line is not None]
    line = change.line or max(lines, default=0) + 1
    note = "" if change.line else f"{drug} counts as line {line}"
    return replace(patient, treatments=(*patient.treatments, Treatment(drug, HYPOTHETICAL, line=line))), note


_APPLY: dict[str, Callable[[Patient, Any], tuple[Patient, str]]] = {
    "stage": _stage, "ecog": _ecog, "biomarker": _biomarker, "variant": _variant, "copy_number": _copy_number,
    "fusion": _fusion, "treatment": _treatment,
}  # fmt: skip


# ---- the difference -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WhatIf:
    """change : the clause after "if"; drafts : the difference as evidence without ids; left_out : rows not told."""

    change: str
    drafts: tuple[Draft, ...]
    left_out: tuple[str, ...] = ()


def ask_what_if(
    patient: Patient,
    changes: Sequence[Any],
    now: PatientPrediction,
    predict: Callable[[Patient], PatientPrediction],
    rows: Sequence[TherapyRow],
) -> WhatIf:
    """Predict and match the changed copy; the difference to ``now`` as drafts.

    Raises
    ------
    InputError: no change, or one that cannot be made (``apply_changes``).
    """
    if not changes:
        raise InputError("no change was named; name a stage, ECOG, biomarker, variant, fusion or earlier drug.")
    copy, made, assumed = apply_changes(patient, changes)
    clause = " and ".join(describe(c) for c in made)
    given = {"change": word(f"if {clause}")}
    if assumed:
        given["assumption"] = word("; ".join(assumed))
    risk = _risk_difference(clause, given, patient, now, copy, predict(copy))
    options, left_out = _option_difference(clause, given, match_rows(patient, rows), match_rows(copy, rows))
    return WhatIf(clause, (*risk, *options), left_out)


def _opening(clause: str, given: dict[str, Any]) -> str:
    extra = f", and {given['assumption'].display}" if "assumption" in given else ""
    return f"Hypothetical, if {clause} {SAME}{extra}: "


def _survival(patient: Patient, prediction: PatientPrediction) -> Draft | None:
    kept = tuple(p for p in prediction.predictions if p.task == "survival")
    drafts = draft_predictions(patient, replace(prediction, predictions=kept, attributions=()))
    return next((d for d in drafts if d.type == "survival"), None)


_NOW_AND_THEN = ("risk_group", "percentile", "survival_24m", "interval_24m")


def _risk_difference(
    clause: str, given: dict[str, Any], patient: Patient, now: PatientPrediction, copy: Patient, then: PatientPrediction
) -> tuple[Draft, ...]:
    """One draft: old risk -> new risk; none where the survival model cannot read the patient."""
    old, new = _survival(patient, now), _survival(copy, then)
    if old is None or new is None or "percentile" not in old.fields or "percentile" not in new.fields:
        return ()
    fields = dict(given)
    for name in _NOW_AND_THEN:
        if name in old.fields and name in new.fields:
            fields[f"{name}_now"], fields[f"{name}_then"] = old.fields[name], new.fields[name]
    score = {p.task: p.value for p in now.predictions}, {p.task: p.value for p in then.predictions}
    step = score[1]["survival"] - score[0]["survival"]
    fields["effect"] = word("no change" if abs(step) < 1e-6 else ("higher risk" if step > 0 else "lower risk"))
    fields["reliability"] = new.fields["reliability"]
    shown = {name: f.display for name, f in fields.items()}
    text = f"{_opening(clause, given)}the survival model would give {shown['effect']}, "
    text += f"the {shown['percentile_then']} instead of the {shown['percentile_now']} of risk"
    text += f" ({shown['risk_group_then']} instead of {shown['risk_group_now']} risk group)"
    if "survival_24m_then" in shown:
        text += f"; predicted 24-month survival would be {shown['survival_24m_then']}"
        text += f" (95 % interval {shown['interval_24m_then']}) instead of {shown['survival_24m_now']}"
        text += f" (95 % interval {shown['interval_24m_now']})"
    text += f"; the changed input is {shown['reliability']}."
    return (Draft("hypothetical_risk", text, fields, new.source, rank=90, label="risk"),)


def _offered(match: TherapyMatch | None) -> bool:
    return match is not None and therapy_status(match) == "offered"


def _option_difference(
    clause: str, given: dict[str, Any], before: Sequence[TherapyMatch], after: Sequence[TherapyMatch]
) -> tuple[tuple[Draft, ...], tuple[str, ...]]:
    old, new = {m.row.row_id: m for m in before}, {m.row.row_id: m for m in after}
    drafts: list[Draft] = []
    for row_id in dict.fromkeys((*new, *old)):
        was, would = old.get(row_id), new.get(row_id)
        row = (would or was).row  # type: ignore[union-attr]  one of the two holds it
        if _offered(would) and not _offered(was):
            drafts.append(_option(clause, given, row, "appears", "", len(drafts)))
        elif _offered(was) and not _offered(would):
            why = "; ".join(would.excluded) if would is not None else "its biomarker rule would no longer hold"
            drafts.append(_option(clause, given, row, "disappears", why, len(drafts)))
        elif was is None and would is not None and row.direction is Direction.RESISTANCE:
            drafts.append(_option(clause, given, row, "resistance appears", "", len(drafts)))
    if not drafts:
        fields = {**given, "effect": word("no change")}
        text = f"{_opening(clause, given)}no therapy option would appear or disappear."
        return (Draft("hypothetical_therapy", text, fields, EvidenceSource(), rank=60, label="no change"),), ()
    return tuple(drafts[:MAX_OPTIONS]), tuple(d.label for d in drafts[MAX_OPTIONS:])


_WOULD = {
    "appears": "would become an option",
    "disappears": "would no longer be an option",
    "resistance appears": "would be expected to fail, resistance",
}


def _option(clause: str, given: dict[str, Any], row: TherapyRow, effect: str, why: str, index: int) -> Draft:
    drug = " + ".join(row.drugs)
    fields = {
        **given, "effect": word(effect), "drug": word(drug), "biomarker": word(row.rule.text),
        "disease": word(row.disease_name), "level": word(f"level {row.level}"), "level_system": word(row.level_system),
    }  # fmt: skip
    text = f"{_opening(clause, given)}{drug} {_WOULD[effect]} with {row.rule.text} in {row.disease_name}, "
    text += f"{row.level_system} level {row.level}"
    if row.line:
        fields["line"] = word(row.line)
        text += f", {row.line}"
    if why:
        fields["reason"] = word(why)
        text += f"; reason: {why}"
    source = EvidenceSource(row_id=row.row_id, pmid=row.pmid, date=row.reviewed, place=row.source)
    return Draft("hypothetical_therapy", f"{text}.", fields, source, rank=80 - index, label=f"{effect}: {drug}")
