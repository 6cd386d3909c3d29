"""Honest sentences of the third held-out round, in the form of eval/grounding_wordings.py.

Written on 2026-11-21 after the checker was mended for eval/grounding_wordings_case_reports.py, before anything was run
on them, in the manner of six writers: a radiologist's dictation, a molecular pathologist's report, a registrar's letter
to a general practitioner, a nurse's handover, a chat model explaining results to a clinician, a trial screening form.
First run: 23.7 % of 477 refused, 0 of 477 corrupted passed; mended for afterwards, so that its figure is not one to
quote: that is eval/grounding_wordings_fresh.py.
"""

from __future__ import annotations

from collections.abc import Mapping


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


LETTERS: Mapping[str, tuple[str, ...]] = {
    "demographics": _lines("""
        Thank you for seeing this {age}-year-old {woman}.
        Sex: {sex}. Age: {age}.
        Your patient is {age} years old and {sex}.
        The individual is a {sex} of {age} years.
        Subject is {sex}, age {age} years.
    """),
    "diagnosis": _lines("""
        Clinical diagnosis {disease}, {stage} per {tnm_edition}.
        {she} has a known {disease}, {grade_plain}.
        {her} cancer is {stage} {disease}.
        Microscopy shows {histology}, {grade_plain}.
        Cancer type: {disease}; stage: {stage}.
        The date of diagnosis is {date_dmy}.
        The {disease} was diagnosed in {date_my} and is {stage}.
        The record tells us that the patient has {disease}.
        Indication: {disease}, {stage_arabic}.
        The pathology report describes a {grade_plain} {histology}.
    """),
    "performance": _lines("""
        Performance status recorded as ECOG {ps}.
        ECOG score: {ps}.
        {she} scores {ps} on the ECOG scale.
        Functionally, {she} is at ECOG {ps}.
        Recorded ECOG PS: {ps}.
    """),
    "treatment": _lines("""
        Prior anticancer treatment: {drug}, {line}.
        {she} has been on {drug} since {start_my}.
        {she} received {line} {brand} and had {response}.
        Previous therapy with {drug} led to {response}.
        On {start_dmy} {she} began {drug}.
        {drug} start date: {start_dmy}.
    """),
    "medication": _lines("""
        Concomitant medications: {drug}.
        {she} is currently prescribed {drug}.
        {drug}, ongoing.
        Patient takes {drug} regularly.
        In terms of other medicines, {she} is on {drug}.
    """),
    "lab": _lines("""
        The value of {name} was {value} on {date_dmy}.
        {her} bloods: {name} {value} ({date_my}).
        {name} result {value}, sampled {date_dmy}.
        On blood testing {name} was {value}.
        {date_dmy}: {name} {value}.
        The {name} on {date_mdy} came to {value}.
    """),
    "note": _lines("""
        I quote from the note of {date_dmy}: "{quote}"
        The {date_dmy} entry in the notes is "{quote}"
        Here is what the note of {date_mdy} says: "{quote}"
        Documented on {date_dmy}: "{quote}"
    """),
    "absent": _lines("""
        {modality}: <<no data||negation||data>>.
        {modality} was <<not ||negation||>>part of the testing.
        So far, <<no||negation||the>> {modality} results have been reported.
        We still lack {modality} data.
        It is <<not ||negation||>>possible to determine {would_change} because {modality} data are missing.
        To settle {would_change}, {test} would help.
        {modality} results would inform {would_change} but are <<not ||negation||>>available.
        Nothing is known about {modality}.
    """),
    "series": _lines("""
        Study: {role}, {date_dmy}.
        {role} from {date_my} was used.
        {role} performed {date_mdy}; {slices}.
        The scan is a {role} of {date_dmy}.
        The number of slices in the {role} is given as {slices}.
    """),
    "lesion": _lines("""
        {series}: the lesion measures {ld} x {sa} ({volume}).
        There is a mass measuring approximately {ld_cm} on {series}.
        The lesion is {ld} in its longest diameter and {sa} in its short axis.
        Lesion on {series}, {ld}.
        Its volume is calculated at {volume}.
        A {ld} tumor is identified on {series}.
        Longest axial diameter {ld}; short axis {sa}; volume {volume}.
        The lesion on {series} has a maximum intensity of {max}.
        The tumour is {ld_cm} long and has a volume of {volume}.
        Dimensions of {ld_cm} by {sa_cm} were recorded on {series}.
    """),
    "lesion_intensity": _lines("""
        Uptake in the lesion: SUVmax {suv_max}, SUVpeak {suv_peak}.
        PET shows an SUVmax of {suv_max} in the lesion.
        The lesion's mean intensity on {series} comes to {mean}.
        10th and 90th percentiles are {p10} and {p90}.
        The median lesion signal is {ratio} times that of its surroundings.
    """),
    "appearance": _lines("""
        {attribute} is {finding}, the image network says.
        The model's view is that {attribute} is {finding}.
        Image network: {attribute} {finding}, probability {probability}.
        The tumour demonstrates {finding} {attribute} on imaging.
        Radiological features include {finding} {attribute}.
        The AI considers the {attribute} {finding}.
    """),
    "variant": _lines("""
        {gene} {v1} variant identified, VAF {af}.
        The tumour DNA carries {gene} {v3}.
        The variant found is {gene} {v1}.
        A pathologist's summary: {gene} {v3}, allele fraction {af}.
        {gene} is altered by a {consequence} variant, {v1}.
        The molecular panel detected {gene} {v3} at a VAF of {af_pct}.
        Testing of the tumour came back with {gene} {v1}.
        What stands out genetically is {gene} {v1}.
        {gene} {v1} was detected at {af_pct}.
        {gene} mutation: {v3}.
    """),
    "copy_number": _lines("""
        {gene} is affected by {call} (log2 {log2}).
        The log2 ratio for {gene} is {log2}, which is {call}.
        Copy-number call: {gene}, {call}.
        The tumour carries {call} of {gene}.
    """),
    "biomarker": _lines("""
        {name}, {value}.
        The tumour was tested for {name}, which was {value}.
        As to {name}, the value is {value}.
        Result: {name} {value}.
        {name} measured: {value}.
    """),
    "expression_profile": _lines("""
        The RNA profile suggests that {attribute} is {finding}.
        The network reads {finding} {attribute} from gene expression.
        {attribute}, judged by expression, is {finding}.
        Expression data: {attribute} {finding}, probability {probability}.
    """),
    "survival": _lines("""
        {she} is in the {risk_group} risk group by the model, at the {percentile}.
        The model expects {s12} survival at 12 months.
        The chance of surviving 24 months is put at {s24} by the model.
        12-month predicted survival {s12}; 24-month predicted survival {s24}.
        The model predicts that survival at 24 months is {s24} (95% interval {i24}).
        Predicted risk: {percentile}, {risk_group} group.
        For this patient the model calculates a 12-month survival of {s12}.
    """),
    "molecular_prediction": _lines("""
        From the scan alone, the model thinks {gene} is {label}.
        Predicted from imaging: {gene} {label} ({probability}).
        The imaging model gives a probability of {prob_pct} that {gene} is {label}.
        The model's guess from imaging, {gene} {label}, {agreement}.
    """),
    "cancer_type_prediction": _lines("""
        Classifier output: {label}, probability {probability}.
        The model takes this to be {label} with a probability of {prob_pct}.
        {label} is what the model predicts, and this {agreement}.
    """),
    "contribution": _lines("""
        What drives the prediction most is {top} ({top_share}).
        {top} is the main contributor to the survival prediction.
        Of all modalities, {top} weighs most in the prediction.
        The largest share, {top_share}, belongs to {top}.
    """),
    "gene_attribution": _lines("""
        {up1} is a gene that <<raises||direction||lowers>> the predicted risk.
        The predicted risk is <<lowered||direction||raised>> most by {down1}.
        {up1}, {up2} and {up3} <<raise||direction||lower>> the prediction of risk.
    """),
    "heatmap": _lines("""
        Inside the lesion lies {overlap} of the heat map on {series}.
        The deletion test on {series} {deletion}.
        On {series}, {overlap} of the attention is on the lesion.
    """),
    "similar_case": _lines("""
        {case}, which is a similar case, {outcome_verb} after {followup}.
        The patient resembles {case} (similarity {similarity}).
        The most similar patients include {case}, who {outcome_verb}.
        Follow-up of the similar case {case} was {followup}.
    """),
    "similar_summary": _lines("""
        For the {count_n} closest matches, median survival is {median}.
        The median survival in similar patients is {median}.
    """),
    "neighbour_survival": _lines("""
        Similar cases: n = {count_n}, median survival {median}.
        At 12 months {alive12} of the {count_n} similar patients were alive.
        The 12-month survival in {count_n} similar cases was {alive12}.
        Half of the {count_n} similar cases had died by {median}.
    """),
    "passage": _lines("""
        Guidance: {statement}
        The source reads: {statement}
        The following is published: {statement}
        In the literature, {statement}
    """),
    "therapy": _lines("""
        {drug} would be one option, in view of {biomarker}.
        Matched on {biomarker}: {drug}.
        {drug} is offered for {biomarker}, with {level_system} {level} evidence.
        {brand}, supported by {trial}, is an option.
        {biomarker} predicts response to {drug}.
        The approval for {drug} is {approval}.
        {drug} is on the list of options for {biomarker}.
        Eligible for {drug} on the basis of {biomarker}.
        Evidence level for {drug}: {level_system} {level}.
        {trial} is the trial behind {drug}.
    """),
    "therapy_excluded": _lines("""
        {drug} is <<not ||negation||>>among the options: {reason}.
        {brand} was <<excluded||direction||offered>>; the reason is that {reason}.
        Why is {drug} <<excluded||direction||offered>>? {reason}.
    """),
    "variant+variant": _lines("""
        Variants: {a.gene} {a.v3}; {b.gene} {b.v3}.
        {a.gene} carries {a.v1} and {b.gene} carries {b.v1}.
        We found {a.gene} {a.v1} plus {b.gene} {b.v1}.
    """),
    "lesion+appearance": _lines("""
        On {a.series} there is a {a.ld} lesion whose {b.attribute} is {b.finding}.
        The lesion is {a.ld_cm} in diameter, with {b.finding} {b.attribute}.
    """),
    "demographics+diagnosis": _lines("""
        {a.age}-year-old {a.woman}, {b.stage_arabic} {b.disease}.
        The patient is a {a.woman} of {a.age} with {b.disease}.
    """),
    "biomarker+biomarker": _lines("""
        {a.name} was {a.value}, with {b.name} {b.value}.
        {a.name}, {a.value}; {b.name}, {b.value}.
    """),
    "variant+therapy": _lines("""
        For {a.gene} {a.v1}, {b.drug} is offered.
        {b.drug} is matched to the {a.gene} {a.v3} found in this tumour.
    """),
    "diagnosis+performance": _lines("""
        {a.stage} {a.disease} with an ECOG PS of {b.ps}.
        Diagnosis {a.disease}, {a.grade_plain}; performance status ECOG {b.ps}.
    """),
}  # fmt: skip
"""As ``KNOWN`` of eval/grounding_wordings.py."""
