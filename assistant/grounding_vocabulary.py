# ruff: noqa: E501
"""The closed vocabulary of claims: neutral words, words of each evidence type, names of numbers, frames.

Widen a list here only with words that cannot change a fact. Not known here: directions and units (grounding_words.py).
"""

from __future__ import annotations

from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEUTRAL = _words("""
a an the of in on at for with and or by to from as is are was were be been being has have had having
this that these those which who whose it its there here also both each all per via than then so does
do did can could may might would found seen detected identified observed evident visible harbours
harbors carries carry shown noted show shows showed reveals reveal revealed demonstrates
demonstrated demonstrate displays display displayed exhibits exhibit measures measured measuring
measure measurement measurements reported reports report documented documents recorded records
record described describes listed lists named given giving gives give noting notes states state
stated stating says say indicates indicate indicating according based using used use current
currently case cases evidence data value values result results finding findings information details
detail feature features status level type return returned returns we our presents presenting presented case-level corresponds
corresponding respectively namely i.e e.g because among between about approximately
around roughly nearly circa include includes including holds hold analysis analysed their across testing additionally moreover
while whereas but although though plus alongside
""") - {"because", "respectively", "than", "so", "give", "given", "giving", "gives"}  # fmt: skip
"""Words that state nothing by themselves. "than", "because", "so" and "respectively" are left out on purpose: they
join facts into comparisons and causes that no single piece of evidence holds. "give" is a treatment action."""

PATIENT_WORDS = _words("patient she he her his him tumour lesion mass cancer disease")
"""The patient and the tumour: allowed where evidence is about this patient."""

