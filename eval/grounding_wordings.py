"""Honest sentences with slots, worded by hand as a clinician or a large general model words them: the labelled set.

None is a phrase of the project's own templates. A slot ``{name}`` is filled by eval/grounding_slots.py from one
evidence (``{a.name}`` and ``{b.name}`` from two); ``[[is]]`` is a verb that the corruption "negation" denies;
``<<true||kind||false>>`` is a place with its own corruption. These sentences were looked at while the checker was
mended; those of eval/grounding_wordings_held_out.py were not.
"""

from __future__ import annotations

from collections.abc import Mapping


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


KNOWN: Mapping[str, tuple[str, ...]] = {
    "demographics": _lines("""
        This is a {age}-year-old {woman}.
        The patient [[is]] a {sex} aged {age}.
        {age}-year-old {sex} patient.
        We are dealing with a {woman} of {age} years.
        Age {age}, {sex} sex.
    """),
    "diagnosis": _lines("""
        {her} diagnosis is {disease}, {stage}.
        Histology [[confirms]] {histology}.
        {stage_arabic} {disease} was diagnosed in {date_my}.
        A diagnosis of {disease} [[was]] made on {date_dmy}.
        The disease [[is]] staged as {stage} according to {tnm_edition}.
        Pathology showed {histology}, {grade_plain}.
        The tumour [[is]] {grade_plain}.
        {disease} ({stage}), first diagnosed {date_mdy}.
        Clinically {stage} disease per {tnm_edition}.
        Underlying malignancy: {disease}, {grade_plain}.
        {she} carries a diagnosis of {disease}.
    """),
    "performance": _lines("""
        {her} performance status is ECOG {ps}.
        ECOG PS {ps}.
        The patient [[has]] an ECOG score of {ps}.
        Functional status is ECOG {ps}.
    """),
    "treatment": _lines("""
        {she} [[was]] previously treated with {drug} in the {line}.
        {brand} was started on {start_dmy} as {line_hyphen} therapy.
        Prior systemic therapy consisted of {drug}.
        {line_hyphen} {drug} resulted in {response}.
        Best response to {brand} was {response}.
        Treatment with {drug} began in {start_my}.
        The patient [[has]] already received {brand}.
        {drug} was initiated on {start_mdy}, with {response} as best response.
    """),
    "medication": _lines("""
        {she} [[is]] taking {drug}.
        Concomitant medication includes {drug}.
        Comedication: {drug}.
        The patient [[is]] on {drug} therapy.
    """),
    "lab": _lines("""
        Laboratory testing showed {name} of {value}.
        {name} [[was]] {value} on {date_dmy}.
        {name} {value} ({date_mdy}).
        The {name} level measured {value} in {date_my}.
        On {date_dmy}, {name} was reported at {value}.
    """),
    "note": _lines("""
        According to the note of {date_dmy}, "{quote}"
        The note dated {date_mdy} reads: "{quote}"
        A clinical note from {date_my} states "{quote}"
        As documented in the note of {date_dmy}: "{quote}"
    """),
    "absent": _lines("""
        <<No||negation||The>> {modality} data are available for this patient.
        {modality} data are <<missing||direction||present>>.
        {modality} results are <<not ||negation||>>available; {test} would help to clarify {would_change}.
        In the absence of {modality} data, {would_change} cannot be assessed.
        {modality} was <<not ||negation||>>assessed.
        Information on {modality} is <<lacking||direction||available>>, and {would_change} remains unknown.
        Because {modality} data are missing, {would_change} remains undetermined; consider {test}.
    """),
    "series": _lines("""
        {role} was performed on {date_dmy}.
        {role} imaging dates from {date_my}.
        The {role} study comprises {slices}.
        The {role} scan of {date_mdy} contains {slices}.
        {role} was acquired in {date_my} with {slices}.
    """),
    "lesion": _lines("""
        {series} shows a {ld} mass.
        On {series}, the tumour [[measures]] {ld_cm} in its longest diameter.
        The mass measures {ld} x {sa} on {series}.
        {series} demonstrates a lesion of {ld_cm} with a volume of {volume}.
        The lesion spans {ld} in the longest axial plane and {sa} in the short axis.
        Tumour volume [[is]] {volume} on {series}.
        The short-axis diameter on {series} is {sa}.
        Peak intensity within the lesion reaches {max}.
        The lesion has a mean intensity of {mean} and a maximum of {max} on {series}.
        The largest diameter, {ld}, is seen on slice {slice}.
        A {ld_cm} x {sa_cm} lesion is visible on {series}.
        {series} reveals a tumour with a maximum diameter of {ld} and a volume of roughly {volume_round} mL.
    """),
    "lesion_intensity": _lines("""
        On {series}, the SUVmax of the lesion is {suv_max}.
        The lesion shows an SUVmax of {suv_max} and an SUVmean of {suv_mean}.
        The tumour's mean attenuation is {mean} on {series}.
        {series}: SUVpeak {suv_peak}.
        The 90th percentile of intensity within the lesion is {p90}.
        The lesion signal is {ratio} times that of the surrounding tissue.
    """),
    "appearance": _lines("""
        The lesion's {attribute} was rated {finding}.
        On imaging, the {attribute} [[appears]] {finding}.
        The network characterised the {attribute} as {finding} with a probability of {probability}.
        Radiologically, the {attribute} of the tumour is {finding}.
        {attribute}: {finding} (model confidence {prob_pct}).
        Image analysis suggests that the {attribute} is {finding}.
    """),
    "variant": _lines("""
        Next-generation sequencing [[identified]] {gene} {v3}.
        NGS revealed a {gene} {v1} mutation with a VAF of {af_pct}.
        The tumour [[harbours]] a {gene} {v1} {consequence} mutation.
        A {consequence} variant in {gene}, {v3}, [[was]] detected.
        {gene} {v1} mutation, allele frequency {af}.
        Molecular profiling showed {gene} {v1} (VAF {af_pct}, {depth} reads).
        The {gene} {v3} alteration was present at a variant allele fraction of {af}.
        A somatic {gene} {v1} mutation was found on sequencing.
        Sequencing at a depth of {depth}x revealed {gene} {v3}.
        {gene} is <<mutated||direction||wild type>> ({v1}).
        Genomic testing is positive for {gene} {v3}.
        In addition, {gene} {v1} was reported.
    """),
    "copy_number": _lines("""
        {gene} [[shows]] {call}.
        Copy-number analysis revealed {call} of {gene}.
        A {gene} {call} [[is]] present, with a log2 ratio of {log2}.
        {call} of {gene} was detected (log2 {log2}).
        There is {call} of the {gene} gene.
    """),
    "fusion": _lines("""
        A {name} rearrangement [[was]] identified.
        RNA sequencing revealed a {name} fusion.
        The tumour [[harbours]] a {name} gene fusion.
        {name} fusion-positive disease.
    """),
    "biomarker": _lines("""
        {name} [[is]] {value}.
        {name} was reported as {value}.
        {name} testing returned {value}.
        Biomarkers: {name} {value}.
        The tumour's {name} status is {value}.
    """),
    "expression_profile": _lines("""
        Gene expression indicates {finding} {attribute}.
        {attribute} [[is]] {finding} based on the expression profile.
        Transcriptomic profiling suggests {finding} {attribute} (probability {probability}).
        RNA data point to {finding} {attribute}.
    """),
    "pathway": _lines("""
        {pathway} activity [[is]] {direction}.
        Pathway analysis shows {direction} {pathway} activity.
    """),
    "survival": _lines("""
        The predicted probability of survival at 12 months is {s12}.
        The model estimates a 2-year survival of {s24} (95% CI {i24}).
        Predicted one-year overall survival [[is]] {s12}, with an interval of {i12}.
        The patient is assigned to the {risk_group}-risk group by the survival model.
        Model-predicted risk [[is]] {risk_group}, at the {percentile} of the reference cohort.
        According to the fusion model, survival is estimated at {s12} at 1 year and {s24} at 2 years.
        The survival model ranks this patient at the {percentile}.
        The expected 24-month survival probability is {s24}.
    """),
    "molecular_prediction": _lines("""
        Based on imaging alone, {gene} is predicted to be {label} (probability {probability}).
        The imaging model suggests {gene} {label}, which {agreement}.
        The radiogenomic prediction for {gene} is {label} ({prob_pct}).
        The model's estimate from imaging is {gene} {label} with a probability of {probability}.
    """),
    "cancer_type_prediction": _lines("""
        The classifier predicts {label} with a probability of {probability}.
        The model's predicted tumour type is {label}.
        The predicted cancer type, {label}, {agreement}.
    """),
    "contribution": _lines("""
        The survival prediction was driven mainly by the {top} data.
        {top} features were the largest contributor to the predicted risk.
        The {top} modality accounts for {top_share} of the prediction.
        The main driver of predicted risk [[was]] {top}.
    """),
    "gene_attribution": _lines("""
        Among genes, {up1} contributed most to <<higher||direction||lower>> predicted risk.
        {up1} and {up2} push the predicted risk <<up||direction||down>>.
        {down1} was associated with a <<lower||direction||higher>> predicted risk.
        Integrated gradients attribute <<increased||direction||decreased>> risk to {up1}.
    """),
    "heatmap": _lines("""
        The attention map on {series} concentrates on the lesion, with {overlap} of its weight inside.
        For the {series} heat map, the deletion test {deletion}.
        {overlap} of the heat map weight falls within the lesion on {series}.
        Grad-CAM on {series} places {overlap} of the weight inside the lesion.
    """),
    "similar_case": _lines("""
        The similar case {case} was followed for {followup} and {outcome_verb}.
        A comparable patient in the reference cohort ({case}, similarity {similarity}) {outcome_verb} after {followup}.
        {case} is a close match with a similarity of {similarity}.
        {case}, a similar case, had a follow-up of {followup}.
    """),
    "similar_summary": _lines("""
        Median survival among the {count_n} most similar cases was {median}.
        Of the most similar cases, {alive24} were alive at 24 months.
        In the {count_n} nearest neighbours, median survival is {median}.
    """),
    "neighbour_survival": _lines("""
        Among {count_n} comparable patients, the median survival was {median}.
        In the matched cohort of {count_n} similar cases, {alive12} were alive at 12 months.
        Of {count_n} similar patients, an estimated {alive36} were alive at 3 years.
        The 1-year survival of the similar cases is {alive12} (95% CI {i12}).
        Similar cases had a median survival of {median}, with {events_n} events.
    """),
    "passage": _lines("""
        {statement}
        According to the published literature, {statement}
        Guidelines note: {statement}
        Published evidence: {statement}
        Literature (PMID {pmid}): {statement}
    """),
    "therapy": _lines("""
        {drug} [[is]] an option for {biomarker} {disease} (<<offered||direction||superseded>>).
        {brand} is <<offered||direction||excluded>> based on {biomarker}.
        {drug} has {level_system} {level} evidence for {biomarker}.
        {biomarker} is associated with <<sensitivity||direction||resistance>> to {drug}.
        The {trial} trial supports {drug} in this setting.
        {drug} [[is]] approved ({approval}) for {biomarker}.
        {drug} [[is]] a {line_hyphen} treatment option for {biomarker}.
        For {biomarker}, {drug} is a potential option ({level_system} {level}).
        {brand} may be considered given {biomarker}.
        Evidence for {drug} comes from {trial} (PMID {pmid}).
        {brand} ({trial}) [[is]] available for {biomarker} in the {line}.
    """),
    "therapy_excluded": _lines("""
        {drug} is <<excluded||direction||offered>>: {reason}.
        {drug} is <<not ||negation||>>an option because {reason}.
        {brand} is <<excluded||direction||recommended>>, since {reason}.
        {drug} has been ruled <<out||direction||in>>: {reason}.
    """),
    "variant+variant": _lines("""
        Sequencing revealed {a.gene} {a.v1} and {b.gene} {b.v1} mutations.
        {a.gene} {a.v3} (VAF {a.af_pct}) and {b.gene} {b.v3} (VAF {b.af_pct}) were detected.
        Mutations: {a.gene} {a.v1}, {b.gene} {b.v1}.
        The tumour carries a {a.gene} {a.v1} mutation as well as {b.gene} {b.v1}.
    """),
    "lesion+appearance": _lines("""
        {a.series} shows a {a.ld} lesion; the {b.attribute} is {b.finding}.
        A {a.ld_cm} tumour is seen on {a.series}, and its {b.attribute} appears {b.finding}.
    """),
    "demographics+diagnosis": _lines("""
        {a.age}-year-old {a.woman} with {b.stage} {b.disease}.
        This {a.age}-year-old {a.woman} was diagnosed with {b.disease} in {b.date_my}.
        A {a.woman} aged {a.age} with {b.disease}, {b.grade_plain}.
    """),
    "biomarker+biomarker": _lines("""
        {a.name} is {a.value} and {b.name} is {b.value}.
        Biomarker status: {a.name} {a.value}, {b.name} {b.value}.
    """),
    "variant+therapy": _lines("""
        The tumour carries {a.gene} {a.v1}, for which {b.drug} is an option.
        Given {a.gene} {a.v3}, {b.brand} is an option ({b.level_system} {b.level}).
    """),
}  # fmt: skip
"""Evidence type, or two joined by "+", -> sentences; "therapy_excluded" is a therapy row that is not offered."""
