"""A patient in a few words of JSON, as the therapy match takes him when no files are at hand.

What is left out counts as unknown, never as absent: ``variants`` null = not sequenced, [] = sequenced, none found.
Genes, drugs and the OncoTree code are looked up and refused where unknown. Not known here: how rows match.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from encoders import oncotree
from encoders.errors import InputError
from encoders.patient import (
    Biomarker,
    CopyNumber,
    Diagnosis,
    Fusion,
    Lab,
    Medication,
    Patient,
    SourceLocator,
    Treatment,
    Variant,
)
from retrieval.lexicon import canonical_drug, canonical_gene

GIVEN = SourceLocator("request", "inline patient summary")

Short = Field(min_length=1, max_length=60)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class GivenVariant(_Part):
    """A small variant. ``consequence`` : a Sequence Ontology or MAF word, such as missense_variant."""

    gene: str = Short
    protein: str | None = Field(default=None, max_length=60, examples=["p.L858R"])
    consequence: str = Field(default="missense_variant", max_length=60)
    exon: int | None = Field(default=None, ge=1, le=400)
    germline: bool = False


class GivenCopyNumber(_Part):
    """The copy-number state of a gene."""

    gene: str = Short
    call: Literal["amplification", "gain", "neutral", "loss", "deep deletion"]


class GivenFusion(_Part):
    """A fusion, 5' partner first."""

    gene5: str = Short
    gene3: str = Short


class GivenBiomarker(_Part):
    """A result that is no gene: TMB, MSI, PD-L1, ER ... with its unit where it is a number."""

    name: str = Short
    value: float | str
    unit: str | None = Field(default=None, max_length=30)


class GivenTreatment(_Part):
    """A drug already given."""

    drug: str = Short
    line: int | None = Field(default=None, ge=1, le=20)
    response: str | None = Field(default=None, max_length=80)


class GivenLab(_Part):
    """A laboratory value with its unit."""

    name: str = Short
    value: float
    unit: str = Field(max_length=30)


class PatientSummary(_Part):
    """One patient in short. Fields as in encoders/patient.py; ``stage`` such as IIIA."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "oncotree_code": "LUAD", "stage": "IVA", "ecog": 1, "sex": "female", "age_years": 63,
                    "variants": [{"gene": "EGFR", "protein": "p.L858R"}], "treatments": [],
                    "biomarkers": [{"name": "PD-L1", "value": 20, "unit": "%"}],
                }
            ]
        },
    )  # fmt: skip
    oncotree_code: str = Field(min_length=1, max_length=20)
    stage: str | None = Field(default=None, pattern=r"^(0|I|II|III|IV)[ABC]?\d?$")
    ecog: int | None = Field(default=None, ge=0, le=5)
    sex: Literal["female", "male"] | None = None
    age_years: float | None = Field(default=None, ge=0, le=130)
    variants: list[GivenVariant] | None = Field(default=None, max_length=200)
    copy_number: list[GivenCopyNumber] | None = Field(default=None, max_length=200)
    fusions: list[GivenFusion] | None = Field(default=None, max_length=50)
    biomarkers: list[GivenBiomarker] = Field(default_factory=list, max_length=50)
    treatments: list[GivenTreatment] = Field(default_factory=list, max_length=50)
    medications: list[str] = Field(default_factory=list, max_length=100)
    labs: list[GivenLab] = Field(default_factory=list, max_length=100)

    def to_patient(self) -> Patient:
        """The same as a Patient.

        Raises
        ------
        InputError: an OncoTree code, gene or drug that is not known.
        """
        if not oncotree.is_code(self.oncotree_code):
            raise InputError(f"OncoTree code {self.oncotree_code!r} is not known; codes are as in OncoTree, e.g. LUAD.")
        return Patient(
            patient_id="inline",
            oncotree_code=self.oncotree_code,
            sex=self.sex,
            age_years=self.age_years,
            diagnosis=Diagnosis(stage=self.stage),
            ecog=self.ecog,
            treatments=tuple(
                Treatment(_drug(t.drug), GIVEN, line=t.line, response=t.response) for t in self.treatments
            ),
            medications=tuple(Medication(name[:60], GIVEN) for name in self.medications),
            labs=tuple(Lab(x.name, x.value, x.unit, GIVEN) for x in self.labs),
            biomarkers=tuple(Biomarker(b.name, b.value, GIVEN, unit=b.unit) for b in self.biomarkers),
            variants=None if self.variants is None else tuple(_variant(v) for v in self.variants),
            copy_number=None
            if self.copy_number is None
            else tuple(CopyNumber(_gene(c.gene), c.call, GIVEN) for c in self.copy_number),
            fusions=None
            if self.fusions is None
            else tuple(Fusion(_gene(f.gene5), _gene(f.gene3), GIVEN) for f in self.fusions),
        )


def _variant(given: GivenVariant) -> Variant:
    exon = str(given.exon) if given.exon else None
    return Variant(_gene(given.gene), given.protein, given.consequence, GIVEN, exon=exon, germline=given.germline)


def _gene(symbol: str) -> str:
    found = canonical_gene(symbol)
    if found is None:
        raise InputError(f"gene {symbol!r} is not known; name it by its HGNC symbol or a known alias.")
    return found


def _drug(name: str) -> str:
    found = canonical_drug(name)
    if found is None:
        raise InputError(f"drug {name!r} is not known; write its generic name.")
    return found