TYPE_WORDS: Mapping[str, str] = {
    "demographics": "deal dealing person individual concerns age old sex year aged gender",
    "diagnosis": "pathology pathological pathologically clinically clinical underlying malignancy neoplasm known carries confirmed diagnostic presenting diagnosis disease cancer stage grade histology type primary dated date made edition tnm classified "
                 "oncotree code staged graded established on subtype",
    "performance": "ps functional condition fitness performance status score ecog",
    "treatment": "systemic initiated begun consisted comprised administered prescribed earlier exposed exposure already treatment therapy treated received given started line prior previous previously response "
                 "drug regimen on with commenced since began followed was after first",
    "medication": "therapy comedication drugs regular prescribed continues taken weigh medication drug medicine current currently takes taking take on concomitant also other",
    "lab": "labs analysis most concentration serum chemistry laboratory lab blood test level value measured on dated latest most recent date result",
    "note": "clinical clinician documented wrote writes entry mentions mentioned puts note document letter written states dated clinician records report text quoted quote from the said "
            "reads according",
    "absent": "remain undetermined consider unclear unresolved suggested next determined determine established evaluated leaves open stays depend depends bears next step needs available missing data modality reason would could change inform answer test plan file files provided "
              "supplied performed done needed obtained obtain resolve clarify settle unknown affect help because "
              "since as lacks gap decide decision decisions clear folder alter influence was were tested reported "
              "document question information not been assessed included",
    "conflict": "source sources check before deciding disagree disagreement conflict contradict contradiction differ discrepancy discordant inconsistent whereas "
                "but while note record versus however review needs resolve resolved clarified clarification by",
    "series": "exam includes dating dates read series imaging scan scans image images study studies acquired dated date performed slices slice spacing "
              "examination available obtained taken resolution voxel consists contains includes comprises and modality on",
    "series_verdict": "read series imaging scan scans image images study studies acquired dated date performed slices slice "
              "spacing examination available obtained taken resolution voxel consists contains includes comprises and modality on",
    "lesion": "spans span plane inside greatest dimensions focal visualised visualized estimated extends extending occupying lesion tumour mass volume long longest axial diameter short axis size mean maximum intensity slice axis "
              "dimension extent key image imaging on scan largest axially series uptake suvmax maximum suvmean "
              "measuring across hounsfield suv suvmean visible reaching occupies",
    "proposed_lesion": "lesion tumour mass volume long longest axial diameter short axis size mean maximum intensity slice key image imaging on "
                       "scan series measuring suvmax suvmean hounsfield suv proposed outline software candidate",
    "lesion_change": "lesion tumour mass change changes compared comparison prior study studies earlier previous previously before now "
                     "current currently then size measure longest diameter short axis imaging on scan series was is were went since follow "
                     "followup up interval alone only one this trend smallest outline outlined went percent",
    "lesion_sum": "sum total diameter diameters lesion lesions matched compared comparison prior study earlier before now current change "
                  "went on series imaging scan follow followup percent left out more",
    "lesion_intensity": "inside peak reaches surrounding attenuation lesion tumour mass mean maximum percentile intensity signal uptake suvmax suvpeak suvmean suv hounsfield "
                        "ratio times median around surrounding tissue on imaging scan image series value relative",
    "appearance": "inside judged graded rates rated characterises finding findings imaging tracer imaging image images appears appearance look looks lesion tumour mass read reads model network "
                  "probability appear attribute characterised rated assessed classified "
                  "predict likely suggests suggest scan estimate radiological radiologically confidence",
    "variant": "profiling genomics panel somatic identified profile locus sample analysis tested test variant mutation mutated mutant alteration altered change sequencing molecular gene genomic "
               "dna reads allele fraction depth read protein harbour harbouring carry "
               "detected tumour at next generation supported panel frequency positive",
    "copy_number": "locus analysis profiling tumour harbours sample copy number copies gene change alteration log2 ratio call called genomic dna molecular "
                   "sequencing",
    "fusion": "profiling panel gene sample test tested sequencing fusion gene rearrangement transcript partner between partners molecular involving joins rna",
    "biomarker": "assay stained staining biomarker expression score level tumour proportion tested measured marker "
                 "staining burden",
    "expression_profile": "point points profiling transcriptome signatures expression profile gene transcriptomic rna tumour model network read reads probability "
                          "signature shows molecular predict likely suggests suggest estimate confidence",
    "pathway": "pathway activity score expression gene signalling",
    "survival": "assigned assign features forecasts forecast anticipated chances odds reaching projected overall survival predict model estimate risk group probability expected percentile cohort reference month year "
                "interval confidence ci range between overall at outcome compare relative rank ranks "
                "place places placed score falls lies input reliable out distribution relative death project "
                "fusion multimodal multi modality category corresponding predictor",
    "molecular_prediction": "images radiogenomics inferred infers call calls reads predict model probability imaging image alone estimate likely suggests suggest from gene "
                            "status sequencing radiogenomic network based only compare the result non invasive noninvasive",
    "cancer_type_prediction": "probable identifies images inferred infers input inputs predict model cancer type probability classifier classify classified estimate record "
                              "tumour likely suggests network diagnosis recorded",
    "contribution": "relied relies features information main mainly mostly data inputs based comes rests weighs matters contribute predict prediction survival model risk largest main mostly driven modality input share "
                    "weight followed influence drive driver drives top dominant accounts strongest longest explain explanation",
    "gene_attribution": "associated up genes pushing attribute attributed linked behind gene predict prediction survival model risk integrated gradients explanation attribution most "
                        "top driven driver contribute strongest expression push pushes explain error completeness "
                        "completenes longest",
    "heatmap": "concentrates concentrate activation saliency weighting focus focused lie drawn weights places puts checked explains heat map heatmap attention explanation weight lesion inside image prediction predict model grad cam gradcam "
               "overlap overlaps lies falls deletion test focuses focus segmentation outline within saliency tumour "
               "attribution network activation concentrated",
    "similar_case": "score closely match matched close like similar case neighbour cohort reference shared share shares synthetic similarity followup followed outcome month "
                    "resembles patient closest comparable nearest most match matching after retrieved in common last at who",
    "similar_summary": "neighbours matched nearest comparable close like comparison rests similar case neighbour cohort reference synthetic survival median estimate alive month year "
                       "closest comparable nearest most retrieved at outcome outcomes patient kaplan meier in matching",
    "neighbour_survival": "matched neighbours comparable nearest close like comparison rests similar case neighbour cohort reference synthetic survival median estimate alive month year "
                          "closest comparable nearest most retrieved at outcome outcomes patient kaplan meier in matching event events "
                          "interval confidence ci",
    "hypothetical_risk": "hypothetical hypothetically then suppose supposed supposing predict model risk survival percentile group month "
                         "estimate estimated become becomes rise rises fall falls drop drops change changed remain stay from recorded category",
    "hypothetical_therapy": "hypothetical hypothetically then suppose supposed supposing become becomes therapy treatment drug biomarker level evidence "
                            "matched match row structured considered consider carrying",
    "passage": "literature study studies published reported trial trials data summarised summarized guideline guidance guidelines literature summary evidence published publication according advise source patients",
    "therapy": "potential comes come stems pivotal possible potentially expected supported regimen agent strategy backed therapy treatment drug option options biomarker level evidence supported support supports trial approval matched match "
               "status tier line associated predicts predict expected direction row structured patients according "
               "knowledge base off label caution setting context listed remains available considered consider "
               "may be was because reason owing due contraindications contraindication contraindicated weigh weighed against "
               "note flagged since as relevant before prior targeted patient graded rated gene carrying alteration altered "
               "mutation mutated mutant tumour cancer",
}  # fmt: skip
"""Evidence type -> words that may be said about it beside its own; none of them carries a value."""

_LESION_CUES: Mapping[str, tuple[str, ...]] = {
    "volume": ("volume",), "longest_diameter": ("longest", "long", "diameter"), "short_axis": ("short",),
    "mean_intensity": ("mean", "suvmean"), "max_intensity": ("maximum", "suvmax"), "slice": ("slice",),
}  # fmt: skip

