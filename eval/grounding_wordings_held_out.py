"""Honest sentences that were held out first, in the form of eval/grounding_wordings.py.

Written before the second round of mending. First run: 23.1 % of 208 refused, 1 of 208 corrupted passed; then looked at
and mended for, so that their figure is not one to quote: that is eval/grounding_wordings_fresh.py.
"""

from __future__ import annotations

from collections.abc import Mapping


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


FIRST_HELD_OUT: Mapping[str, tuple[str, ...]] = {
    "demographics": _lines("""
        {sex} patient, age {age}.
        The patient, a {woman}, is {age} years old.
    """),
    "diagnosis": _lines("""
        {disease} was confirmed in {date_my}.
        The recorded tumour stage [[is]] {stage} ({tnm_edition}).
        {she} has {stage} {disease}.
        Tumour histology: {histology}.
        Diagnosed {date_mdy}: {disease}, {grade_plain}.
    """),
    "performance": _lines("""
        ECOG {ps} at presentation.
        {her} ECOG status [[is]] {ps}.
    """),
    "treatment": _lines("""
        {line} treatment with {brand} produced {response}.
        {drug} was commenced in {start_my}.
        The only previous therapy was {drug}.
    """),
    "medication": _lines("""
        {drug} [[is]] part of the current medication.
        Ongoing medication: {drug}.
    """),
    "lab": _lines("""
        {name} stood at {value} on {date_mdy}.
        Blood tests on {date_dmy} showed {name} {value}.
    """),
    "note": _lines("""
        Per the note of {date_mdy}: "{quote}"
        The clinician's note ({date_dmy}) says "{quote}"
    """),
    "absent": _lines("""
        {modality} has <<not ||negation||>>been tested.
        We have <<no||negation||the>> {modality} data.
        {test} could be performed because {modality} data are missing.
    """),
    "series": _lines("""
        A {role} study from {date_my} is available.
        {role} was done on {date_mdy}.
    """),
    "lesion": _lines("""
        The {ld} lesion on {series} has a short axis of {sa}.
        Volume of the lesion on {series}: {volume}.
        The tumour has a longest diameter of {ld_cm} ({series}).
        Mean intensity of the lesion [[was]] {mean}.
    """),
    "lesion_intensity": _lines("""
        The maximum SUV of the lesion on {series} was {suv_max}.
        Mean attenuation on {series} [[is]] {mean}.
    """),
    "appearance": _lines("""
        By the image network, the {attribute} is {finding}.
        The lesion's {attribute} looks {finding} on imaging.
    """),
    "variant": _lines("""
        A {gene} mutation ({v3}) was found, with a VAF of {af_pct}.
        The {gene} {v1} mutation was detected in {af_pct} of reads.
        {gene} harbours the {consequence} variant {v3}.
        Mutational analysis: {gene} {v1}.
    """),
    "copy_number": _lines("""
        {gene} {call} was seen.
        Copy-number {call} of {gene} [[was]] found.
    """),
    "biomarker": _lines("""
        The measured {name} [[is]] {value}.
        {name} came back as {value}.
    """),
    "expression_profile": _lines("""
        {attribute} appears {finding} on RNA expression.
        The tumour's expression profile indicates {finding} {attribute}.
    """),
    "survival": _lines("""
        The model gives a 24-month survival probability of {s24}.
        Predicted survival is {s12} at one year.
        The patient is in the {risk_group} risk group according to the model.
    """),
    "molecular_prediction": _lines("""
        {gene} {label} is predicted from imaging with {prob_pct} probability.
        The image-derived estimate is {gene} {label}.
    """),
    "cancer_type_prediction": _lines("""
        Predicted cancer type: {label} (probability {probability}).
    """),
    "contribution": _lines("""
        {top} data had the greatest weight in the survival prediction.
        The survival model relied mainly on {top} data ({top_share}).
    """),
    "gene_attribution": _lines("""
        High attribution of {up1} <<raises||direction||lowers>> the predicted risk.
        {down1} <<lowers||direction||raises>> the model's predicted risk.
    """),
    "heatmap": _lines("""
        {overlap} of the heat map on {series} lies inside the lesion outline.
        The explanation map for {series} {deletion} the deletion test.
    """),
    "similar_case": _lines("""
        {case}, one of the similar cases, {outcome_verb} after {followup}.
        The similar case {case} has a similarity of {similarity}.
    """),
    "neighbour_survival": _lines("""
        Median survival in {count_n} similar cases: {median}.
        At 1 year, {alive12} of the similar cases were alive.
    """),
    "passage": _lines("""
        A published trial reports: {statement}
        Evidence from the literature: {statement}
    """),
    "therapy": _lines("""
        {brand} is a {line_hyphen} option for {biomarker}.
        {drug} could be considered for {biomarker} based on {trial}.
        {biomarker} supports the use of {drug} ({level_system} {level}).
        {drug} holds {approval} approval for {biomarker}.
    """),
    "therapy_excluded": _lines("""
        {drug} [[is]] excluded because {reason}.
        {brand} was <<excluded||direction||recommended>> for this patient: {reason}.
    """),
    "variant+variant": _lines("""
        {a.gene} {a.v1} and {b.gene} {b.v1} are present.
        Detected variants were {a.gene} {a.v3} and {b.gene} {b.v3}.
    """),
    "demographics+diagnosis": _lines("""
        {a.age}-year-old {a.sex}, {b.disease}, {b.stage}.
    """),
    "biomarker+biomarker": _lines("""
        {a.name}: {a.value}; {b.name}: {b.value}.
    """),
    "variant+therapy": _lines("""
        {b.drug} targets tumours with {a.gene} {a.v1} and is an option.
    """),
}  # fmt: skip
"""As ``KNOWN`` of eval/grounding_wordings.py."""
