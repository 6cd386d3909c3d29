"""The closed words of the checker: units, synonyms, opposites, neutral words, words that belong to a kind of evidence.

A claim may use neutral words, words of the evidence it cites, and words that belong to that evidence's type;
anything else is a statement the ledger does not hold. Widen a list here only with words that cannot change a fact.

Not known here: how they are applied (normalise.py, grounding_rules.py).
"""

# ruff: noqa: E501  the tables below are easier to read unwrapped
from __future__ import annotations

import re
from collections.abc import Mapping

from assistant.grounding_presentation import PRESENTATION_PHRASES

UNIT_WORDS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter", "millimeters"), ("mm", "1")),
    **dict.fromkeys(("cm", "centimetre", "centimetres", "centimeter", "centimeters"), ("mm", "10")),
    **dict.fromkeys(("ml", "cm3", "cc", "millilitre", "millilitres", "milliliter", "milliliters"), ("mL", "1")),
    **dict.fromkeys(("%", "percent", "per cent"), ("%", "1")),
    **dict.fromkeys(("month", "months", "mo"), ("month", "1")),
    **dict.fromkeys(("year", "years", "yr", "yrs"), ("month", "12")),
    **dict.fromkeys(("week", "weeks"), ("week", "1")),
    **dict.fromkeys(("day", "days"), ("day", "1")),
    **dict.fromkeys(("hour", "hours"), ("hour", "1")),
    **dict.fromkeys(("hu", "hounsfield units", "hounsfield unit"), ("HU", "1")),
    **dict.fromkeys(("suvbw", "suv"), ("SUVbw", "1")),
    **dict.fromkeys(("arbitrary units", "a.u."), ("arbitrary", "1")),
    **dict.fromkeys(
        ("mutations/mb", "mut/mb", "muts/mb", "mutations per mb", "mutations per megabase", "mutations/megabase"),
        ("mutations/Mb", "1"),
    ),
    **{u: (u, "1") for u in ("g/dl", "g/l", "mg/dl", "mmol/l", "umol/l", "u/l", "iu/l", "ng/ml", "mg", "mcg", "g", "kg",
                             "gy", "mg/m2", "mg/kg", "10^9/l", "ml/min", "msec", "ms", "bpm", "mmhg", "fold")},
}  # fmt: skip
"""Unit as written, lower case -> (base unit, factor to the base unit)."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_P = re.compile
_SPELLED_TIMES = (
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("ten", 10),
    ("twelve", 12),
)
PHRASES: tuple[tuple[re.Pattern[str], str], ...] = (
    *PRESENTATION_PHRASES,
    (_P(r"(?<![A-Za-z\d-])(?<!\d\.)(\d+(?:\.\d+)?\s?%?)\s?-\s?(\d+(?:\.\d+)?)(?![\d-])"), r"\1 to \2"),
    (_P(r"(?i)\b(?:wild[\s-]?type)\b|\bunmutated\b"), "wildtype"),
    (_P(r"(?i)\bpositron[\s-]emission tomography\b"), "PET"),
    (_P(r"(?i)\bcomputed tomography\b"), "CT"),
    (_P(r"(?i)\bmagnetic resonance(?: imaging)?\b|\bMRI\b"), "MR"),
    (
        _P(r"(?i)\b(?:variant allele (?:fraction|frequency)|allele frequency|mutant allele fraction|VAF)\b"),
        "allele fraction",
    ),
    (_P(r"(?i)\bfollow(?:[\s-]|ed )up\b"), "followup"),
    (_P(r"(?i)\beastern cooperative oncology group\b"), "ECOG"),
    (_P(r"(?i)\btumou?r mutation(?:al)? burden\b"), "TMB"),
    (_P(r"(?i)\bmicrosatellite instability[\s-]high\b"), "MSI-H"),
    (_P(r"(?i)\bhaemoglobin\b|\bhemoglobin\b"), "haemoglobin"),
    (_P(r"(?i)\bn['’]t\b"), " not"),
    (_P(r"(?i)(?<=\w)n['’]t\b"), " not"),
    (_P(r"(?i)\bcannot\b"), "can not"),
    (_P(r"(?i)\bin[\s-]frame\b"), "inframe"),
    (_P(r"(?i)\bprogression[\s-]free\b"), "progressionfree"),
    (_P(r"(?i)\b(tumour|tumor|disease|event|relapse|recurrence)[\s-]free\b"), r"\1free"),
    (_P(r"(?i)\bnon[\s-]small[\s-]cell\b"), "nonsmallcell"),
    (_P(r"(?i)\boff[\s-]label\b"), "offlabel"),
    (_P(r"(?i)\bfirst[\s-]line\b|\b1L\b|\bfrontline\b"), "first line"),
    (_P(r"(?i)\bT1[\s-](?:weighted )?post[\s-]contrast\b"), "T1 postcontrast"),
    (_P(r"(?i)\bpost[\s-]contrast\b"), "postcontrast"),
    (_P(r"(?i)\b(record|table|report|testing|sequencing|analysis|estimate|model|method) gives\b"), r"\1 states"),
    (_P(r"(?i)\bgrade G(?=\d)"), "grade "),
    *((_P(rf"(?i)\b{w}[\s-](?=(?:year|month|week|day)s?\b)"), f"{n} ") for w, n in _SPELLED_TIMES),
    (_P(r"(?i)\b(?:confidence interval|CI)\b"), "interval"),
    (_P(r"(?i)\bwithin the (lesion|tumou?r|mass)\b"), r"inside the \1"),
    (_P(r"(?i)\b(?:push\w*|driv(?:e|es|ing)|mov\w+) (the )?(predicted )?risk (?:up|upwards?)\b"), r"raises \1\2risk"),
    (
        _P(r"(?i)\b(?:push\w*|driv(?:e|es|ing)|mov\w+) (the )?(predicted )?risk (?:down|downwards?)\b"),
        r"lowers \1\2risk",
    ),
    (_P(r"(?i)\bbest (overall )?response\b"), "response"),
    (_P(r"(?i)\bin addition(?: to)?\b"), "additionally"),
    (_P(r"(?i)\bas well as\b"), "and"),
    (_P(r"(?i)\bruled out\b"), "excluded"),
    (_P(r"(?i)(?:^|(?<=considered )|(?<=option )|(?<=offered )|(?<=, ))given(?=\s+(?:the|an?|[A-Z0-9])|\s*$)"), "for"),
    (_P(r"(?i)\b(?:next[\s-]generation sequencing|NGS)\b"), "sequencing"),
    (_P(r"(?i)\bfirst diagnosed\b"), "diagnosed"),
    (_P(r"(?i)\bmost recent\b"), "latest"),
    (_P(r"(?i)\bmost (?=likely|probable|probably)"), ""),
    (_P(r"(?i)\b(?:i\.e|e\.g)\.,?"), ""),
    (_P(r"(?i)\b(?:in view|in light|on the basis) of (?=the |an? |[A-Z])"), "for "),
    (_P(r"(?i)\bgives (an? )(?=median|mean|probability|estimate|survival|value)"), r"states \1"),
    (_P(r"(?i)\bso far\b"), ""),
    (_P(r"(?i)\bat present\b"), "currently"),
    (_P(r"(?i)\bfirst recorded\b"), "recorded"),
    (_P(r"(?i)\btwo sources\b"), "sources"),
    (_P(r"(?i)\bset aside\b"), "setaside"),
    (_P(r"(?i)\bspeaks? against\b"), "speaksagainst"),
    (_P(r"(?i)\bnot reached\b"), "notreached"),
    (_P(r"(?i)\bno longer\b"), "nolonger"),
    (_P(r"(?i)\b(?:more|greater|higher|larger) than\b"), "morethan"),
    (_P(r"(?i)\b(?:less|lower|smaller|fewer) than\b"), "lessthan"),
)
"""Forms of several words -> one form, applied to claims and evidence alike."""

CANONICAL_WORDS: Mapping[str, str] = {
    "tumor": "tumour", "tumors": "tumour", "tumours": "tumour", "woman": "female", "lady": "female", "man": "male",
    "gentleman": "male", "women": "female", "men": "male", "heterogenous": "heterogeneous",
    "heterogeneity": "heterogeneous", "homogenous": "homogeneous", "homogeneity": "homogeneous",
    "spiculation": "spiculated", "spiculations": "spiculated", "spicular": "spiculated", "edge": "margin", "edges": "margin",
    "border": "margin", "borders": "margin", "contour": "margin", "contours": "margin", "margins": "margin", "necrotic": "necrosis",
    "infiltrating": "infiltrative", "well-circumscribed": "circumscribed", "diameters": "diameter",
    "metre": "meter", "centre": "center", "centred": "centered", "leukaemia": "leukemia", "aging": "age", "aged": "age",
    "maximal": "maximum", "max": "maximum", "peak": "maximum", "average": "mean", "avg": "mean", "largest": "longest",
    "biggest": "longest", "shortest": "short", "attenuation": "intensity", "density": "intensity", "signal": "intensity",
    "therapies": "therapy", "diagnosed": "diagnosis", "diagnoses": "diagnosis", "histological": "histology",
    "histologic": "histology", "histologically": "histology", "coverage": "depth", "ethnicity": "ethnicity",
    "survived": "survival", "survive": "survival", "surviving": "survival", "contributor": "contribute",
    "contribution": "contribute", "contributions": "contribute", "contributes": "contribute", "contributed": "contribute",
    "cohorts": "cohort", "neighbor": "neighbour", "neighbors": "neighbour", "expressing": "expression",
    "expressed": "expression", "proliferative": "proliferation", "infiltrate": "infiltration",
    "inhibitors": "inhibitor", "months": "month", "years": "year", "licensed": "approved", "licence": "approved",
    "approval": "approved", "approvals": "approved", "unavailable": "missing", "lung-cancer": "lung",
    "pulmonary": "lung", "renal": "renal", "sequenced": "sequencing", "proteins": "protein", "substitution": "substitution",
    "predictive": "predict", "prediction": "predict", "predictions": "predict", "predicted": "predict",
    "estimation": "estimate", "estimated": "estimate", "fused": "fusion", "haemoglobin": "haemoglobin",
    "caution": "weigh", "cautions": "weigh", "considering": "weigh", "supersede": "superseded",
    "medicine": "medication", "medicines": "medication", "medications": "medication",
    "rearrangement": "fusion", "rearranged": "fusion", "translocation": "fusion",
    "untested": "missing", "unmeasured": "missing", "unassessed": "missing", "unreported": "missing", "radiodensity": "intensity",
    "greatest": "longest", "noted": "note", "noting": "note",  # their stem would be "not"
    "histopathology": "histology", "histopathological": "histology", "histopathologically": "histology",
    "mean": "mean", "likelihood": "probability", "chance": "probability", "probabilities": "probability",
}  # fmt: skip
"""Plain word, lower case -> the word it compares as."""

POLES: Mapping[str, tuple[frozenset[str], ...]] = {
    "response": (
        _words("sensitive sensitivity responsive susceptible responds respond"),
        _words("resistant resistance refractory insensitive speaksagainst"),
    ),
    "level": (
        _words("""