FIELD_CUES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "lesion": _LESION_CUES, "proposed_lesion": _LESION_CUES,
    "lesion_intensity": {
        "mean": ("mean",), "p10": ("number:1E+1:ordinal",), "p90": ("number:9E+1:ordinal",), "suv_max": ("maximum", "suvmax"),
        "suv_peak": ("suvpeak",), "suv_mean": ("suvmean", "mean"), "ratio": ("ratio", "times"),
    },
    "survival": {
        "percentile": ("percentile",), "survival_12m": ("number:12:month",), "interval_12m": ("number:12:month",),
        "survival_24m": ("number:24:month",), "interval_24m": ("number:24:month",),
    },
    "variant": {"allele_fraction": ("allele", "fraction"), "depth": ("depth", "read", "reads", "x")},
    "copy_number": {"log2_ratio": ("log2", "ratio")},
    "similar_summary": {
        "count": ("case", "similar", "synthetic"), "median_survival": ("median",),
        "alive_24m": ("alive", "number:24:month"),
    },
    "neighbour_survival": {
        "count": ("case", "similar", "synthetic"), "events": ("event", "events"), "median_survival": ("median",),
        "median_interval": ("interval",), "interval_12m": ("interval",), "alive_12m": ("number:12:month",),
        "alive_36m": ("number:36:month",), "interval_level": ("interval", "confidence"),
    },
    "similar_case": {"similarity": ("similarity",), "followup": ("followup",)},
    "series": {"slices": ("slice", "slices"), "spacing": ("spacing",)},
    "series_verdict": {"slices": ("slice", "slices"), "spacing": ("spacing",)},
    "diagnosis": {"grade": ("grade",), "tnm_edition": ("ajcc", "edition", "uicc")},
    "therapy": {"level": ("level", "tier"), "line": ("line",)},
    "treatment": {"line": ("line",)},
    "heatmap": {"overlap": ("inside", "overlap", "lesion"), "deletion_test": ("deletion",)},
    "gene_attribution": {"completeness_error": ("error", "completenes", "completeness")},
}  # fmt: skip
"""Type -> field -> words that say which field a number belongs to; the nearest one in the clause decides."""

REQUIRED_CUES = frozenset([
    ("similar_summary", "median_survival"), ("neighbour_survival", "median_survival"),
    ("neighbour_survival", "median_interval"), ("neighbour_survival", "interval_12m"),
    ("neighbour_survival", "alive_12m"), ("neighbour_survival", "alive_36m"), ("neighbour_survival", "events"),
    ("neighbour_survival", "interval_level"),
])  # fmt: skip
"""(type, field) whose value is only said beside one of its words."""

ORDERING = _words("followed before after then versus vs compared over than prior preceded")
"""Words of free text that make the order of what stands around them its meaning."""

FRAMES: Mapping[str, tuple[frozenset[str], str]] = {
    "proposed_lesion": (_words("proposed"), "states a proposed lesion as a found one; say that it is proposed"),
    "molecular_prediction": (_words("predict model probability estimate likely suggest network classifier"),
                             "states a prediction as a fact; say that it is predicted"),
    "cancer_type_prediction": (_words("predict model probability estimate likely suggest network classifier"),
                               "states a prediction as a fact; say that it is predicted"),
    "survival": (_words("predict model probability estimate expect project risk percentile input reliable"),
                 "states a prediction as a fact; say that it is predicted"),
    "similar_case": (_words("similar similarity case neighbour cohort comparable nearest synthetic match"),
                     "does not say that this is another patient"),
    "similar_summary": (_words("similar case neighbour cohort comparable nearest synthetic"),
                        "does not say that these are other patients"),
    "neighbour_survival": (_words("similar case neighbour cohort comparable nearest synthetic"),
                           "does not say that these are other patients"),
    "note": (_words("note document letter state said report record read according write written"),
             "does not say that this stands in a note"),
    "conflict": (_words("""
disagree disagreement conflict contradict contradiction differ discrepancy discordant inconsistent
"""),
                 "states one side of a contradiction as a fact"),
    "absent": (_words("no not missing absent without lack none unknown would could answer inform non never needed required gap"),
               "does not say that this is missing"),
}  # fmt: skip
"""Type -> (word keys of which a claim must hold one, what is wrong otherwise)."""

DENYING_TYPES = _words("""
passage note conflict therapy lesion proposed_lesion lesion_change lesion_sum lesion_intensity
series_verdict
""")
"""Types whose sentences may deny something ("not measurable by RECIST 1.1"): what they deny is not claimed."""

PLACES = _words("""
lesion tumour mass outline segmentation segment contour margin region mask image imag scan slice series volume
reference range distribution cohort interval period it breast lung brain kidney colon organ liver limit guideline
patient case expression
""")
"""Word keys that "inside" and "within" may be followed by; a number ("within 12 weeks") may follow as well."""
