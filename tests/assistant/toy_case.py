# ruff: noqa: E501
"""A small hand-made lung case: every modality the ledger knows, values chosen so that none equals another."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from encoders.kaplan_meier import fit_kaplan_meier
from encoders.lesion_change import lesion_change
from encoders.patient import (
    Biomarker,
    CopyNumber,
    Diagnosis,
    Expression,
    Fusion,
    ImagingModality,
    ImagingSeries,
    IntensityUnit,
    Lab,
    Medication,
    Note,
    Patient,
    Segment,
    SourceLocator,
    Treatment,
    Variant,
)
from encoders.prediction import (
    Attribution,
    DiameterSum,
    Embeddings,
    FollowUpStatus,
    LesionFollowUp,
    Measurement,
    PatientPrediction,
    Prediction,
    SurvivalCurve,
)
from retrieval.passage import (
    BiomarkerRule,
    Direction,
    Hit,
    NeighbourSurvival,
    Passage,
    Retrieved,
    SimilarCase,
    TherapyMatch,
    TherapyRow,
)


def _series(uid: str, modality: ImagingModality, role: str, unit: IntensityUnit) -> ImagingSeries:
    mask = np.zeros((6, 8, 8), dtype=bool)
    mask[2:4, 2:5, 2:5] = True
    source = SourceLocator(f"{role}/0001.dcm")
    return ImagingSeries(
        modality=modality, series_uid=uid, date="2024-03-01", volume=np.zeros((6, 8, 8), dtype=np.float32), unit=unit,
        spacing_mm=(5.0, 2.0, 2.0), affine_lps=np.eye(4), source=source, role=role,
        segments=(Segment("lesion", mask, source),),
    )  # fmt: skip


def toy_patient(**changes: object) -> Patient:
    table = SourceLocator("omics/variants.maf", "row 3")
    record = SourceLocator("record.json", "Condition/1")
    values: dict[str, object] = {
        "patient_id": "TOY-1",
        "oncotree_code": "LUAD",
        "sex": "female",
        "age_years": 63.4,
        "diagnosis": Diagnosis(histology="acinar adenocarcinoma", stage="IIIA", tnm_edition="AJCC 8", grade="2",
                               date="2024-02-11", site="lung"),
        "ecog": 1,
        "treatments": (Treatment("cisplatin", record, line=1, start="2024-04-02", response="partial response"),),
        "medications": (Medication("warfarin", record),),
        "labs": (Lab("haemoglobin", 11.2, "g/dL", record, date="2024-03-05"),),
        "biomarkers": (Biomarker("PD-L1", 55.0, record, unit="%"), Biomarker("TMB", 7.5, record, unit="mutations/Mb")),
        "imaging": (
            _series("1.2.3", ImagingModality.CT, "CT chest", IntensityUnit.HU),
            _series("1.2.4", ImagingModality.PT, "FDG-PET", IntensityUnit.SUVBW),
        ),
        "expression": Expression(("MKI67", "TOP2A", "SFTPC"), np.ones(3, dtype=np.float32), "TPM", SourceLocator("rna.tsv")),
        "variants": (
            Variant("EGFR", "p.L858R", "Missense_Mutation", table, allele_fraction=0.34, depth=210),
            Variant("TP53", "p.R175H", "Missense_Mutation", table, allele_fraction=0.27, depth=180),
            Variant("KEAP1", None, "Silent", table),
        ),
        "copy_number": (CopyNumber("MET", "amplification", SourceLocator("cn.tsv"), log2_ratio=2.31),
                        CopyNumber("CDKN2A", "deep deletion", SourceLocator("cn.tsv"), log2_ratio=-1.84)),
        "fusions": (Fusion("EML4", "ALK", SourceLocator("fusions.tsv"), in_frame=True),),
        "notes": (
            Note("Seen in clinic. Cough has eased since March and she walks two miles daily.",
                 SourceLocator("notes/clinic.txt"), date="2024-05-06", title="clinic letter"),
        ),
        "missing": MappingProxyType({"methylation": "no methylation array was ordered"}),
        "synthetic": True,
    }  # fmt: skip
    return Patient(**{**values, **changes})  # type: ignore[arg-type]


def toy_prediction(**changes: object) -> PatientPrediction:
    months = np.array([0, 12, 24, 36], dtype=np.float32)
    curve = SurvivalCurve(
        months, np.array([1, 0.81, 0.58, 0.4]), np.array([1, 0.72, 0.46, 0.2]), np.array([1, 0.88, 0.69, 0.6])
    )
    card, weight_hash = "fusion-1", "abcdef0123456789"
    heat = np.zeros((6, 8, 8), dtype=np.float32)
    heat[2:4, 2:5, 2:5] = 1.0
    heat[0, 0, 0:6] = 1.0
    values: dict[str, object] = {
        "embeddings": Embeddings({"imaging": np.ones((1, 4), dtype=np.float32)}, np.ones(4, dtype=np.float32), weight_hash),
        "predictions": (
            Prediction("survival", 0.6, card, weight_hash, percentile=71.6, reference_cohort="synthetic reference cohort",
                       curve=curve, inputs=("imaging", "expression", "clinical"),
                       contributions={"imaging": 0.45, "expression": 0.30, "clinical": -0.10}),
            Prediction("cancer_type", 0.97, card, weight_hash, label="LUAD", probability=0.97, inputs=("imaging",)),
            Prediction("molecular:EGFR", 0.87, card, weight_hash, label="mutated", probability=0.87, inputs=("imaging",)),
            Prediction("appearance:margin", 0.91, card, weight_hash, label="spiculated", probability=0.91),
            Prediction("appearance:necrosis", 0.83, card, weight_hash, label="absent", probability=0.83),
            Prediction("appearance:texture", 0.76, card, weight_hash, label="heterogeneous", probability=0.76),
            Prediction("appearance:uptake", 0.93, card, weight_hash, label="high", probability=0.93,
                       source_series_uid="1.2.4"),
            Prediction("expression:proliferation", 0.88, card, weight_hash, label="high", probability=0.88),
            Prediction("expression:immune_infiltration", 0.79, card, weight_hash, label="low", probability=0.79),
        ),
        "attributions": (
            Attribution("survival", "integrated_gradients", "mean of the cohort",
                        {"MKI67": 0.3, "TOP2A": 0.2, "SFTPC": -0.25}, completeness_error=0.004),
            Attribution("survival", "grad_cam", "none", {}, map=heat, series_uid="1.2.3",
                        sanity={"deletion": (True, 0.21)}),
        ),
        "measurements": (
            Measurement("1.2.3", "lesion", 12.4, 38.2, 21.3, 34.0, 96.0, "HU", 2, date="2024-03-01",
                        p10_intensity=-21.4, p90_intensity=71.2),
            Measurement("1.2.4", "lesion", 10.9, 33.1, 19.2, 4.6, 9.7, "SUVbw", 3, date="2024-03-01", suv_peak=7.8,
                        not_measurable="PT gives no diameter by RECIST"),
        ),
        "not_predicted": MappingProxyType({}),
        "versions": MappingProxyType({"fusion": weight_hash}),
        "follow_up": (
            LesionFollowUp("1.2.3", "1.2.1", "2024-03-01", "2023-09-14", FollowUpStatus.COMPARED, "lesion",
                           "longest diameter", lesion_change(28.4, 38.2), "the only outlined lesion in each study", (1, 1)),
        ),
        "diameter_sums": (DiameterSum("1.2.3", "1.2.1", "2024-03-01", "2023-09-14", 3, 61.0, 74.0),),
    }  # fmt: skip
    return PatientPrediction(**{**values, **changes})  # type: ignore[arg-type]


def _row(row_id: str, drugs: tuple[str, ...], rule: BiomarkerRule, direction: Direction, **extra: object) -> TherapyRow:
    values: dict[str, object] = {
        "row_id": row_id, "drugs": drugs, "disease": "LUAD", "disease_name": "lung adenocarcinoma", "rule": rule,
        "direction": direction, "level": "1", "level_system": "OncoKB", "source": "hand-written row",
        "reviewed": "2025-01-15",
    }  # fmt: skip
    return TherapyRow(**{**values, **extra})  # type: ignore[arg-type]


def toy_neighbours() -> NeighbourSurvival:
    """12 neighbours: 83 % (10 of 12) alive at 12 months, median 30 months (6 of 12), 50 % alive at 36 months."""
    months = np.array([6.0, 10, 18, 26, 26, 30, 40, 44, 48, 50, 50, 50])
    neighbours = fit_kaplan_meier(months, np.arange(12) < 9)
    everyone = fit_kaplan_meier(np.append(months, np.full(18, 70.0)), np.arange(30) < 9)
    return NeighbourSurvival(neighbours, everyone, "LUAD", "synthetic reference cohort", synthetic=True)


def toy_retrieved(**changes: object) -> Retrieved:
    egfr = BiomarkerRule("mutation", "EGFR L858R", genes=("EGFR",), variants=("L858R",))
    kras = BiomarkerRule("mutation", "EGFR L858R", genes=("EGFR",))
    met = BiomarkerRule("amplification", "MET amplification", genes=("MET",))
    osimertinib = _row(
        "R1", ("osimertinib",), egfr, Direction.SENSITIVITY, line="first line", approval="FDA approved", trial="FLAURA",
        pmid="29151359", statement="Osimertinib prolonged progression-free survival compared with gefitinib or erlotinib",
        contraindications=("long QT interval",),
    )  # fmt: skip
    gefitinib = _row("R2", ("gefitinib",), kras, Direction.SENSITIVITY, level="3")
    resistant = _row("R3", ("erlotinib",), met, Direction.RESISTANCE, level="R2")
    values: dict[str, object] = {
        "passages": (
            Hit(Passage("g1", "Stage III lung cancer", "long text",
                        "Concurrent chemoradiotherapy followed by durvalumab is a standard option for unresectable stage III "
                        "disease, but durvalumab is not advised when an EGFR mutation is present",
                        "Guideline summary", pmid="28885881", date="2023-06-01"), 0.9, {"bm25": 1}),
        ),
        "therapies": (
            TherapyMatch(osimertinib, "exact", ("EGFR p.L858R",), ("variant:EGFR:p.L858R",), cautions=("warfarin",)),
            TherapyMatch(gefitinib, "exact", ("EGFR p.L858R",), ("variant:EGFR:p.L858R",),
                         excluded=("superseded by osimertinib",)),
            TherapyMatch(resistant, "exact", ("MET amplification",), ("copy_number:MET",)),
        ),
        "similar_cases": (
            SimilarCase("SYN-7", 0.94, "LUAD", ("EGFR mutated", "spiculated margin"), 31.0, False, synthetic=True,
                        cohort="synthetic reference cohort"),
            SimilarCase("SYN-9", 0.92, "LUAD", ("stage IIIA",), 17.0, True, synthetic=True,
                        cohort="synthetic reference cohort"),
            SimilarCase("SYN-4", 0.90, "LUAD", ("high uptake",), 26.0, True, synthetic=True,
                        cohort="synthetic reference cohort"),
        ),
        "versions": MappingProxyType({"knowledge": "k1"}),
        "neighbour_survival": toy_neighbours(),
    }  # fmt: skip
    return Retrieved(**{**values, **changes})  # type: ignore[arg-type]
