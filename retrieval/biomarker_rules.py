"""Does a biomarker rule hold for a patient? Yes with the alterations that made it so, no, or not known.

What this module does not know: diseases, lines, drugs; whether a panel covered a gene (a patient with a
variant table counts as sequenced for every gene); pathogenicity of a variant beyond the rule's own words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from encoders.errors import ContractError
from encoders.patient import Biomarker, Fusion, Patient, Variant
from retrieval.biomarker_values import COMPARE, analyte_and_score, plain, same_biomarker, value_holds
from retrieval.lexicon import canonical_gene
from retrieval.passage import BiomarkerRule
from retrieval.variant_class import exons, inactivates, is_protein_change, skips_met_exon14, variant_class


class Truth(StrEnum):
    """What is known about a rule in one patient."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class RuleResult:
    """``truth`` with the patient's alterations in words, their keys (see TherapyMatch), reasons and cautions."""

    truth: Truth
    matched_on: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()  # why it fails or is not known, where a reader would ask
    cautions: tuple[str, ...] = ()


FAILS = RuleResult(Truth.FAILS)

FUSION_GENES = frozenset(("ALK", "ROS1", "RET", "NTRK1", "NTRK2", "NTRK3", "NRG1"))
"""Genes whose driver is a rearrangement: wild type means no fusion was found, and a fusion test was done."""

INACTIVATED_GENES = frozenset(
    (
        *("BRCA1", "BRCA2", "ATM", "ATR", "BARD1", "BRIP1", "CDK12", "CHEK1", "CHEK2", "FANCA", "FANCL", "MLH1"),
        *("MRE11", "NBN", "PALB2", "RAD51B", "RAD51C", "RAD51D", "RAD54L", "TSC1", "TSC2", "NF1", "PTCH1", "VHL"),
    )
)
"""Genes whose rows are about loss of function: a missense change counts only where it is known to be pathogenic."""

SERUM_MARKERS = frozenset(("AFP",))
"""Markers that records keep among laboratory values rather than tumour biomarkers."""


def gene_name(symbol: str) -> str:
    """The HGNC symbol of a gene as written; a gene outside the lexicon keeps its own name."""
    return canonical_gene(symbol) or symbol


def variant_key(variant: Variant) -> str:
    """The key that ties a therapy row to a variant's evidence: "variant:EGFR:p.L858R"."""
    return f"variant:{variant.gene}:{variant.protein or variant.coding or variant.consequence}"


def variant_words(variant: Variant) -> str:
    """A variant as a clinician reads it: "EGFR p.L858R", "germline" said where it is."""
    change = variant.protein or variant.coding or variant.consequence
    return f"{variant.gene} {change}" + (" (germline)" if variant.germline else "")


def check_rule(patient: Patient, rule: BiomarkerRule) -> RuleResult:
    """Whether ``rule`` holds for the patient: its own kind, then the co-mutations, wild types and further rules.

    Raises
    ------
    ContractError: the rule's kind or comparison is not one this module knows.
    """
    check = _KINDS.get(rule.kind)
    if check is None:
        raise ContractError(
            f"biomarker rule kind {rule.kind!r} is unknown; allowed: {', '.join(_KINDS)}. Correct the row."
        )
    result = check(patient, rule)
    for gene in rule.requires:
        result = _both(
            result, _mutation(patient, BiomarkerRule(kind="mutation", text=f"{gene} mutation", genes=(gene,)))
        )
    for gene in dict.fromkeys((*rule.absent, *(rule.genes if rule.kind == "wild_type" else ()))):
        result = _both(result, _wild_type_gene(patient, gene))
    for stated in _stated_conditions(rule):
        result = _both(result, _biomarker(patient, stated))
    for further in rule.also:
        result = _both(result, check_rule(patient, further))
    return result


def _both(first: RuleResult, second: RuleResult) -> RuleResult:
    """Both must hold: a failure outweighs an unknown, an unknown outweighs a hold."""
    order = (Truth.FAILS, Truth.UNKNOWN, Truth.HOLDS)
    return RuleResult(
        truth=min(first.truth, second.truth, key=order.index),
        matched_on=first.matched_on + second.matched_on,
        keys=first.keys + second.keys,
        reasons=first.reasons + second.reasons,
        cautions=first.cautions + second.cautions,
    )


def _unknown(what: str, why: str) -> RuleResult:
    return RuleResult(Truth.UNKNOWN, reasons=(f"{what} status unknown: {why}",))


def _reason_missing(patient: Patient, modality: str, default: str) -> str:
    return patient.missing.get(modality, default)


