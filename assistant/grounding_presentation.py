# ruff: noqa: E501
"""How a fact is put, never what it is: presentation words, abbreviations and turns of speech a claim may use.

A word stands here only where leaving it out leaves the statement as it was. Kept out on purpose, and tested to be: degree
("severe", "markedly"), certainty ("likely", "proven"), time and order ("recently", "after", "ongoing" but of medicines),
cause ("therefore"), advice ("should", "recommended"), denial in disguise ("fails", "unlikely", "ruled out"), quantity
("only", "most", "several"), and verbs that give a thing a role ("caused", "treated") outside the types whose fact they are.

These words are allowed, not ignored: in a quoted sentence they count as any other word (grounding_quotes.py), and a
negation, direction, number or name beside them needs its own support. Not known here: neutral words and the words of
each type that any template may use (grounding_vocabulary.py), directions and units (grounding_words.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_P = re.compile

PRESENTATION = """
what your you us own know tells see sees seen our appears appear appeared chart charts clinic documentation dossier summary
overview picture background context section item items listing assessment assessments evaluation examination reading
interpretation impression output description category categories term terms regard respect discussion
topic view views specimen sample review reviewed represents represent represented constitutes constitute depicts depicted illustrates
illustrate illustrated highlights highlighted reflects reflected characterised characterized characterises characterizes
labelled labeled designated contains contain containing regarding retrieved derived cited mentioned mentions assessed
evaluated furthermore besides specifically together me where how itself themselves aforementioned
demographics particulars synoptic parameter parameters metric metrics readout breakdown comment comments observation observations
snapshot account sheet file files folder letter database dataset belongs belong specified specifies specify summarised
summarized summarises summarizes outlines conveys denotes equal equals quoted number numbers point points pointed pointing form forms word words fact facts date
dates refers refer referred referring viewed logged filed entered registered recognised recognized discovered spotted defined
defines define calculated calculates calculate computed computes compute determined estimates table tables row rows column page
pages source sources documents texts paragraph identifier particular such numerically quantitatively qualitatively upon through
amongst captured captures mention summarise summarize
"""
"""Words of any claim that present a fact, every form written out: "contains" presents, "the disease is contained" does not."""

_AI = ("ai automated algorithm algorithms neural learning outputs tool tools system systems thinks think takes considers guess "
       "judgement judgment opinion verdict answer answers deems deemed regards regarded recognises recognizes scores favours favors")  # fmt: skip
_PEERS = ("group set peers peer analogous individuals people resemble resembles resembling lasted lasting duration length time "
          "tracked another other whose patients like likeness")  # fmt: skip

PRESENTATION_BY_TYPE: Mapping[str, str] = {
    "demographics": "person's aged turning subject gender",
    "diagnosis": "microscopy microscopically indication pathologist features named suffers suffering morphology morphologically coded pathologically histotype tumour's biology oncologic oncological history entity pathologist classification using",
    "performance": "rated rates functionally rating zero scale graded rating puts",
    "treatment": "led anticancer antineoplastic start starts attained reached obtained achieves went onwards pretreated outcome placed treatments receives receiving underwent achieving achieved course courses history produced yielded lists listed gave exposure",
    "medication": "maintained uses taken concurrent concomitantly prescription receives receiving medicines home part ongoing list regularly includes being use",
    "lab": "sampled draw levels reads biochemistry haematology hematology value assayed last obtained drawn when checked bloods bloodwork came registered panel testing figure done taken collected",
    "note": "excerpt extract verbatim quotation quoting passage reads notes remark sentence wording visit consultation",
    "absent": "still fill shed light outcome time record records needed so open unfortunately currently result results helpful unanswered required require requires provides provide",
    "series": "given used indication technique count comprised scanned sections sequence stack dimensions voxels archive done underwent imaged session dataset acquisition comprising made in-plane consisting composed",
    "lesion": "volumetry axes caliper calipers reads dimension overall volumetrically axially measurement measurements units sized volumetric perpendicular cross sectional bidimensional length outlined segmented units",
    "lesion_intensity": "surroundings intense neighbouring neighboring environment range ranges ranging tracer fdg units adjacent voxel values relative",
    "appearance": f"confident seems scored classed morphology shows {_AI} assigned assigns pattern characteristic described judges assesses",
    "variant": "genetically molecularly pathologist sequenced affects affecting located lies bears bear bearing possesses amino acid exchange event lists involving involves called calls calling supporting mutational genetic genome exome assay gave fraction result",
    "copy_number": "affected genetically event segment affects affecting involving involves status calling calls genetic genome",
    "fusion": "event joining involving involves result calls called genetic",
    "biomarker": "determination markers readout gave came result quantified scored biomarkers percentage assay",
    "expression_profile": f"judged judging deduced inferred toward towards activity indicative suggestive confident seems levels {_AI} calls called assigned assigns transcriptomically data",
    "pathway": f"{_AI} pathways",
    "survival": f"lands landing bucket bound bounds belongs surviving confident {_AI} puts put into fall falls runs running prognosis prognostic modelled modeled stratified stratifies tier band "
                "ranges ranging spanning position sits class classified assigns",
    "molecular_prediction": f"infers confident noninvasively imaging-based {_AI} radiology radiological radiologically scans scan looking look forecasts assigns assigned given",
    "cancer_type_prediction": f"names labels confident classifies {_AI} top looking look assigns assigned types",
    "contribution": "influential influences importance mattered leaned leans made makes came stems portion proportion percentage responsible source sources side ranked "
                    "attributable overall relying leaning total",
    "gene_attribution": "driving contributions pulls pull pulling toward towards effect impact direction ranked side other list",
    "heatmap": "areas activations salient overlapping proportion percentage share region area placed located falling",
    "similar_case": f"{_PEERS} include includes neighbouring neighboring profile outcome",
    "similar_summary": f"after neighbouring neighboring {_PEERS} overall puts put comes",
    "neighbour_survival": f"after neighbouring neighboring there {_PEERS} overall puts put curve estimator comes",
    "passage": "summary base show shows source background retrieved passage excerpt reads text paper article follows sentence material points",
    "therapy": "why linkage confer confers studied investigated opens target targets targeting directed therapies linking links link linked makes make provides provide underpins underpin study reason regulatory therapeutic rating "
               "classification rationale op:→ tied listing agency medicine backing backs basis rests rest grounds ground",
}  # fmt: skip
"""Evidence type -> words that present a fact of this type and would state something of another ("drawn", "puts", "pulls")."""

_TOPIC = (r"as for|as regards|regarding|with (?:regard|respect) to|in (?:regard|respect) (?:to|of)|in terms of|"
          r"when it comes to|turning to|looking at|speaking of")  # fmt: skip
_OPENERS = (
    r"notably|of note|in summary|in brief|to summari[sz]e|to sum up|overall|taken together|specifically|in particular|in detail|"
    r"in other words|in short|in fact|for (?:reference|context|completeness|the record|comparison)|as a reminder|by way of background|"
    r"firstly|secondly|thirdly|furthermore|also|so|on the other (?:hand|side)|on the one hand|similarly|likewise|briefly|in conclusion"
)
_COUNTED = (
    "options|cases|findings|mutations|alterations|variants|genes|patients|neighbou?rs|medicines|medications|drugs|"
    "biomarkers|features"
)
_NOT_RECURRING = "".join(f"(?<!{w} )" for w in ("tumour", "tumor", "lesion", "mass", "cancer", "disease", "it"))
_KINDS_OF_ONE = "option|similar|comparable|published|reference|therapeutic|treatment|targeted|possible|potential|such|matched|matching|retrieved"

PRESENTATION_PHRASES: tuple[tuple[re.Pattern[str], str], ...] = (
    (_P(r"\*\*|^[-*] "), ""),
    (_P(r"(?<![Tt]ier )(?<!evel )(?<!lass )(?<!hase )(?<!rade )\bI (?=can|could|see|find|note|am|have|would|did|do|was|quote|read|report|list|refer|understand|gather)"), "we "),
    (_P(r"(?i)\b(s?he|it|that|there|here|what|who)'s (?=an?\b|the\b|\d|not\b|on\b|in\b|been\b|ECOG)"), r"\1 is "),
    (_P(r"(?i)\b(s?he|him|her)'s\b"), r"\1"),
    (_P(r"(?i)'ve\b"), " have"),
    (_P(r"(?i)'re\b"), " are"),
    (_P(r"(?i)^(?:many )?thank(?:s| you) (?:very much )?for (?:seeing|referring|asking (?:me|us) to see) "), ""),
    (_P(r"(?i)\bwe present(?= (?:an?|the|one)\b)"), "we report"),
    (_P(rf"(?i)^(?:{_OPENERS}), "), ""),
    (_P(rf"(?i)^(?:{_TOPIC}) ((?:[a-z]+ ){{0,3}}[a-z]+), "), r"for \1 "),
    (_P(rf"(?i)\b(?:{_TOPIC}) "), "for "),
    (_P(r"(?i)\b([a-z]+)-wise,? "), r"for \1 "),
    (_P(r"(?i),? (?:on the other hand|on the other side|in fact|for example|to date|in turn)\b"), ""),
    (_P(r"(?i)\b(patient|case|man|woman|scan) under (?:discussion|review)\b"), r"\1"),
    (_P(r"(?i)\bunder (?=(?:the )?(?:AJCC|UICC|TNM)\b)"), "by "),
    (_P(r"(?i)\b(?:the|as) follow(?:ing|s)(?=\s*:|\s*$)"), "this"),
    # abbreviations of notes
    (_P(r"\b[Dd]x(?:'?d|ed)?\b"), "diagnosis"),
    (_P(r"\b[RT]x\b|\b[rt]x\b"), "treatment"),
    (_P(r"\b[Hh]x\b|\b[Hh]/o\b"), "history"),
    (_P(r"\b[Pp]t(?=\b(?!\.\d))"), "patient"),
    (_P(r"(?i)\bmeds\b"), "medications"),
    (_P(r"(?i)\b(\d{1,3})[\s-]?(?:yo|y/o|y\.o\.)(?![a-z])"), r"\1 years old"),
    (_P(r"(?i)\b(\d{1,3})\s?y(?![a-z/])"), r"\1 years"),
    (_P(r"(?i)\bf/u\b"), "followup"),
    (_P(r"(?i)\bn/a\b"), "missing"),
    (_P(r"(?i)\bw/o\b"), "without"),
    (_P(r"(?i)\bw/(?=\s|\w)"), "with "),
    (_P(r"(?i)\bc/w\b"), "consistent with"),
    (_P(r"(?i)\bs/p\b|\bstatus[\s-]post\b"), "treated with"),
    (_P(r"\bOS\b"), "overall survival"),
    (_P(r"\bPFS\b"), "progression-free survival"),
    (_P(r"\bKM\b"), "Kaplan-Meier"),
    (_P(r"\bCN[VA]\b"), "copy number"),
    (_P(r"(?i)\blit\.(?=\W)"), "literature"),
    (_P(r"\bWT\b|\bwt\b"), "wildtype"),
    (_P(r"\b2L\b"), "second line"),
    (_P(r"\b3L\b"), "third line"),
    # turns of speech with one meaning
    (_P(r"(?i)\b(?:comes?|came|coming) (?:in at|out (?:at|as)|to|at)\b"), "is"),
    (_P(rf"(?i){_NOT_RECURRING}\b(?:comes?|came|coming) back (?:as|at)\b"), "is"),
    (_P(r"(?i)\b(?:amounts?|amounted|adds? up|added up) to\b|\bworks? out (?:at|to)\b"), "is"),
    (_P(r"(?i)\b(?:stands|stood|sits|sat) at\b"), "is"),
    (_P(r"(?i)\baveraged?s? (?=-?\d)"), "mean is "),
    (_P(r"(?i)\bpeak(?:s|ed) at (?=-?\d)"), "maximum is "),
    (_P(r"(?i)\b(?:carried out|conducted|undertaken)\b"), "performed"),
    (_P(r"(?i)\b(?:picked|turned) up\b"), "found"),
    (_P(r"(?i)(?<!not )\b(?:(?:is|was) )?(?:notable|remarkable) for\b"), "shows"),
    (_P(r"(?i)\bco-?(?:occur(?:s|ring)?|exist(?:s|ing)?) with\b|\b(?:together|along|in conjunction) with\b|\baccompanied by\b"), "with"),
    (_P(r"(?i)\bturn(?:s|ed) out to be\b|\b(?:is|was) put at\b|\b(?:weigh|clock|check)(?:s|ed)? in at\b"), "is"),
    (_P(r"(?i)\b(?:in line|in keeping|compatible) with\b"), "consistent with"),
    (_P(r"(?i)\bha(?:s|ve) yet to be\b"), "has not been"),
    (_P(r"(?i)\b(?:could not|can ?not|did not|do not|was unable to|were unable to) find\b(?: any\b)?"), "do not have"),
    (_P(r"(?i)\bat (?:this|the present) (?:time|point|moment)\b"), "currently"),
    (_P(r"(?i)\blong[\s-]axis(?: diameter)?\b"), "longest diameter"),
    (_P(r"(?i)\bbest (?=seen|visuali[sz]ed|appreciated|shown|measured)"), ""),
    (_P(r"(?:^|\s)=\s"), " is "),
    (_P(r"(?i)\bfirst (?=identified|noted|detected|seen|found)"), ""),
    (_P(r"(?i)\blast (?=recorded|documented|measured)"), "latest "),
    (_P(r"(?i)\bopens? up\b"), "makes"),
    (_P(r"(?i)\bco-?mutations?\b"), "mutations"),
    (_P(r"(?i)\bco-?medications?\b"), "comedication"),
    (_P(r"(?i)\bnot an? (?:suitable|eligible|viable|appropriate) (?=option|candidate)"), "not a "),
    (_P(r"(?i)\b(?:was|were|been) (?:put|placed|started) on\b"), "was given"),
    (_P(r"(?i)\bup-?front\b|\bfront[\s-]line\b"), "first line"),
    (_P(r"(?i)\bstandardi[sz]ed uptake value\b"), "SUV"),
    (_P(r"(?i)\b(?:came|comes|come) back (?=positive|negative)"), "was "),
    (_P(r"(?i)\b(?:came|comes|come) back with\b"), "found"),
    (_P(r"(?i)\bstands? out\b"), "is seen"),
    (_P(r"(?i)\b(?:is|was|were) not part of (?:the )?(?:testing|panel|record|work-?up)\b"), "was not tested"),
    (_P(r"(?i)\b(?:is|was) not possible to\b"), "can not"),
    (_P(r"(?i)\bnothing is (?:known|recorded|reported|documented) (?:about|on|of)\b"), "no"),
    (_P(r"(?i)(\d\s?(?:mm|cm)) long\b"), r"\1 in longest diameter"),
    (_P(r"(?i)\bmost (?=similar|comparable|alike|like)"), ""),
    (_P(r"(?i)\bclosest matches\b"), "closest cases"),
    (_P(r"(?i)\bn (?:=|is) (?=\d)"), ""),
    (_P(r"(?i)\bthe following (?=is|was)"), "this "),
    (_P(r"(?i)\bpredict(?:s|ed|ive of)? response to\b"), "predicts sensitivity to"),
    (_P(r"(?i)\b(trial|study|evidence|data) behind\b"), r"\1 for"),
    (_P(r"(?i)\bas well\b(?! as)"), "also"),
    (_P(r"(?i)\bwhen (?=measured|assessed|tested|checked|examined|evaluated|sequenced|read\b|imaged)"), ""),
    (_P(r"(?i)\bon the grounds? that\b|\bseeing (?:that|as)\b|\bon account of\b|\bowing to\b"), "because"),
    (_P(r"(?i)\bdates? back to\b|\bdated back to\b"), "is dated"),
    (_P(r"(?i)\boff the table\b"), "excluded"),
    (_P(r"(?i)\bqualif(?:y|ies) as an? (?:option|candidate)\b"), "qualify"),
    (_P(r"(?i)\bthe presence of (?=(?:an? )?[A-Z][A-Z\d])"), ""),
    (_P(r"(?i)\b(probability|chance|likelihood) of being alive\b"), r"\1 of survival"),
    (_P(r"(?i)\b(?:pull\w*|shift\w*) (the )?(predicted )?risk (?:up|upwards?)\b"), r"raises \1\2risk"),
    (_P(r"(?i)\b(?:pull\w*|shift\w*) (the )?(predicted )?risk (?:down|downwards?)\b"), r"lowers \1\2risk"),
    (_P(r"(?i)\b(AJCC|UICC|TNM) (\d)(?:st|nd|rd|th) edition\b"), r"\1 \2 edition"),
    (_P(r"(?i)\b(\d)(?:st|nd|rd|th) edition (?:of )?(?:the )?(AJCC|UICC|TNM)\b"), r"\2 \1 edition"),
    (_P(r"(?i)\bgrade III\b"), "grade 3"),
    (_P(r"(?i)\bgrade IV\b"), "grade 4"),
    (_P(r"(?i)\bgrade II\b"), "grade 2"),
    (_P(r"(?i)\bgrade I\b"), "grade 1"),
    (_P(r"(?i)\ballelic (?=fraction|frequency)"), "allele "),
    (_P(r"(?i)\b(?:variant )?allele fractions?\b"), "allele fraction"),
    (_P(r"(\d\s?(?:mm|cm|mL))\s*(?:->|→|=>)\s*(?=\d)"), r"\1 to "),
    (_P(r"\s*(?:->|=>)\s*"), " → "),
    (_P(r"(?i)\beighteen[\s-](?=months?\b)"), "18 "),
    (_P(r"(?i)\btwenty[\s-]four[\s-](?=months?\b)"), "24 "),
    (_P(r"(?i)\bthirty[\s-]six[\s-](?=months?\b)"), "36 "),
    # "one" that counts nothing
    (_P(rf"(?i)\bone of (the|our|her|his|these|those) (?=(?:[a-z]+[\s-]){{0,3}}(?:{_COUNTED})\b)"), r"among \1 "),
    (_P(rf"(?i)\bone (?=(?:{_KINDS_OF_ONE})\b|\d+[\s-]year)"), "a "),
    (_P(r"(?i)\b(this|that) one\b"), r"\1 case"),
)  # fmt: skip
"""Forms of several words -> one form, applied to claims and evidence alike, before the PHRASES of grounding_words.py."""
