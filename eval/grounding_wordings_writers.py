"""Honest sentences in the manner of five writers, in the form of eval/grounding_wordings.py.

The writers: a terse radiology or pathology report, a British tumour-board letter, the running prose of a general chat
model, telegraphic notes, an American consult note. Written on 2026-11-21 before anything was run on them and before
their author had read the checker's neutral words. First run: 37.3 % of 876 refused, 0 of 876 corrupted passed; mended
for afterwards, so that its figure is not one to quote: that is eval/grounding_wordings_fresh.py.
"""

from __future__ import annotations

from collections.abc import Mapping


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


WRITERS: Mapping[str, tuple[str, ...]] = {
    "demographics": _lines("""
        {woman}, {age} y.
        The patient under discussion is a {age}-year-old {woman}.
        So, we have a {woman} who is {age} years old.
        {age}yo {sex}.
        Pt is a {age} year old {sex}.
        I discussed this {age}-year-old {woman} today.
        At {age} years of age, this {woman} is the subject of the report.
        The record describes a {sex} patient of {age}.
    """),
    "diagnosis": _lines("""
        Dx: {disease}, {stage}.
        {disease}, {grade_plain}, dx {date_my}.
        Pathology is consistent with {histology}.
        The tumour was classified as {histology} on histology.
        {she} was found to have {disease} in {date_my}.
        Your patient's diagnosis of {disease} dates back to {date_my}.
        What we know is that the cancer is {disease}, {stage}.
        The working diagnosis [[is]] {disease}, with {stage} under {tnm_edition}.
        The staging on record [[is]] {stage} using {tnm_edition}.
        Disease stage: {stage_arabic}.
        {histology}; {grade_plain}; {date_mdy}.
        Histopathology report: {histology}, {grade_plain}.
        The histologic grade [[was]] reported as {grade_plain}.
        {she} presents with {stage_arabic} {disease}.
        Oncologic history: {disease}, diagnosed on {date_mdy}.
    """),
    "performance": _lines("""
        PS {ps} (ECOG).
        {her} performance status was recorded as ECOG {ps}.
        {she} is ECOG {ps}.
        Performance-wise, the patient sits at ECOG {ps}.
        On the ECOG scale {she} [[has]] a performance status of {ps}.
        ECOG performance status of {ps} documented.
    """),
    "treatment": _lines("""
        Rx {drug} from {start_my}.
        {she} started {drug} on {start_dmy}.
        {her} treatment to date has been {drug}.
        Systemic therapy with {brand} was initiated in {start_my}, given as {line}.
        {drug} ({line}), started {start_mdy}, response: {response}.
        On {drug}, the tumour showed {response}.
        {she} has had {line} {drug}.
        The chart lists {drug} as {line} therapy, begun {start_mdy}.
        With {brand}, the documented response [[was]] {response}.
        Status post {drug}.
        The patient underwent {line} therapy with {drug}, achieving {response}.
    """),
    "medication": _lines("""
        Meds: {drug}.
        {she} currently takes {drug}.
        Regular medication includes {drug}.
        The medication list shows {drug}.
        Among {her} current medicines is {drug}.
        Home medications: {drug}.
        {drug} is listed as a current medication.
        On {drug}.
        {drug} is being taken at present.
    """),
    "lab": _lines("""
        {name} {value}, {date_dmy}.
        Labs: {name} {value}.
        {her} {name} was {value} when checked on {date_dmy}.
        Bloods from {date_dmy} record a {name} of {value}.
        The laboratory value for {name} [[was]] {value} as of {date_mdy}.
        Looking at the labs, {name} came in at {value}.
        {name}: {value} (drawn {date_mdy}).
        Latest {name} {value}.
        A {name} of {value} was documented on {date_dmy}.
    """),
    "note": _lines("""
        Note {date_dmy}: "{quote}"
        In the clinic note dated {date_dmy} we read "{quote}"
        The record contains this passage, dated {date_mdy}: "{quote}"
        The documentation of {date_dmy} notes "{quote}"
        "{quote}" (clinical note, {date_mdy}).
        As noted on {date_dmy}, "{quote}"
        The {date_mdy} note documents the following: "{quote}"
    """),
    "absent": _lines("""
        {modality}: <<not ||negation||>>done.
        {modality} <<n/a||negation||done>>.
        <<No||negation||The>> {modality} results are on file.
        Unfortunately we do <<not ||negation||>>have {modality} data.
        There is currently <<no||negation||a>> {modality} result in the record.
        The file contains <<no ||negation||>>{modality} data, which leaves {would_change} open.
        {modality} is <<missing||direction||present>> from the record; {test} would provide it.
        Without {modality}, {would_change} cannot be established.
        What is missing is {modality}; {test} would answer this.
        {modality} has <<not ||negation||>>been performed, so {would_change} is unknown.
        To assess {would_change}, {test} would be needed.
        {modality} data were <<un||negation||>>available for review.
    """),
    "series": _lines("""
        {role} of {date_dmy}, {slices}.
        {role} obtained {date_mdy}.
        {role} dated {date_dmy} was reviewed.
        We reviewed the {role} from {date_my}, which consists of {slices}.
        Imaging available: {role} ({date_dmy}).
        The {role} was carried out on {date_dmy}.
        Slice spacing of the {role}: {spacing}.
        The available imaging is a {role} taken on {date_mdy}.
        {role}, {slices}, spacing {spacing}.
        The imaging data include a {role} study with {slices}.
    """),
    "lesion": _lines("""
        {series}: lesion {ld} x {sa}, volume {volume}.
        Mass of {ld} on {series}.
        {ld} lesion, short axis {sa}.
        Target lesion: longest axial diameter {ld}.
        {series} showed a lesion measuring {ld} in longest diameter.
        The {series} demonstrates a mass measuring {ld} by {sa}.
        The lesion on {series} is {ld_cm} across at its longest.
        In terms of size, the lesion measures {ld} with a volume of {volume}.
        The tumour comes to about {volume_round} mL in volume on {series}.
        On the {series} there is a {ld_cm} lesion with a short axis of {sa_cm}.
        A lesion with a longest diameter of {ld} was measured on {series}.
        Lesion volume {volume}; longest diameter {ld}.
        The tumor's short axis [[is]] {sa} on {series}.
        Attenuation within the lesion averages {mean} and peaks at {max}.
        The longest diameter was measured on slice {slice}.
        Maximum axial dimension: {ld}.
        Tumor size {ld_cm} x {sa_cm}.
        The volume of this lesion amounts to {volume}.
    """),
    "lesion_intensity": _lines("""
        SUVmax {suv_max}, SUVmean {suv_mean}.
        FDG uptake with an SUVmax of {suv_max}.
        {series}: mean {mean}, 10th percentile {p10}, 90th percentile {p90}.
        The lesion is FDG-avid with SUVmax {suv_max} on {series}.
        The lesion's SUVmax [[was]] {suv_max}, and its SUVpeak was {suv_peak}.
        When it comes to tracer uptake, the lesion has an SUVmax of {suv_max}.
        Lesion-to-surround signal ratio: {ratio}.
        The median signal of the lesion is {ratio} times that of the tissue around it.
        Intensities in the lesion range from {p10} (10th percentile) to {p90} (90th percentile).
    """),
    "appearance": _lines("""
        {attribute} {finding}.
        {finding} {attribute}.
        The image network's reading of the {attribute} is {finding}, with probability {probability}.
        The {attribute} [[appears]] {finding} to the image network.
        AI read of {attribute}: {finding}, {prob_pct}.
        As for the {attribute}, the model reads it as {finding}.
        The network assessed the {attribute} of the lesion as {finding} ({probability}).
        The lesion displays {finding} {attribute}.
        The lesion is characterized by {finding} {attribute}.
        Per the image network, the lesion has {finding} {attribute}.
        The image model assigned a probability of {probability} to {finding} {attribute}.
        Imaging features: {attribute} {finding}.
    """),
    "variant": _lines("""
        {gene} {v3}, VAF {af_pct}.
        {gene} {v1}: detected.
        {gene} {v1} mutated tumour.
        NGS: {gene} {v1} ({af_pct}).
        The tumour [[carries]] {gene} {v3}.
        Sequencing of the tumour [[identified]] a {gene} {v1} mutation at an allele fraction of {af}.
        Genomic profiling is notable for a {gene} {v3} mutation.
        The molecular profile includes {gene} {v1}.
        One of the findings is a {gene} {v3} mutation, seen at a VAF of {af_pct}.
        Sequencing picked up a {consequence} mutation in {gene}, namely {v1}.
        Molecular testing demonstrated the presence of {gene} {v1}.
        The patient's tumor [[harbours]] a somatic {gene} {v3} alteration.
        The sequencing report lists {gene} {v3} with {depth} supporting depth.
        {gene} {v1} was called at {depth}x with a variant allele frequency of {af}.
        Tumor positive for {gene} {v1}.
        {gene}-mutated ({v3}) disease.
        There is a {consequence} mutation of {gene}: {v3}.
        In {gene}, the {v1} mutation was <<found||negation||not found>>.
    """),
    "copy_number": _lines("""
        {gene} {call}, log2 {log2}.
        CNV: {gene} {call}.
        The tumour [[has]] {gene} {call}.
        We also see {call} of {gene}, with a log2 ratio of {log2}.
        Copy number profiling demonstrated {gene} {call}.
        {gene} shows copy-number {call} at a log2 ratio of {log2}.
        {gene} status: {call}.
        The copy number call for {gene} [[is]] {call}.
        {call} involving {gene} was reported.
    """),
    "fusion": _lines("""
        {name} fusion: positive.
        The tumor [[carries]] a {name} fusion.
        RNA testing picked up a {name} rearrangement.
    """),
    "pathway": _lines("""
        {pathway}: {direction}.
        Activity of the {pathway} pathway [[is]] {direction}.
    """),
    "biomarker": _lines("""
        {name}: {value}.
        {name} {value}.
        {name} of {value}.
        The {name} result [[was]] {value}.
        On testing, {name} was {value}.
        The tumour's {name} comes out as {value}.
        {name} assessment gave {value}.
        {name} status is recorded as {value}.
        Biomarker testing [[shows]] {name} {value}.
        The tumor has {name} of {value}.
        With regard to biomarkers, {name} stands at {value}.
    """),
    "expression_profile": _lines("""
        {attribute}: {finding} (expression).
        RNA: {finding} {attribute}.
        Expression profiling points to {finding} {attribute}.
        The expression network calls {attribute} {finding} with a probability of {probability}.
        {attribute} [[is]] {finding} as read from gene expression.
        The gene expression data suggest that {attribute} is {finding}.
        Expression-based {attribute} is {finding} ({prob_pct}).
        By transcriptomic analysis, {attribute} was {finding}.
    """),
    "survival": _lines("""
        Predicted OS: {s12} at 12 mo, {s24} at 24 mo.
        Model risk: {risk_group} ({percentile}).
        12-mo survival {s12} predicted.
        The model's predicted probability of being alive at 12 months is {s12}.
        The survival model puts the patient into the {risk_group} risk group.
        The patient falls into the {risk_group} risk category, as predicted by the model.
        In terms of prognosis, the model predicts a 24-month survival of {s24}, with a 95 % interval of {i24}.
        According to the prediction, there is a {s12} chance of survival at 1 year.
        {her} predicted risk [[is]] {risk_group}.
        Our model forecasts {s12} survival at one year and {s24} at two years.
        The predicted two-year survival probability is {s24} (interval {i24}).
        Predicted 12-month survival stands at {s12}, the 95 % interval running from {i12}.
        {her} risk ranks at the {percentile} of the cohort according to the survival model.
        Survival model output: {risk_group} risk, {percentile}.
        The input to the model is {reliability}.
    """),
    "molecular_prediction": _lines("""
        Imaging prediction: {gene} {label}, p {probability}.
        From imaging, {gene} is predicted {label}.
        The imaging model predicts that {gene} is {label}.
        The imaging-based prediction is that {gene} is {label}, which {agreement}.
        Radiogenomics: {gene} {label} predicted, probability {probability}.
        Looking only at the images, the model predicts {gene} to be {label} with a probability of {prob_pct}.
        The model's imaging prediction of {gene} {label} {agreement}.
        {gene} status as predicted from imaging is {label}.
    """),
    "cancer_type_prediction": _lines("""
        Predicted type: {label} ({prob_pct}).
        The model's top prediction for cancer type [[is]] {label}.
        The predicted cancer type of {label} {agreement}.
        For the type of cancer, the model predicts {label}.
        Cancer type as predicted by the model: {label}, probability {probability}.
    """),
    "contribution": _lines("""
        Top contributor: {top}, {top_share}.
        {top} contributes {top_share} of the total.
        The modality contributing most to the survival prediction is {top}.
        In this prediction, {top} carried the largest share at {top_share}.
        The model's survival prediction leaned most on {top}.
        {top} made the largest contribution and {direction} the predicted risk.
        The share of {top} in the prediction was {top_share}.
        Most of the weight in the prediction came from {top}.
    """),
    "gene_attribution": _lines("""
        Genes <<raising||direction||lowering>> risk: {up1}, {up2}.
        Genes <<lowering||direction||raising>> the prediction most: {down1}.
        {up1} is among the genes <<raising||direction||lowering>> the predicted risk most.
        Expression of {down1} pulls the predicted risk <<down||direction||up>>.
        The genes that <<raise||direction||lower>> the predicted risk include {up1} and {up2}.
        On the other side, {down1} <<lowers||direction||raises>> predicted risk.
        Per integrated gradients, {up1} is a top <<risk-raising||direction||risk-lowering>> gene.
    """),
    "heatmap": _lines("""
        Heat map {series}: {overlap} inside lesion; deletion test {deletion}.
        {overlap} of the heatmap's weight is inside the lesion on {series}.
        The saliency map for {series} has {overlap} of its weight in the lesion.
        On {series}, the heat map {deletion} its deletion test.
        The model's attention on {series} falls {overlap} within the lesion.
        The heat map puts {overlap} of its weight on the lesion.
    """),
    "similar_case": _lines("""
        {case}: similarity {similarity}, f/u {followup}.
        {case} (similarity {similarity}) {outcome_verb} at {followup}.
        One similar patient, {case}, {outcome_verb} after {followup} of follow-up.
        Among the comparable cases is {case}, whose follow-up lasted {followup}.
        The reference case {case} resembles this patient with a similarity of {similarity}.
        A similar case in the cohort, {case}, {outcome_verb}.
        Case {case} has a similarity of {similarity} to this patient.
    """),
    "similar_summary": _lines("""
        {count_n} nearest cases: median survival {median}.
        Median survival in the {count_n} cases most like this one is {median}.
        Looking at the {count_n} most similar patients, the median survival comes to {median}.
        The median survival of the similar cases [[was]] {median}.
        {alive24} of the {count_n} nearest cases are estimated to be alive at 24 months.
    """),
    "neighbour_survival": _lines("""
        {count_n} similar cases: median OS {median}, {alive12} alive at 12 mo.
        KM of similar cases: median {median}.
        In the {count_n} cases most similar to {her} own, median survival was {median}.
        About the similar cases: {alive12} were estimated to be alive at one year.
        The Kaplan-Meier estimate for the {count_n} similar cases puts median survival at {median}.
        For comparison, {alive12} of {count_n} similar patients were alive at 12 months.
        Of the {count_n} most similar cases, {alive36} are estimated alive at 36 months.
        The group of similar cases had {events_n} events and a median survival of {median}.
    """),
    "passage": _lines("""
        Lit.: {statement}
        It has been reported: {statement}
        From the guideline: {statement}
        One published source states: {statement}
        Relevant background: {statement}
        The retrieved passage says the following: {statement}
        Per the literature (PMID {pmid}), {statement}
    """),
    "therapy": _lines("""
        {drug}: offered ({biomarker}, {level_system} {level}).
        Option: {drug} for {biomarker}.
        {biomarker} -> {drug}, {level_system} {level}.
        {drug} is listed as an option for {biomarker} in {disease}.
        One therapeutic option is {drug}, matched to {biomarker}.
        The presence of {biomarker} makes {drug} an option.
        {brand} is among the options offered for {biomarker}.
        Supporting evidence for {drug} with {biomarker} is {level_system} {level}.
        The evidence linking {biomarker} to {drug} sensitivity is {level_system} {level}.
        {biomarker} predicts <<sensitivity||direction||resistance>> to {drug}.
        {trial} provides the evidence for {drug} in {biomarker}.
        {drug} has {approval} approval in {disease} with {biomarker}.
        A targeted option here would be {drug}, given {biomarker}.
        Tumors with {biomarker} are <<sensitive||direction||resistant>> to {drug} ({level_system} {level}).
        Based on {biomarker}, {brand} [[is]] an available option.
        Regulatory status of {drug}: {approval}.
        {drug} is offered in the {line} setting.
        The {trial} study underpins {drug} for {biomarker}.
    """),
    "therapy_excluded": _lines("""
        {drug}: <<excluded||direction||offered>>, {reason}.
        {drug} <<excluded||direction||offered>> - {reason}.
        {drug} is <<not ||negation||>>offered here; reason: {reason}.
        {brand} was set <<aside||direction||up>> because {reason}.
        {drug} is off the table: {reason}.
        {drug} does <<not ||negation||>>qualify as an option, as {reason}.
        {brand} has been <<excluded||direction||selected>> on the grounds that {reason}.
        The reason {drug} is <<excluded||direction||offered>>: {reason}.
    """),
    "variant+variant": _lines("""
        {a.gene} {a.v1}, {b.gene} {b.v1}.
        {a.gene} {a.v1} (VAF {a.af_pct}); {b.gene} {b.v1} (VAF {b.af_pct}).
        Two mutations were identified: {a.gene} {a.v1} and {b.gene} {b.v1}.
        In addition to {a.gene} {a.v3}, sequencing revealed {b.gene} {b.v3}.
        Alongside {a.gene} {a.v1}, there is also {b.gene} {b.v1}.
        {a.gene} {a.v1} co-occurs with {b.gene} {b.v1}.
        The tumour carries mutations in both {a.gene} ({a.v1}) and {b.gene} ({b.v1}).
    """),
    "lesion+appearance": _lines("""
        {a.ld} lesion on {a.series}, {b.attribute} {b.finding}.
        {a.series} demonstrates a {a.ld} mass with {b.finding} {b.attribute}.
        The lesion measures {a.ld}, and its {b.attribute} is read as {b.finding}.
    """),
    "demographics+diagnosis": _lines("""
        {a.age}yo {a.woman}, {b.disease}, {b.stage}.
        This is a {a.age}-year-old {a.woman} with a diagnosis of {b.disease}.
        The patient, a {a.age}-year-old {a.woman}, has {b.stage} {b.disease}.
        {a.age}-year-old {a.woman} diagnosed with {b.disease} on {b.date_mdy}.
    """),
    "biomarker+biomarker": _lines("""
        {a.name} {a.value}, {b.name} {b.value}.
        The tumour's {a.name} is {a.value}, while its {b.name} is {b.value}.
        On biomarker testing, {a.name} was {a.value} and {b.name} was {b.value}.
    """),
    "variant+therapy": _lines("""
        {a.gene} {a.v1} -> {b.drug}.
        With {a.gene} {a.v1} present, {b.drug} is an option.
        Because the tumour harbours {a.gene} {a.v1}, {b.drug} is offered.
        {b.drug} is an option because of the {a.gene} {a.v3} mutation.
    """),
    "diagnosis+performance": _lines("""
        {a.disease}, {a.stage}, ECOG {b.ps}.
        {she} has {a.disease} and an ECOG performance status of {b.ps}.
    """),
}  # fmt: skip
"""As ``KNOWN`` of eval/grounding_wordings.py."""
