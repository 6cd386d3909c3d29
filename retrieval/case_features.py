"""What two patients share and in what they differ, in words: only what is known of both.

Features are those of reference_cohort.json: sex, age decade, stage, grade, appearance and expression words, genes,
and biomarkers reported in words (the shipped cohort names none).
What this module does not know: how alike two embeddings are; whether a shared feature made them so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from encoders.clinical import stage_level
from encoders.patient import Patient
from encoders.prediction import PatientPrediction
from encoders.vocabulary import APPEARANCE, EXPRESSION_PROFILES, MOLECULAR_LABELS
from retrieval.variant_class import variant_class

_GROUPS = ("0", "I", "II", "III", "IV")
_DECADE = 10


def shared_features(own: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """Features of equal value, the most telling first; stages of one group (IIIA, IIIB) share that group."""
    found = {name: value for name, value in other.items() if own.get(name) == value}
    words = {name: feature_words(name, value) for name, value in found.items()}
    group = _stage_group(other.get("stage"))
    if "stage" not in found and group is not None and group == _stage_group(own.get("stage")):
        found["stage"], words["stage"] = group, f"stage group {group}"
    return tuple(words[name] for name in _most_telling(found))


def differing_features(own: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """Features known of both in different values, the most telling first: "EGFR not altered (patient altered)".

    Stages of one group and neighbouring age decades are no telling difference and are left out.
    """
    found = {n: v for n, v in other.items() if n in own and own[n] != v and not _near(n, own[n], v)}
    return tuple(f"{feature_words(n, found[n])} (patient {_bare(n, own[n])})" for n in _most_telling(found, apart=True))


def _near(name: str, one: str, other: str) -> bool:
    if name == "stage":
        return _stage_group(one) is not None and _stage_group(one) == _stage_group(other)
    decades = [int(v.removesuffix("s")) for v in (one, other) if v.removesuffix("s").isdigit()]
    return name == "age" and len(decades) == 2 and abs(decades[0] - decades[1]) <= _DECADE


def _stage_group(stage: str | None) -> str | None:
    level = stage_level(stage)
    return None if level is None else _GROUPS[round(level)]


def _most_telling(found: Mapping[str, str], *, apart: bool = False) -> Iterable[str]:
    """Genes, stage, grade, appearance, expression, others; then what is absent in both; sex and age last."""

    def rank(name: str) -> tuple[int, str]:
        order = ("stage", "grade", *APPEARANCE, *EXPRESSION_PROFILES)
        if name in ("sex", "age"):
            return 200, name
        if not apart and found[name] in ("not altered", "absent"):
            return 100, name
        return (0 if name in MOLECULAR_LABELS else 1 + order.index(name) if name in order else 50), name

    return sorted(found, key=rank)


def feature_words(name: str, value: str) -> str:
    """A feature as it is read: "EGFR altered", "spiculated margin", "high proliferation", "stage IIIA"."""
    if name in APPEARANCE or name in EXPRESSION_PROFILES:
        attribute = name.replace("_", " ")
        return f"{attribute} {value}" if value in ("absent", "present") else f"{value} {attribute}"
    if name == "sex":
        return f"{value} sex"
    if name == "age":
        return f"age {_bare(name, value)} years" if value[:-1].isdigit() else value
    if name in ("stage", "grade"):
        return value if name in value.lower() else f"{name} {value}"
    return f"{name} {value}"


def _bare(name: str, value: str) -> str:
    """The value alone, as it stands after "patient"."""
    if name == "age" and value[:-1].isdigit():
        return f"{value.removesuffix('s')} to {int(value.removesuffix('s')) + _DECADE - 1}"
    return value


def patient_features(patient: Patient, prediction: PatientPrediction) -> Mapping[str, str]:
    """The patient's features under the names of reference_cohort.json: recorded where recorded, else predicted.

    Appearance and expression words are the model's reading; genes count as "altered" or "not altered" only
    where they were tested.
    """
    known = {"sex": patient.sex, "stage": patient.diagnosis.stage, "grade": patient.diagnosis.grade}
    if patient.age_years is not None:
        known["age"] = f"{_DECADE * int(patient.age_years // _DECADE)}s"
    found = {name: value for name, value in known.items() if value}
    for predicted in prediction.predictions:
        kind, _, name = predicted.task.partition(":")
        if kind in ("appearance", "expression") and predicted.label:
            found[name] = predicted.label
    for gene, (cancer, positive) in MOLECULAR_LABELS.items():
        state = _gene_state(patient, gene, positive)
        if state is not None and patient.oncotree_code in (None, cancer):
            found[gene] = state
    return found | {b.name: b.value for b in patient.biomarkers if isinstance(b.value, str)}


def _gene_state(patient: Patient, gene: str, positive: str) -> str | None:
    if positive == "amplified":
        if patient.copy_number is None:
            return None
        altered = any(c.gene == gene and c.call == "amplification" for c in patient.copy_number)
    else:
        if patient.variants is None:
            return None
        altered = any(v.gene == gene and variant_class(v) is not None for v in patient.variants)
    return "altered" if altered else "not altered"
