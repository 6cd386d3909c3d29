"""The held-out set: honest sentences in the form of eval/grounding_wordings.py, the figure of the checker to quote.

Written on 2026-11-21 after the checker was mended for eval/grounding_wordings_letters.py, before anything was run on
them, in the manner of six writers: minutes of a tumour board, a resident's admission note, a safety narrative of a
trial, a plain-language summary by a chat model, messages between doctors, a palliative-care letter.

First run: 23.1 % of 412 refused, 0 of 412 corrupted passed; nothing was mended for them since. Whoever mends the
checker for one of them writes a new set.
"""

from __future__ import annotations

from collections.abc import Mapping


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


FRESH: Mapping[str, tuple[str, ...]] = {
    "demographics": _lines("""
        Case: {woman}, {age} years.
        This concerns a {age}-year-old {sex} patient.
        The person we are talking about is a {age}-year-old {woman}.
        Patient is {sex}; age {age}.
    """),
    "diagnosis": _lines("""
        Known to have {disease}.
        The patient's cancer is a {disease}, which is {stage}.
        Diagnosis agreed as {disease}, {stage}, {tnm_edition}.
        {disease} {grade_plain}, diagnosed {date_my}.
        The type of cancer is {disease}.
        Under the microscope this is {histology}, {grade_plain}.
        Disease under study: {disease}, {stage}.
        It was in {date_my} that {she} was diagnosed with {disease}.
        Background: {disease} ({stage_arabic}).
    """),
    "performance": _lines("""
        Currently ECOG {ps}.
        {she} is doing at a level of ECOG {ps}.
        ECOG {ps} per the record.
        Fitness: ECOG {ps}.
    """),
    "treatment": _lines("""
        The subject received {drug} from {start_dmy}.
        {drug} in {line}, best response: {response}.
        {she} has already been given {brand}.
        Oncological treatment so far: {drug} since {start_my}.
        {line_hyphen} systemic treatment was {drug}.
        After {drug}, {response} was recorded.
    """),
    "medication": _lines("""
        Current drugs: {drug}.
        {drug} is on the medication list.
        {she} is also on {drug}.
        The record shows that {she} takes {drug}.
    """),
    "lab": _lines("""
        {name} last measured at {value}.
        The lab reports {name} at {value} ({date_dmy}).
        {name} {value} as per bloods of {date_dmy}.
        On {date_mdy} the {name} was {value}.
        {her} latest {name} reading is {value}.
    """),
    "note": _lines("""
        The author of the {date_dmy} note writes "{quote}"
        Free text from the note of {date_dmy}: "{quote}"
        Note of {date_mdy}, quoted: "{quote}"
    """),
    "absent": _lines("""
        {modality} <<not ||negation||>>done.
        The patient has <<no||negation||the>> {modality} results.
        We do <<not ||negation||>>know the {modality} findings.
        {modality} is an information gap; {test} would close it.
        The {modality} data are <<missing||direction||present>>, which means that {would_change} is unknown.
        {would_change} remains open in the absence of {modality} data.
        <<No||negation||The>> {modality} report could be located.
    """),
    "series": _lines("""
        Scan reviewed: {role} of {date_dmy}.
        {role} on {date_dmy} ({slices}).
        The patient had a {role} in {date_my}.
        The {role} was taken on {date_mdy}.
    """),
    "lesion": _lines("""
        {series}: {ld_cm} mass.
        The tumour on the scan ({series}) is {ld} in size.
        Tumour {ld} x {sa}.
        A {ld} mass is noted on {series}.
        The size of the lesion is {ld_cm} by {sa_cm}.
        The longest diameter of the mass came to {ld} on {series}.
        It has a volume of {volume} and a short axis of {sa}.
        The lesion is about {volume_round} mL on {series}.
        Maximum intensity {max}, mean intensity {mean} ({series}).
        Target measurement: longest diameter {ld_cm}.
    """),
    "lesion_intensity": _lines("""
        SUVmax of the lesion on {series}: {suv_max}.
        The lesion takes up tracer with an SUVmax of {suv_max}.
        SUVmean is {suv_mean}, SUVpeak {suv_peak}.
        On {series}, mean {mean} with a 90th percentile of {p90}.
    """),
    "appearance": _lines("""
        On the scan, the model finds {finding} {attribute}.
        {finding} {attribute} according to the image network.
        The image network describes {attribute} as {finding}.
        As regards {attribute}, the lesion is {finding}.
        The lesion shows {attribute} that is {finding}.
    """),
    "variant": _lines("""
        Mutation: {gene} {v1}.
        The tumour has a change in the {gene} gene, called {v1}.
        {gene} {v3} confirmed on the report at VAF {af_pct}.
        A {gene} {v1} alteration was reported by the laboratory.
        The genomic report lists {gene} {v1} ({consequence}).
        {gene} {v1} mutation-positive tumour.
        DNA testing shows a mutation in {gene}, {v3}.
        Molecular: {gene} {v1}, {af_pct} VAF, {depth}x.
        Of note, {gene} {v3} was detected.
    """),
    "copy_number": _lines("""
        {gene} copies: {call}.
        Molecular: {gene} {call}.
        The report notes {call} of the {gene} gene (log2 {log2}).
    """),
    "biomarker": _lines("""
        {name} result: {value}.
        {name} reported: {value}.
        On the report, {name} is {value}.
        The lab found {name} to be {value}.
    """),
    "expression_profile": _lines("""
        The tumour's RNA reads as {finding} {attribute}.
        {attribute} by expression: {finding}.
        Gene expression shows that {attribute} is {finding}.
    """),
    "survival": _lines("""
        The computer model estimates a {s12} chance of being alive at one year.
        Predicted survival: 1 year {s12}, 2 years {s24}.
        The model sees the patient as {risk_group} risk.
        {risk_group} risk according to the survival model ({percentile}).
        According to the model, 24-month survival would be {s24}.
        By the model's estimate, survival at 12 months is {s12} (95% CI {i12}).
        The predicted chance of living two years is {s24}.
    """),
    "molecular_prediction": _lines("""
        The imaging model points to {gene} {label} ({probability}).
        {gene} {label} on imaging prediction, which {agreement}.
        Judging from imaging, the model puts {gene} as {label}.
    """),
    "cancer_type_prediction": _lines("""
        The model believes the cancer type is {label}.
        Predicted as {label} (probability {probability}).
    """),
    "contribution": _lines("""
        {top} had the largest influence on the prediction, {top_share}.
        Mostly, the prediction comes from {top}.
        {top_share} of the prediction came from {top}.
    """),
    "gene_attribution": _lines("""
        A gene that <<raises||direction||lowers>> risk in the model is {up1}.
        {down1} and {down2} <<lower||direction||raise>> the model's risk.
        The model's risk is pushed <<up||direction||down>> by {up1}.
    """),
    "heatmap": _lines("""
        The model looked at the lesion: {overlap} of the heat map weight is inside it on {series}.
        {series} heat map: deletion test {deletion}.
    """),
    "similar_case": _lines("""
        One comparable patient ({case}) {outcome_verb} after {followup}.
        Similar case {case}: follow-up {followup}.
        {case} is similar to this patient ({similarity}).
    """),
    "similar_summary": _lines("""
        In {count_n} similar cases the median survival came out at {median}.
        Patients with a similar profile had a median survival of {median}.
    """),
    "neighbour_survival": _lines("""
        {alive12} of similar patients were alive at one year.
        Looking at {count_n} similar cases, median survival is {median}.
        Among similar cases the survival at 12 months was {alive12} (CI {i12}).
    """),
    "passage": _lines("""
        Literature note: {statement}
        In plain terms, the study found: {statement}
        One guideline passage says: {statement}
    """),
    "therapy": _lines("""
        {drug} is offered since {biomarker} was found.
        {biomarker}: consider {drug} ({level_system} {level}).
        There is {level_system} {level} evidence for {drug} in {biomarker}.
        {drug} can be considered an option for {biomarker}.
        Options: {drug} ({biomarker}).
        A drug that matches {biomarker} is {drug}.
        {brand} is one of the offered options.
        {drug} is supported by the {trial} trial.
        {drug} received {approval} approval.
    """),
    "therapy_excluded": _lines("""
        {drug} <<cannot||negation||can>> be offered because {reason}.
        {drug} was considered but is <<excluded||direction||offered>>: {reason}.
        {brand} - <<excluded||direction||offered>> ({reason}).
    """),
    "variant+variant": _lines("""
        Mutations detected: {a.gene} {a.v1} and {b.gene} {b.v1}.
        There are mutations in {a.gene} ({a.v3}) and in {b.gene} ({b.v3}).
    """),
    "lesion+appearance": _lines("""
        {a.ld} mass on {a.series}; {b.attribute} {b.finding}.
        The lesion on {a.series}, {a.ld_cm}, shows {b.finding} {b.attribute}.
    """),
    "demographics+diagnosis": _lines("""
        {a.age}-year-old {a.sex} with {b.disease}, diagnosed {b.date_my}.
        {a.woman}, {a.age}, known {b.disease}, {b.stage}.
    """),
    "biomarker+biomarker": _lines("""
        {a.name} is {a.value}; {b.name}, {b.value}.
        We have {a.name} {a.value} and {b.name} {b.value}.
    """),
    "variant+therapy": _lines("""
        {a.gene} {a.v1} is a match for {b.drug}.
        Since {a.gene} {a.v1} is present, {b.drug} is an option.
    """),
    "diagnosis+performance": _lines("""
        {a.disease}, {a.grade_plain}, ECOG {b.ps}.
        {she} has {a.stage} {a.disease}, with a performance status of {b.ps}.
    """),
}  # fmt: skip
"""As ``KNOWN`` of eval/grounding_wordings.py."""