high higher highest elevated raised raises raise raising increases increase increased increasing
"""),
        _words("""
low lower lowest reduced lowers lowered lowering decreases decrease decreased decreasing reduces reducing
"""),
        _words("intermediate moderate medium"),
    ),
    "presence": (
        _words("present presence"),
        _words("absent absence undetected undetectable"),
    ),
    "position": (_words("above exceeds"), _words("below beneath")),
    "copies": (
        _words("amplified amplification amplifications"),
        _words("deleted deletion deletions"),
        _words("gain gained gains"),
        _words("loss lost losses"),
        _words("insertion insertions"),
    ),
    "mutation": (
        _words("mutated mutant mutation mutations altered alteration"),
        _words("wildtype"),
    ),
    "vital": (
        _words("alive living survivors"),
        _words("died dead deceased death deaths dies"),
    ),
    "value": (
        _words("benefit benefits beneficial effective active"),
        _words("harm harms harmful ineffective futile inactive detrimental"),
    ),
    "offer": (
        _words(
            "offered eligible indicated recommended advised option options candidate suitable preferred qualifies qualify"
        ),
        _words("excluded contraindicated ineligible unsuitable discouraged exclusion nolonger setaside excluding"),
    ),
    "edge": (_words("smooth"), _words("spiculated")),
    "border": (_words("circumscribed"), _words("infiltrative")),
    "texture": (_words("homogeneous"), _words("heterogeneous")),
    "contrast": (_words("mild mildly"), _words("avid avidly")),
    "agreement": (
        _words("agrees agree agreement concordant consistent matches confirms"),
        _words("disagrees disagree disagreement discordant inconsistent conflicts contradicts"),
    ),
    "range": (_words("within"), _words("outside unlike")),
    "side": (_words("left"), _words("right")),
    "test": (_words("passed passes"), _words("failed fails")),
    "growth": (_words("grown grew grows enlarged"), _words("shrunk shrank shrunken shrinks"), _words("unchanged")),
    "size": (_words("larger bigger"), _words("smaller")),
    "sign": (_words("positive"), _words("negative")),
    "course": (
        _words("stable"),
        _words("progressive progression progressed"),
        _words("partial"),
        _words("complete"),
    ),
    "frame": (_words("inframe"), _words("outofframe")),
    "sex": (_words("female woman women lady"), _words("male man men gentleman")),
    "rank": (_words("most"), _words("least")),
    "ends": (_words("longest long"), _words("short")),
}
"""Direction group -> words of each pole. A pole the cited evidence holds the opposite of is a contradiction."""

DETECTED = _words("""
found seen detected identified observed evident visible harbours harbors carries shown noted
""")
"""Reporting verbs: neutral when plain, "absent" when negated."""

NEGATIONS = _words("not no never without neither nor none non lack lacks lacking")
FRAME_STOPS = _words("but although though while whereas however except")
JOINS = _words("and with while whereas but although though plus alongside whos") | {
    "op:+",
    "op:&",
}
"""Words after which the sentence may go on to another piece of evidence."""

APPROXIMATE = _words("about approximately around roughly nearly circa op:~ op:≈")

KEYED_GROUPS = _words("value course offer")
"""Groups whose words differ in strength: the very word must stand in the evidence, not only its direction."""

STATUS_WORDS = _words(
    "offered option options candidate qualifies qualify eligible excluded exclusion ineligible nolonger"
)
"""Words of group "offer" that a therapy's status may be called by; "recommended" is not among them."""

