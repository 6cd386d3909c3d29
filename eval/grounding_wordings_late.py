"""More honest sentences of the labelled set, in the form of eval/grounding_wordings.py.

They were held out in a first round (11.3 % of 238 refused, 0 of 238 corrupted passed), then looked at and mended for.
"""

from __future__ import annotations

from collections.abc import Mapping


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


LATE: Mapping[str, tuple[str, ...]] = {
    "demographics": _lines("""
        The patient is a {woman} of {age}.
        {sex}, {age} years of age.
    """),
    "diagnosis": _lines("""
        {she} was diagnosed with {disease} on {date_dmy}.
        The stage at diagnosis [[was]] {stage}.
        The pathological diagnosis is {histology}, {grade_plain}.
        {disease}, {stage_arabic}, diagnosed {date_my}.
        Known {stage} {disease}.
    """),
    "performance": _lines("""
        ECOG performance score: {ps}.
        The patient is in ECOG {ps} condition.
    """),
    "treatment": _lines("""
        The patient received {brand} starting {start_dmy}.
        Response to {drug} [[was]] {response}.
        Earlier therapy: {drug} ({line}).
        Since {start_my}, {she} has been treated with {drug}.
    """),
    "medication": _lines("""
        Current medications: {drug}.
        {she} also takes {drug}.
    """),
    "lab": _lines("""
        The most recent {name} was {value} ({date_dmy}).
        Lab results of {date_mdy}: {name} {value}.
    """),
    "note": _lines("""
        In the note of {date_dmy} the clinician writes: "{quote}"
        "{quote}", according to the note from {date_my}.
    """),
    "absent": _lines("""
        There are <<no ||negation||>>{modality} data, so {would_change} cannot be determined.
        {modality} data were <<not ||negation||>>provided.
        Missing: {modality}. Suggested: {test}.
    """),
    "series": _lines("""
        Imaging includes {role} from {date_dmy}.
        The {role} examination dated {date_mdy} has {slices}.
    """),
    "lesion": _lines("""
        There is a {ld} lesion on {series}.
        Maximum diameter on {series}: {ld_cm}.
        The tumour [[measures]] {ld} by {sa}, with a volume of {volume}.
        Lesion volume [[was]] estimated at {volume}.
        In the short axis it measures {sa_cm} on {series}.
    """),
    "lesion_intensity": _lines("""
        SUVmax was {suv_max} on {series}.
        Mean lesion intensity: {mean}.
        The lesion reaches an SUVpeak of {suv_peak} and an SUVmax of {suv_max}.
    """),
    "appearance": _lines("""
        The image model rates {attribute} as {finding}.
        The lesion [[shows]] {finding} {attribute}.
        {attribute} is {finding} according to the image network ({prob_pct}).
    """),
    "variant": _lines("""
        A {gene} {v3} mutation [[was]] identified in the tumour.
        DNA sequencing detected {gene} {v1} at {af_pct} VAF.
        Tumour sequencing: {gene} {v1} ({consequence}).
        {gene} {v3} was <<found||negation||not found>> in the sequenced sample.
        The {gene} gene carries a {v1} {consequence} substitution.
        {gene} {v3} had an allele fraction of {af} at {depth} reads.
    """),
    "copy_number": _lines("""
        {call} [[was]] found in {gene}.
        The {gene} locus shows {call} with log2 ratio {log2}.
    """),
    "fusion": _lines("""
        {name} fusion detected by sequencing.
        The {name} fusion [[is]] present.
    """),
    "biomarker": _lines("""
        {name} [[was]] measured at {value}.
        A {name} of {value} was reported.
    """),
    "expression_profile": _lines("""
        The transcriptome shows {finding} {attribute}.
        {finding} {attribute} is seen in the expression data.
    """),
    "pathway": _lines("""
        The {pathway} pathway [[is]] {direction}.
    """),
    "survival": _lines("""
        Estimated survival at 2 years is {s24} ({i24}).
        The model places {her} risk at the {percentile}, i.e. {risk_group} risk.
        Predicted 12-month survival: {s12} (95 % CI {i12}).
        The model predicts <<overall||direction||disease-free>> survival of {s12} at one year.
    """),
    "molecular_prediction": _lines("""
        From the images, the network predicts {gene} {label} with probability {probability}.
        Imaging-based prediction: {gene} {label} ({prob_pct}).
    """),
    "cancer_type_prediction": _lines("""
        The model identifies {label} as the most likely cancer type ({prob_pct}).
    """),
    "contribution": _lines("""
        {top} data contributed {top_share} to the survival prediction.
        The prediction relied most on {top} information.
    """),
    "gene_attribution": _lines("""
        Expression of {up1} <<raised||direction||lowered>> the predicted risk.
        {down1} and {down2} <<reduced||direction||increased>> the predicted risk.
    """),
    "heatmap": _lines("""
        On {series}, {overlap} of the saliency lies in the lesion.
        The deletion test for {series} {deletion}.
    """),
    "similar_case": _lines("""
        The closest match, {case}, {outcome_verb} at {followup}.
        Similar patient {case} has a similarity score of {similarity}.
    """),
    "similar_summary": _lines("""
        The {count_n} closest cases had a median survival of {median}.
    """),
    "neighbour_survival": _lines("""
        Kaplan-Meier analysis of {count_n} similar cases gives a median survival of {median}.
        {alive12} of the similar cases survived 12 months.
    """),
    "passage": _lines("""
        The literature reports: {statement}
        As published, {statement}
    """),
    "therapy": _lines("""
        {drug} [[can]] be offered for {biomarker}.
        {brand} is a supported option for {biomarker} ({level_system} {level}).
        Sensitivity to {drug} is expected with {biomarker}.
        {trial} is the pivotal trial for {drug}.
        Treatment option: {brand}, {line}, for {biomarker}.
    """),
    "therapy_excluded": _lines("""
        {brand}: <<excluded||direction||offered>> ({reason}).
    """),
    "variant+variant": _lines("""
        Both {a.gene} {a.v1} and {b.gene} {b.v1} were identified.
        The tumour has {a.gene} {a.v3} and {b.gene} {b.v3} mutations.
    """),
    "lesion+appearance": _lines("""
        The {a.ld} lesion on {a.series} has a {b.finding} {b.attribute}.
    """),
    "demographics+diagnosis": _lines("""
        {a.woman}, {a.age} years, with {b.stage} {b.disease}.
    """),
    "biomarker+biomarker": _lines("""
        {a.name} {a.value}; {b.name} {b.value}.
    """),
    "variant+therapy": _lines("""
        {b.drug} is an option in view of the {a.gene} {a.v1} mutation.
    """),
}  # fmt: skip
"""As ``KNOWN`` of eval/grounding_wordings.py."""
