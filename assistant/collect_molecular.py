"""Molecular evidence: variants, copy number, fusions, biomarkers, and what the expression network reads.

``effect`` of a variant is the class of its protein change, never a claim about its clinical meaning.
"""

from __future__ import annotations

from collections.abc import Iterator

from assistant.collect_draft import Draft, located, plain_number, quantity, word
from assistant.evidence import Field
from encoders.patient import Patient, Variant
from encoders.prediction import PatientPrediction
from encoders.vocabulary import MOLECULAR_LABELS
from retrieval.passage import Retrieved

# MAF Variant_Classification and Sequence Ontology terms -> (words a reader knows, class of protein change)
_CONSEQUENCE: dict[str, tuple[str, str | None]] = {
    "missense_mutation": ("missense", "amino-acid substitution"),
    "missense_variant": ("missense", "amino-acid substitution"),
    "missense": ("missense", "amino-acid substitution"),
    "nonsense_mutation": ("nonsense", "protein-truncating"),
    "stop_gained": ("nonsense", "protein-truncating"),
    "frame_shift_del": ("frameshift deletion", "protein-truncating"),
    "frame_shift_ins": ("frameshift insertion", "protein-truncating"),
    "frameshift_variant": ("frameshift", "protein-truncating"),
    "in_frame_del": ("in-frame deletion", "in-frame change"),
    "inframe_deletion": ("in-frame deletion", "in-frame change"),
    "in_frame_ins": ("in-frame insertion", "in-frame change"),
    "inframe_insertion": ("in-frame insertion", "in-frame change"),
    "splice_site": ("splice-site", "splice change"),
    "splice_acceptor_variant": ("splice-site", "splice change"),
    "splice_donor_variant": ("splice-site", "splice change"),
    "splice_region": ("splice-region", None),
    "translation_start_site": ("start-lost", None),
    "start_lost": ("start-lost", None),
    "nonstop_mutation": ("stop-lost", None),
}
_SILENT = {
    "silent", "synonymous_variant", "intron", "intron_variant", "3'utr", "5'utr", "3'flank", "5'flank", "igr", "rna",
    "intergenic_variant", "upstream_gene_variant", "downstream_gene_variant",
    "3_prime_utr_variant", "5_prime_utr_variant",
}  # fmt: skip


def draft_molecular(patient: Patient, prediction: PatientPrediction, retrieved: Retrieved) -> Iterator[Draft]:
    """Every M evidence; alterations that a therapy row matched come first."""
    matched = {key for match in retrieved.therapies for key in match.alteration_keys}
    for variant in patient.variants or ():
        if variant.consequence.lower() not in _SILENT:
            yield _variant(variant, matched)
    for change in patient.copy_number or ():
        if change.call != "neutral":
            yield from _copy_number(patient, change.gene, matched)
    for fusion in patient.fusions or ():
        name = f"{fusion.gene5}-{fusion.gene3}"
        frame = {True: ", in frame", False: ", out of frame", None: ""}[fusion.in_frame]
        fields = {"name": word(name), "partner5": word(fusion.gene5), "partner3": word(fusion.gene3)}
        yield Draft(
            "fusion", f"The fusion {name} was found{frame}.", fields, located(fusion.source), rank=95, label=name
        )
    for biomarker in patient.biomarkers:
        yield _biomarker(patient, biomarker.name)
    for predicted in prediction.predictions:
        if predicted.task.startswith("expression:") and predicted.label:
            attribute = predicted.task.partition(":")[2].replace("_", " ")
            fields = {"attribute": word(attribute), "finding": word(predicted.label)}
            text = f"The expression network reads {attribute} as {predicted.label}"
            if predicted.probability is not None:
                fields["probability"] = quantity(predicted.probability, None, digits=2)
                text += f", probability {fields['probability'].display}"
            source = located(patient.expression.source if patient.expression else None)
            yield Draft(
                "expression_profile", f"{text}.", fields, source, rank=60,
                perceived=("finding",), perceived_from="expression", label=attribute,
            )  # fmt: skip


def silent_count(patient: Patient) -> int:
    """How many variants are left out because they do not change the protein."""
    return sum(v.consequence.lower() in _SILENT for v in patient.variants or ())


def _variant(variant: Variant, matched: set[str]) -> Draft:
    shown, effect = _CONSEQUENCE.get(variant.consequence.lower(), (variant.consequence.replace("_", " ").lower(), None))
    name = variant.protein or variant.coding or f"{shown} variant"
    fields: dict[str, Field] = {"gene": word(variant.gene), "variant": word(name), "consequence": word(shown)}
    text = f"{variant.gene} {name} ({shown}{', germline' if variant.germline else ', somatic'}) was found"
    if variant.allele_fraction is not None:
        fields["allele_fraction"] = quantity(variant.allele_fraction, None, digits=2)
        text += f" at an allele fraction of {fields['allele_fraction'].display}"
    if variant.depth is not None:
        fields["depth"] = Field(value=variant.depth, display=f"{variant.depth} reads", unit="reads")
        text += f" and a depth of {fields['depth'].display}"
    if effect:
        fields["effect"] = word(effect)
        text += f"; {effect}"
    rank = 60.0 + 10 * (variant.allele_fraction or 0)
    if any(k.startswith(f"variant:{variant.gene}:") and k.endswith(f":{variant.protein}") for k in matched):
        rank += 40
    elif variant.gene in MOLECULAR_LABELS:
        rank += 20
    return Draft("variant", f"{text}.", fields, located(variant.source), rank=rank, label=f"{variant.gene} {name}")


def _copy_number(patient: Patient, gene: str, matched: set[str]) -> Iterator[Draft]:
    change = next(c for c in patient.copy_number or () if c.gene == gene)
    fields: dict[str, Field] = {"gene": word(gene), "call": word(change.call)}
    text = f"Copy number of {gene}: {change.call}"
    if change.log2_ratio is not None:
        fields["log2_ratio"] = quantity(change.log2_ratio, None, digits=2)
        text += f" (log2 ratio {fields['log2_ratio'].display})"
    strong = change.call in ("amplification", "deep deletion")
    rank = 50.0 + 15 * strong + 30 * (f"copy_number:{gene}" in matched) + 10 * (gene in MOLECULAR_LABELS)
    rank += min(abs(change.log2_ratio or 0), 4.0)
    yield Draft("copy_number", f"{text}.", fields, located(change.source), rank=rank, label=f"{gene} {change.call}")


def _biomarker(patient: Patient, name: str) -> Draft:
    marker = next(b for b in patient.biomarkers if b.name == name)
    if isinstance(marker.value, str):
        shown = marker.value
    else:
        shown = f"{plain_number(marker.value)} {marker.unit}" if marker.unit else plain_number(marker.value)
    fields = {"name": word(name), "value": Field(value=marker.value, display=shown, unit=marker.unit)}
    text = f"{name} is {shown}" + (f" ({marker.date})" if marker.date else "")
    return Draft("biomarker", f"{text}.", fields, located(marker.source, date=marker.date), rank=72, label=name)