OWN_SUBJECT_GROUPS = _words("edge border texture contrast sex")
"""Groups whose words name their attribute by themselves ("spiculated" can only be a margin)."""

IMPLIED_POLES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "variant": (("mutation", 0), ("presence", 0), ("sign", 0)),
    "fusion": (("mutation", 0), ("presence", 0), ("sign", 0)),
    "copy_number": (("mutation", 0), ("presence", 0)),
    "lesion": (("presence", 0),),
    "series": (("presence", 0),),
    "absent": (("presence", 1),),
    "diagnosis": (("agreement", 0),),
    "gene_attribution": (("level", 0), ("level", 1)),  # grounding_types.py keeps each gene's own direction
    "conflict": (("agreement", 1),),
    "heatmap": (("range", 0),),
    "appearance": (("range", 0),),
    "contribution": (("rank", 0),),
}
"""Type -> poles its mere existence states."""

CAUSAL = _words("because due owing reason since")
PRONOUNS: Mapping[str, str] = {
    "she": "female", "her": "female", "hers": "female", "he": "male", "him": "male", "his": "male"
}  # fmt: skip
AVAILABLE = _words("""
available tested performed done provided assessed supplied obtained included measured reported known
""")
"""Words that mean "absent" when negated, as DETECTED does."""

HEDGES = _words("may might could likely possibly")
"""Words without which a sentence says more than it did."""

LIMITS = _words("only except unless if when until whether confined limited before after")
"""Words without which a sentence covers more than it did."""

_RELATION_PAIRS = (
    ("and", "or"), ("to", "from"), ("with", "without"), ("may", "be"), ("may", "can"), ("all", "some"), ("may", "will"), ("above", "below"),
    ("may", "must"), ("use", "avoid"), ("before", "after"), ("under", "versus"), ("with", "versus"), ("than", "as"), ("in", "outside"),
)  # fmt: skip
OPPOSED_RELATIONS: Mapping[str, frozenset[str]] = {
    w: frozenset(b for pair in _RELATION_PAIRS for a, b in (pair, pair[::-1]) if a == w)
    for w in {w for pair in _RELATION_PAIRS for w in pair}
}
"""Small word -> words whose exchange changes what a quoted sentence says, though both state nothing alone."""