def _variant_fits(variant: Variant, rule: BiomarkerRule) -> bool:
    """All fields the rule fills must fit; within one field any entry will do."""
    germline_only = "germline" in rule.text.lower() and "somatic" not in rule.text.lower()
    somatic_only = "somatic" in rule.text.lower() and "germline" not in rule.text.lower()
    if (germline_only and not variant.germline) or (somatic_only and variant.germline):
        return False
    if rule.exons == (14,) and rule.classes == ("splice",) and gene_name(variant.gene) == "MET":
        return skips_met_exon14(variant)
    if rule.variants and not any(is_protein_change(variant, wanted) for wanted in rule.variants):
        return False
    kind = variant_class(variant)
    if kind is None or (rule.classes and "any" not in rule.classes and kind not in rule.classes):
        return False
    return not rule.exons or bool(exons(variant) & set(rule.exons))


def _mutation(patient: Patient, rule: BiomarkerRule) -> RuleResult:
    if patient.variants is None:
        return _unknown("/".join(rule.genes), _reason_missing(patient, "variants", "no sequencing"))
    wanted = {gene_name(g) for g in rule.genes}
    found = tuple(v for v in patient.variants if gene_name(v.gene) in wanted and _variant_fits(v, rule))
    if not found:
        return FAILS
    cautions = tuple(
        f"{variant_words(v)}: the row does not say whether germline variants count"
        for v in found
        if v.germline and "germline" not in rule.text.lower()
    )
    return RuleResult(
        Truth.HOLDS,
        tuple(variant_words(v) for v in found),
        tuple(variant_key(v) for v in found),
        cautions=cautions + _unclassified(found),
    )


def _unclassified(found: tuple[Variant, ...]) -> tuple[str, ...]:
    """Missense changes of genes whose loss is what counts; nothing to say where an inactivating change stands by."""
    genes_lost = {gene_name(v.gene) for v in found if inactivates(v)}
    return tuple(
        f"{variant_words(v)} is a missense change; the row needs one classified as pathogenic"
        for v in found
        if gene_name(v.gene) in INACTIVATED_GENES - genes_lost and variant_class(v) == "missense"
    )


def _loss(patient: Patient, rule: BiomarkerRule) -> RuleResult:
    """A gene lost by a truncating or splice variant, or by deep deletion; absent only when both were tested."""
    wanted = {gene_name(g) for g in rule.genes}
    broken = [v for v in patient.variants or () if gene_name(v.gene) in wanted and inactivates(v)]
    deleted = [
        c
        for c in patient.copy_number or ()
        if gene_name(c.gene) in wanted and c.call.strip().lower() == "deep deletion"
    ]
    if broken or deleted:
        return RuleResult(
            Truth.HOLDS,
            (*(variant_words(v) for v in broken), *(f"{c.gene} {c.call}" for c in deleted)),
            (*(variant_key(v) for v in broken), *(f"copy_number:{c.gene}" for c in deleted)),
        )
    for modality, data in (("variants", patient.variants), ("copy_number", patient.copy_number)):
        if data is None:
            return _unknown(f"{'/'.join(rule.genes)} loss", _reason_missing(patient, modality, f"no {modality}"))
    return FAILS


def _copy_number(patient: Patient, rule: BiomarkerRule) -> RuleResult:
    if patient.copy_number is None:
        return _unknown("/".join(rule.genes), _reason_missing(patient, "copy_number", "no copy-number data"))
    calls = {"amplification": {"amplification"}, "deletion": {"deep deletion"}}[rule.kind]
    wanted = {gene_name(g) for g in rule.genes}
    found = [c for c in patient.copy_number if gene_name(c.gene) in wanted and c.call.strip().lower() in calls]
    if not found:
        return FAILS
    return RuleResult(
        Truth.HOLDS, tuple(f"{c.gene} {c.call}" for c in found), tuple(f"copy_number:{c.gene}" for c in found)
    )


def _fusion_words(fusion: Fusion) -> str:
    return f"{fusion.gene5}-{fusion.gene3} fusion"


def _fusion(patient: Patient, rule: BiomarkerRule) -> RuleResult:
    if patient.fusions is None:
        return _unknown("/".join(rule.genes), _reason_missing(patient, "fusions", "no fusion test"))
    wanted = {gene_name(g) for g in rule.genes}
    found = [f for f in patient.fusions if wanted & {gene_name(f.gene5), gene_name(f.gene3)}]
    if not found:
        return FAILS
    return RuleResult(
        Truth.HOLDS,
        tuple(_fusion_words(f) for f in found),
        tuple(f"fusion:{f.gene5}-{f.gene3}" for f in found),
        cautions=tuple(f"{_fusion_words(f)} is reported out of frame" for f in found if f.in_frame is False),
    )


def _wild_type_gene(patient: Patient, gene: str) -> RuleResult:
    """Wild type = tested and not altered; a fusion gene is tested by a fusion assay, any other by sequencing."""
    name = gene_name(gene)
    fusions = [f for f in patient.fusions or () if name in (gene_name(f.gene5), gene_name(f.gene3))]
    if fusions:
        return RuleResult(Truth.FAILS, reasons=(f"{_fusion_words(fusions[0])} found; the row needs {gene} unaltered",))
    if name == "ERBB2":
        return _her2_not_amplified(patient)
    if name in FUSION_GENES:
        if patient.fusions is None:
            return _unknown(gene, _reason_missing(patient, "fusions", "no fusion test"))
        return RuleResult(Truth.HOLDS, matched_on=(f"no {gene} fusion",))
    return _no_mutation(patient, gene)


