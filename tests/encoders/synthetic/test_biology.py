"""The cohort's hidden biology: frequencies, balance, and a hazard that no single modality explains."""

from __future__ import annotations

import numpy as np
import pytest

from encoders.errors import InputError
from encoders.synthetic.cohort import SyntheticCase, sample_case
from encoders.synthetic.genes import GENES, PROGRAM_OF, PROGRAMS
from encoders.synthetic.genotype import HAZARD, LABEL_FREQUENCY
from encoders.synthetic.omics import ALTERATION_EFFECTS
from encoders.vocabulary import APPEARANCE, CANCERS, EXPRESSION_PROFILES, MOLECULAR_LABELS

PER_CANCER = 400
GROUPS = ("imaging", "expression", "genotype", "clinical")


@pytest.fixture(scope="module")
def light() -> dict[str, list[SyntheticCase]]:
    return {code: [sample_case(i, 21, code, imaging=False) for i in range(PER_CANCER)] for code in CANCERS}


def test_every_truth_word_is_in_the_vocabulary(light):
    for code, cases in light.items():
        for case in cases:
            truth = case.truth
            assert {a: w in APPEARANCE[a][code] for a, w in truth.appearance.items()} == {
                a: True for a, by in APPEARANCE.items() if code in by
            }
            assert set(truth.expression) == set(EXPRESSION_PROFILES)
            assert set(truth.molecular) == {g for g, (cancer, _) in MOLECULAR_LABELS.items() if cancer == code}


@pytest.mark.parametrize("code", CANCERS)
def test_appearance_is_balanced(light, code):
    for attribute, by in APPEARANCE.items():
        if code in by:
            share = np.mean([c.truth.appearance[attribute] == by[code][1] for c in light[code]])
            assert 0.42 <= share <= 0.58, attribute


@pytest.mark.parametrize("gene", MOLECULAR_LABELS)
def test_label_frequency_is_the_stated_one(light, gene):
    cases = light[MOLECULAR_LABELS[gene][0]]
    assert np.mean([c.truth.molecular[gene] for c in cases]) == pytest.approx(LABEL_FREQUENCY[gene], abs=0.08)


def test_mutation_frequencies_follow_the_cited_figures(light):
    def share(code: str, gene: str) -> float:
        return float(np.mean([gene in {v.gene for v in c.patient.variants} for c in light[code]]))

    assert share("LUAD", "TP53") == pytest.approx(0.46, abs=0.08)
    assert share("CCRCC", "VHL") == pytest.approx(0.52, abs=0.08)
    assert share("BRCA", "PIK3CA") == pytest.approx(0.36, abs=0.08)
    assert share("CCRCC", "PBRM1") == pytest.approx(0.33, abs=0.08)


def test_egfr_and_kras_exclude_each_other(light):
    for case in light["LUAD"]:
        assert not {"EGFR", "KRAS"} <= {v.gene for v in case.patient.variants}


def test_labels_agree_with_the_molecular_files(light):
    for gene, (code, _) in MOLECULAR_LABELS.items():
        for case in light[code]:
            if gene == "ERBB2":
                found = any(r.gene == gene and r.call == "amplification" for r in case.patient.copy_number)
            else:
                found = gene in {v.gene for v in case.patient.variants}
            assert found == case.truth.molecular[gene]


@pytest.mark.parametrize("code", CANCERS)
def test_no_group_explains_the_hazard_alone(light, code):
    parts = np.array([[c.truth.latent[f"log_hazard_{g}"] for g in GROUPS] for c in light[code]])
    total = parts.sum(1)
    for column, group in enumerate(GROUPS):
        share = np.cov(parts[:, column], total)[0, 1] / total.var(ddof=1)
        assert 0.10 <= share <= 0.45, (group, share)


@pytest.mark.parametrize("code", CANCERS)
def test_censoring_is_between_a_quarter_and_two_fifths(light, code):
    events = [c.truth.event for c in light[code]]
    assert 0.25 - 0.04 <= 1 - np.mean(events) <= 0.40 + 0.04
    assert all(c.truth.followup_months > 0 for c in light[code])


def test_expression_profiles_are_read_from_the_programmes(light):
    """The mean of the cell-cycle and T-cell genes tells high from low in at least 95 % of patients."""
    for name, program in (("proliferation", "cell_cycle"), ("immune_infiltration", "t_cell")):
        for code, cases in light.items():
            at = [GENES.index(g) for g in PROGRAMS[program]]
            score = np.array([np.log2(c.patient.expression.values[at] + 1).mean() for c in cases])
            high = np.array([c.truth.expression[name] == EXPRESSION_PROFILES[name][1] for c in cases])
            cut = (score[high].mean() + score[~high].mean()) / 2
            assert ((score > cut) == high).mean() >= 0.95, (name, code)


def test_erbb2_amplification_raises_erbb2(light):
    at = GENES.index("ERBB2")
    logs = np.array([np.log2(c.patient.expression.values[at] + 1) for c in light["BRCA"]])
    positive = np.array([c.truth.molecular["ERBB2"] for c in light["BRCA"]])
    assert logs[positive].mean() - logs[~positive].mean() > 2.5


def test_cases_are_deterministic_and_imaging_changes_nothing_else():
    a, b = sample_case(5, 3, imaging=False), sample_case(5, 3)
    assert a.truth == b.truth
    np.testing.assert_array_equal(a.patient.expression.values, b.patient.expression.values)
    assert a.patient.variants == b.patient.variants
    assert a.patient.missing["imaging"]
    again = sample_case(5, 3)
    for one, two in zip(b.patient.imaging, again.patient.imaging, strict=True):
        np.testing.assert_array_equal(one.volume, two.volume)
        assert one.sop_instance_uids == two.sop_instance_uids


def test_ids_name_the_cancer_and_differ_between_seeds():
    assert sample_case(12, 0, "LUAD", imaging=False).patient.patient_id == "SYN-LUAD-000012"
    assert sample_case(12, 7, "LUAD", imaging=False).patient.patient_id == "SYN-LUAD-700012"


def test_gene_tables_are_consistent():
    assert len(GENES) == len(set(GENES)) >= 700
    assert sum(len(g) for g in PROGRAMS.values()) == len(PROGRAM_OF)
    assert {g for effect in ALTERATION_EFFECTS.values() for g in effect} <= set(GENES)
    assert set(HAZARD) == set(CANCERS)


@pytest.mark.parametrize(
    ("index", "seed", "code", "match"),
    [(-1, 0, None, "index must be in"), (0, -1, None, "seed 0 or above"), (0, 0, "XYZ", "allowed: LUAD, DIFG")],
)
def test_bad_requests_are_refused(index, seed, code, match):
    with pytest.raises(InputError, match=match):
        sample_case(index, seed, code)
