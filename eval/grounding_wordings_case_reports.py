"""Honest sentences of the second held-out round, in the form of eval/grounding_wordings.py.

Written on 2026-11-21 after the checker was mended for eval/grounding_wordings_writers.py, before anything was run on
them, in the manner of published case reports, discharge summaries, letters of British and Australian oncologists,
synoptic reports, nursing handovers and answers of chat models (turns of phrase taken from case reports and sample
notes on public pages; no sentence is copied).

First run: 22.2 % of 591 refused, 3 of 591 corrupted passed; mended for afterwards, so that its figure is not
one to quote: that is eval/grounding_wordings_fresh.py.
"""

from __future__ import annotations

from collections.abc import Mapping


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


CASE_REPORTS: Mapping[str, tuple[str, ...]] = {
    "demographics": _lines("""
        One {age}-year-old {sex} patient.
        We present the case of a {age}-year-old {woman}.
        Patient demographics: {sex}, {age} years old.
        Age/sex: {age}/{sex}.
        This {woman} is aged {age}.
    """),
    "diagnosis": _lines("""
        {she} had been diagnosed with {disease} in {date_my}.
        Final diagnosis: {disease}, {grade_plain}.
        Synoptic report: {histology}; {grade_plain}; {stage}.
        Histological examination revealed {histology}.
        The tumour turned out to be {histology}.
        We are treating this as {stage} {disease}.
        Staging according to {tnm_edition}: {stage}.
        The lesion proved to be {disease}.
        Primary tumour: {disease} ({stage_arabic}).
        In short, this is {stage} {disease}.
        {disease} was first identified on {date_dmy}.
        Tumor grade: {grade_plain}.
    """),
    "performance": _lines("""
        ECOG {ps} on assessment.
        {her} ECOG PS was {ps}.
        The patient is rated ECOG {ps} for performance.
        {she} has an Eastern Cooperative Oncology Group performance status of {ps}.
    """),
    "treatment": _lines("""
        Treatment history: {drug} ({line}), best response {response}.
        {she} was commenced on {brand} on {start_dmy}.
        {drug} was used as {line} treatment, with {response}.
        The patient's tumour responded to {drug} with {response}.
        Prior lines: {drug}.
        {she} went on {drug} in {start_my}.
        {brand} was given from {start_mdy} onwards.
        Exposure to {drug} began on {start_dmy}.
    """),
    "medication": _lines("""
        {she} is maintained on {drug}.
        Discharge medications include {drug}.
        Note that {she} takes {drug}.
        {drug} appears on the drug chart.
        Medicines: {drug}.
        The only medicine I can see on file is {drug}.
    """),
    "lab": _lines("""
        Laboratory tests revealed {name} of {value}.
        {name} was found to be {value} on {date_dmy}.
        Bloods on {date_dmy}: {name} {value}.
        {name} measured {value} in the sample from {date_mdy}.
        The last recorded {name} is {value}, dated {date_mdy}.
        Serum {name} {value}.
    """),
    "note": _lines("""
        The note from {date_dmy} mentions: "{quote}"
        Quoting the note of {date_mdy}: "{quote}"
        The chart entry of {date_dmy} reads "{quote}"
        From the notes ({date_my}): "{quote}"
    """),
    "absent": _lines("""
        {modality}: <<not tested||negation||tested>>.
        {modality} testing has yet <<to be done||negation||been done>>.
        I could <<not ||negation||>>find any {modality} data.
        There are <<no||negation||some>> {modality} findings to report.
        {modality} information is <<unavailable||direction||available>> at this time.
        We are <<missing||direction||holding>> {modality} data.
        {would_change} cannot be determined <<without||negation||with>> {modality} data.
        {test} is needed to establish {would_change}.
        Since {modality} data are missing, {would_change} is an open question.
        A gap in the record is {modality}; consider {test}.
    """),
    "series": _lines("""
        {role} was obtained in {date_my}.
        The patient underwent {role} on {date_dmy}.
        There is a {role} from {date_mdy} with {slices}.
        {role} ({date_my}): {slices}.
        The {role} acquisition has {slices} at a spacing of {spacing}.
        Imaging on record: {role}, {date_dmy}.
    """),
    "lesion": _lines("""
        {series} had revealed a {ld_cm} tumor.
        {series} revealed a mass measuring {ld}.
        Findings: a lesion measuring {ld} x {sa}.
        Lesion dimensions on {series}: {ld} x {sa}.
        The tumour measures {ld_cm} in maximum dimension and {volume} in volume.
        {series}: a mass of {ld_cm} in greatest diameter.
        There is a solitary measurement of {ld} in the long axis.
        By volume the lesion is {volume}.
        The lesion occupies a volume of {volume} on {series}.
        The short-axis measurement was {sa}.
        Size: {ld} (long axis), {sa} (short axis).
        The mass has a longest diameter of {ld}, best seen on slice {slice}.
        On {series} the tumor spans {ld_cm}.
        Mean density {mean}, maximum {max}.
    """),
    "lesion_intensity": _lines("""
        {series} showed uptake with a maximum SUV of {suv_max}.
        The lesion demonstrated an SUVmax of {suv_max}.
        SUVpeak of the lesion: {suv_peak}; SUVmean: {suv_mean}.
        The mean density of the lesion is {mean} on {series}.
        90th percentile of intensity: {p90}.
        Relative to its surroundings, the lesion's signal is {ratio} times as intense.
    """),
    "appearance": _lines("""
        According to the AI model, {attribute} is {finding}.
        {attribute} was classified by the network as {finding}.
        On image analysis the lesion has {finding} {attribute}.
        Model output for {attribute}: {finding} (p = {probability}).
        The scan shows {finding} {attribute}, as read by the image network.
        Automated reading of {attribute}: {finding}.
        The network is {prob_pct} confident that {attribute} is {finding}.
    """),
    "variant": _lines("""
        A {gene} mutation ({v1}) had been detected in the tumor specimen.
        Adenocarcinoma aside, the tumour harbours {gene} {v3}.
        The sequencing panel reveals a {gene} {v1} mutation.
        {gene}: {v3} ({consequence}), VAF {af_pct}, depth {depth}.
        The mutation {gene} {v1} was seen with an allele fraction of {af}.
        Molecular report: {gene} {v1} detected.
        The patient has a {gene}-mutant tumour ({v1}).
        NGS identified the following: {gene} {v3}.
        At the molecular level, {gene} {v1} was identified.
        The tumour tested <<positive||direction||negative>> for {gene} {v1}.
        {gene} {v3} is present in {af_pct} of alleles.
        A {consequence} change, {v3}, affects {gene}.
        Genetic testing found {gene} {v1}.
    """),
    "copy_number": _lines("""
        There was {call} of {gene} (log2 ratio {log2}).
        {gene} was found to have {call}.
        {call} at the {gene} locus, log2 ratio {log2}.
        Copy number analysis identified {gene} {call}.
        The {gene} gene shows {call} on copy-number analysis.
    """),
    "biomarker": _lines("""
        {name} testing showed {value}.
        {name} was {value} in this tumour.
        The {name} of the tumour is {value}.
        {name} = {value}.
        The result for {name} is {value}.
        Biomarker results: {name} {value}.
        {name} was assessed as {value}.
    """),
    "expression_profile": _lines("""
        Based on RNA, {attribute} is {finding}.
        {finding} {attribute} was found on expression profiling.
        The expression signature indicates that {attribute} is {finding}.
        {attribute} reads as {finding} in the expression data.
        The transcriptome points toward {finding} {attribute} ({prob_pct}).
    """),
    "survival": _lines("""
        The estimated 12-month survival is {s12}.
        Model prediction: {s12} survival at 12 months and {s24} at 24 months.
        {she} has a predicted one-year survival of {s12}.
        The likelihood of surviving 24 months is estimated at {s24} by the model.
        Risk group (model): {risk_group}.
        With a predicted risk at the {percentile}, {she} belongs to the {risk_group} risk group.
        The model gives {her} a {s24} probability of surviving two years (95% CI {i24}).
        Survival probability at one year was predicted to be {s12} (95% interval, {i12}).
        The prediction at 24 months is {s24}, with an interval of {i24}.
        Prognostic model: {risk_group} risk; {s12} at 1 year.
    """),
    "molecular_prediction": _lines("""
        Imaging alone suggests that {gene} is {label} (probability {probability}).
        The radiogenomic model called {gene} {label}.
        {gene} is predicted to be {label} on the basis of imaging, and this {agreement}.
        The image-based model assigns {gene} {label} a probability of {prob_pct}.
        Predicted {gene} status: {label}.
    """),
    "cancer_type_prediction": _lines("""
        The model classifies this tumour as {label}.
        {label} is the cancer type the model predicts.
        Model-predicted diagnosis: {label} ({prob_pct}).
    """),
    "contribution": _lines("""
        The prediction was based mostly on {top} data ({top_share}).
        {top} was the modality that mattered most for the survival prediction.
        The biggest contributor was {top}, with {top_share}.
        {top_share} of the prediction is explained by {top}.
        The strongest driver of the prediction is {top}.
    """),
    "gene_attribution": _lines("""
        The gene {up1} <<increases||direction||decreases>> the predicted risk.
        Predicted risk is <<raised||direction||lowered>> by {up1} and {up2}.
        Genes that <<lower||direction||raise>> the predicted risk: {down1}, {down2}.
        Among the genes, {down1} had a risk-<<lowering||direction||raising>> contribution.
    """),
    "heatmap": _lines("""
        {overlap} of the map's weight lies within the lesion on {series}.
        The heat map of {series} overlaps the lesion by {overlap}.
        Attention is focused on the lesion ({overlap} of the weight on {series}).
        On {series} the deletion test {deletion}.
    """),
    "similar_case": _lines("""
        A similar case ({case}) {outcome_verb} after {followup}.
        {case} is the reference case with a similarity of {similarity}.
        The similar case {case} had {followup} of follow-up and {outcome_verb}.
        Similar case: {case}, similarity {similarity}, {followup}.
        Consider {case}, a similar case that {outcome_verb} after {followup}.
    """),
    "similar_summary": _lines("""
        The {count_n} most similar cases survived a median of {median}.
        Median survival, {count_n} similar cases: {median}.
        Similar patients had a median survival of {median}.
    """),
    "neighbour_survival": _lines("""
        The median survival of the matched cases was {median}.
        {alive12} of {count_n} similar cases were alive after one year.
        Among {count_n} similar cases there were {events_n} events.
        Estimated 12-month survival among similar cases: {alive12} (95% CI {i12}).
        In similar patients, one-year survival was {alive12}.
    """),
    "passage": _lines("""
        The guideline states: {statement}
        As the literature notes: {statement}
        What the published data show: {statement}
        For background: {statement}
        Trial evidence: {statement}
    """),
    "therapy": _lines("""
        {biomarker} makes {drug} an option.
        {drug} is a matched therapy for {biomarker} ({level_system} {level}).
        {biomarker} confers <<sensitivity||direction||resistance>> to {drug}.
        Potential therapy: {brand}, on the basis of {biomarker}.
        {drug} ({trial}): offered for {biomarker}.
        {drug} was studied in {trial}.
        The {level_system} level of evidence for {drug} is {level}.
        Therapies offered include {drug} ({biomarker}).
        Treatment with {drug} would be an option in light of {biomarker}.
        {drug} carries {approval} approval.
        {brand} could be offered, as {biomarker} was found.
        An available option is {brand} ({line}).
        {drug}: {level_system} {level}, {approval}.
    """),
    "therapy_excluded": _lines("""
        {drug} was <<not ||negation||>>offered because {reason}.
        {drug} is currently <<excluded||direction||offered>> ({reason}).
        {brand} is <<ineligible||direction||eligible>>: {reason}.
        Reason for <<excluding||direction||offering>> {drug}: {reason}.
        {drug} is <<not ||negation||>>a suitable option: {reason}.
    """),
    "variant+variant": _lines("""
        Mutations were found in {a.gene} ({a.v1}) and {b.gene} ({b.v1}).
        The panel showed {a.gene} {a.v3}, with an additional {b.gene} {b.v3} mutation.
        {a.gene} {a.v1} and {b.gene} {b.v1} co-mutations were detected.
        Besides {a.gene} {a.v1}, the tumour also has {b.gene} {b.v1}.
    """),
    "lesion+appearance": _lines("""
        {a.series} revealed a {a.ld_cm} lesion with {b.finding} {b.attribute}.
        The {a.ld} tumour on {a.series} has {b.finding} {b.attribute}.
    """),
    "demographics+diagnosis": _lines("""
        We present a {a.age}-year-old {a.woman} with {b.disease}, {b.stage}.
        A {a.age}-year-old {a.woman} was diagnosed with {b.disease}.
        {a.sex}, {a.age}, {b.disease}.
    """),
    "biomarker+biomarker": _lines("""
        {a.name} was {a.value}; {b.name} was {b.value}.
        Biomarkers showed {a.name} {a.value} and {b.name} {b.value}.
    """),
    "variant+therapy": _lines("""
        {b.drug} is offered on account of {a.gene} {a.v1}.
        {a.gene} {a.v1} was found; {b.drug} is an option.
        The {a.gene} {a.v3} mutation opens up {b.drug} as an option.
    """),
    "diagnosis+performance": _lines("""
        {a.disease}, {a.stage_arabic}; PS {b.ps}.
        The patient has {a.stage} {a.disease}, and {her} ECOG is {b.ps}.
    """),
}  # fmt: skip
"""As ``KNOWN`` of eval/grounding_wordings.py."""