def _no_mutation(patient: Patient, gene: str) -> RuleResult:
    if patient.variants is None:
        return _unknown(gene, _reason_missing(patient, "variants", "no sequencing"))
    same_gene = [v for v in patient.variants if gene_name(v.gene) == gene_name(gene)]
    altered = [variant_words(v) for v in same_gene if variant_class(v) is not None]
    if altered:
        return RuleResult(Truth.FAILS, reasons=(f"{altered[0]} found; the row needs {gene} wild type",))
    return RuleResult(Truth.HOLDS, matched_on=(f"{gene} wild type",))


def _her2_not_amplified(patient: Patient) -> RuleResult:
    """HER2-negative = no ERBB2 amplification and not IHC 3+; a mutation of ERBB2 leaves it negative.

    References
    ----------
    Wolff et al., J Clin Oncol 2023, DOI 10.1200/JCO.22.02864 (ASCO/CAP: IHC 3+ or amplified is positive).
    """
    if any(
        gene_name(c.gene) == "ERBB2" and c.call.strip().lower() == "amplification" for c in patient.copy_number or ()
    ):
        return RuleResult(Truth.FAILS, reasons=("ERBB2 amplification found; the row needs HER2 not amplified",))
    rule = BiomarkerRule(kind="biomarker", text="HER2 IHC 3+", biomarker="HER2 IHC", comparison="=", threshold="3+")
    stained = _biomarker(patient, rule)
    if stained.truth is Truth.HOLDS:
        return RuleResult(Truth.FAILS, reasons=("HER2 IHC 3+ found; the row needs HER2 not amplified",))
    if patient.copy_number is None and stained.truth is Truth.UNKNOWN:
        return _unknown("HER2", _reason_missing(patient, "copy_number", "no copy-number data") + ", no HER2 IHC")
    return RuleResult(Truth.HOLDS, matched_on=("HER2 not amplified",))


def _biomarker(patient: Patient, rule: BiomarkerRule) -> RuleResult:
    if rule.comparison not in COMPARE:
        allowed = ", ".join(COMPARE)
        raise ContractError(
            f"rule {rule.text!r} compares with {rule.comparison!r}; allowed: {allowed}. Correct the row."
        )
    wanted = rule.biomarker or ""
    recorded = [b for b in (*patient.biomarkers, *_serum_markers(patient)) if same_biomarker(b, wanted)]
    if not recorded:
        return _unknown(wanted, "not in the record")
    latest = max(recorded, key=lambda b: b.date or "")
    shown = f"{latest.name} {latest.value}" + (f" {latest.unit}" if latest.unit else "")
    holds = value_holds(latest.value, str(rule.comparison), rule.threshold, analyte=analyte_and_score(wanted)[0])
    if holds is None:
        return _unknown(wanted, f"{shown!r} cannot be compared with {rule.comparison} {rule.threshold}")
    return RuleResult(Truth.HOLDS, (shown,), (f"biomarker:{latest.name}",)) if holds else FAILS


def _serum_markers(patient: Patient) -> tuple[Biomarker, ...]:
    """Serum markers that stand among the laboratory values, in the unit the rules use (ug/L is ng/mL)."""
    return tuple(
        Biomarker(lab.name, lab.value, lab.source, unit="ng/mL", date=lab.date)
        for lab in patient.labs
        if analyte_and_score(lab.name)[0] in SERUM_MARKERS and plain(lab.unit) in ("ngml", "ugl", "mcgl")
    )


def _stated_conditions(rule: BiomarkerRule) -> tuple[BiomarkerRule, ...]:
    """Conditions a rule's text states beyond its one biomarker field: triple-negative needs PR, a CPS needs PD-L1."""
    found = []
    if "triple-negative" in rule.text.lower() and rule.biomarker != "PR":
        found.append(
            BiomarkerRule(kind="biomarker", text="PR negative", biomarker="PR", comparison="=", threshold="negative")
        )
    cps = re.search(r"PD-L1 CPS of at least (\d+)", rule.text)
    if cps and not (rule.biomarker or "").startswith("PD-L1"):
        found.append(
            BiomarkerRule(
                kind="biomarker", text=cps[0], biomarker="PD-L1 CPS", comparison=">=", threshold=float(cps[1])
            )
        )
    return tuple(found)


def _always(patient: Patient, rule: BiomarkerRule) -> RuleResult:
    """A rule without a biomarker of its own; check_rule adds the wild types and co-mutations."""
    return RuleResult(Truth.HOLDS)


_KINDS: Mapping[str, Callable[[Patient, BiomarkerRule], RuleResult]] = {
    "mutation": _mutation,
    "amplification": _copy_number,
    "deletion": _copy_number,
    "loss": _loss,
    "fusion": _fusion,
    "biomarker": _biomarker,
    "wild_type": _always,
    "none": _always,
}
