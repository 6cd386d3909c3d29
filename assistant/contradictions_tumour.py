"""Which tumour a text speaks of, by OncoTree: histologies, organs; histology and stage against the record.

A histology is compared inside the patient's own tissue ("small cell" means SCLC in a lung patient only); a tumour of
another tissue is a disagreement only where the sentence says it is a pathology result or the diagnosis, because notes
name second tumours. A broader name ("NSCLC" for LUAD) agrees.

What this module does not know: composite tumours, grades of differentiation, transformation under treatment, in-situ
parts; WHO 2021 renamings (an IDH-mutant "glioblastoma" differs here from an astrocytoma, as the words do).
"""

# ruff: noqa: E501  a pattern reads better unwrapped
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assistant.contradictions_scope import Case, Clause, Disagreement, is_older, placed, stated_on
from encoders import oncotree
from encoders.patient import Note, Patient

_ORGANS: tuple[tuple[str, str], ...] = (
    ("LUNG", r"\blungs?\b|pulmon|bronch|upper lobe|middle lobe|lower lobe"),
    ("BREAST", r"breast|mamma"),
    ("BRAIN", r"brain|cerebr|frontal|temporal lobe|parietal|occipital|intracranial|glio"),
    ("KIDNEY", r"kidney|\brenal|nephrect"),
    ("BOWEL", r"colon|colorect|rect(?:um|al)\b|bowel|c[ae]ecum|sigmoid"),
    ("LIVER", r"liver|hepat"),
    ("PROSTATE", r"prostat"),
    ("PANCREAS", r"pancrea"),
    ("STOMACH", r"stomach|gastric|o?esophag"),
    ("SKIN", r"\bskin\b|cutaneous|melanom"),
    ("BLADDER", r"bladder|urotheli"),
    ("OVARY", r"ovar"),
    ("UTERUS", r"uter(?:us|ine)|endometri"),
    ("CERVIX", r"cervix|cervical (?:cancer|carcinoma)"),
    ("THYROID", r"thyroid"),
    ("HEAD_NECK", r"laryn|pharyn|tongue|tonsil|oral cavity"),
    ("ADRENAL_GLAND", r"adrenal"),
    ("BONE", r"\bbones?\b|vertebra|skelet|\brib"),
    ("PLEURA", r"pleura|mesotheliom"),
    ("NODE", r"\bnod(?:e|es|al)\b|lymph"),
)
"""OncoTree tissue (or "NODE") -> how a note names the organ."""

METASTATIC_SITES = frozenset(("PLEURA", "NODE", "LIVER", "BONE", "ADRENAL_GLAND", "BRAIN"))

_HISTOLOGIES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "LUNG": (
        (r"adeno-?squamous", ("LUAS",)),
        (r"non[- ]small[- ]cell|\bNSCLC\b", ("NSCLC",)),
        (r"large cell neuroendocrine", ("LUNE",)),
        (r"small[- ]cell|\bSCLC\b", ("SCLC",)),
        (r"non-?squamous", ()),
        (r"squamous(?! (?:metaplas|mucos|epithel|dysplas))", ("LUSC",)),
        (r"adeno-?carcinoma", ("LUAD",)),
        (r"large cell carcinoma", ("LCLC",)),
        (r"carcinoid", ("LUCA", "ALUCA")),
        (r"sarcomatoid|pleomorphic carcinoma", ("SARCL", "LUPC")),
    ),
    "BREAST": (
        (r"mixed (?:invasive )?(?:ductal and lobular|lobular and ductal)", ("MDLC",)),
        (r"in[- ]situ|\bDCIS\b|\bLCIS\b", ()),
        (r"(?:invasive|infiltrating) lobular|lobular (?:breast )?(?:carcinoma|cancer)", ("ILC",)),
        (r"(?:invasive|infiltrating) duct(?:al)?|no special type|ductal (?:breast )?(?:carcinoma|cancer)", ("IDC",)),
        (r"metaplastic", ("MBC",)),
        (r"phyllodes", ("PT",)),
    ),
    "BRAIN": (
        (r"pilocytic astrocytoma", ("PAST",)),
        (r"oligo-?astrocytoma", ("OAST", "AOAST")),
        (r"glioblastoma", ("GB", "GBM", "SCGBM", "GSARC")),
        (r"astrocytoma", ("ASTR", "DASTR", "AASTR")),
        (r"oligodendroglioma", ("ODG", "AODG")),
        (r"ependymoma", ("EPM", "APE", "MPE", "SUBE", "CCE")),
        (r"medulloblastoma", ("MBL",)),
        (r"meningioma", ("MNG", "ATM", "ANM")),
    ),
    "KIDNEY": (
        (r"clear[- ]cell papillary", ("CCPRC",)),
        (r"non-?clear[- ]cell", ("NCCRCC",)),
        (r"clear[- ]cell|\bccRCC\b", ("CCRCC", "SCCRCC")),
        (r"papillary", ("PRCC",)),
        (r"chromophobe", ("CHRCC",)),
        (r"collecting duct", ("CDRCC",)),
        (r"oncocytoma", ("ROCY",)),
        (r"angiomyolipoma", ("RAML",)),
    ),
    "THYROID": (
        (r"papillary", ("THPA",)),
        (r"follicular", ("THFO",)),
        (r"medullary", ("THME",)),
        (r"anaplastic", ("THAP",)),
    ),
}
"""Tissue -> (words, the codes they may stand for), most specific first; () takes the words out of the running."""

_OTHER_TUMOUR = re.compile(
    r"(?i)\b(?:(melanoma|lymphoma|sarcoma|mesothelioma|glioblastoma|glioma|hepatocellular carcinoma|urothelial carcinoma|"
    r"renal cell carcinoma)|(?:(?:lung|breast|prostate|colon|colorectal|rectal|renal|ovarian|pancreatic|thyroid|bladder|gastric)"
    r" (?:cancer|carcinoma|adenocarcinoma)))\b"
)
_TISSUE_OF_WORD = {"lymphoma": None, "sarcoma": "SOFT_TISSUE", "hepatocellular carcinoma": "LIVER"}
_PATHOLOGY = re.compile(r"(?i)patholog|histolog|biopsy|specimen|cytolog|resection showed|(?:^|\s)diagnosis\s*:")
_STAGE = re.compile(r"(?i)\bstage(?:\s+group)?\s*:?\s*(IV|I{1,3}|[0-4])\s?([A-D])?(\d)?\b(?![.,]?\d)")
_RECORDED_STAGE = re.compile(r"(?:STAGE)?(IV|I{1,3}|[0-4])([A-D])?(\d)?")
_ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV"}
_OTHER_STAGE = re.compile(
    r"(?i)chronic kidney|\bCKD\b|renal (?:failure|insufficien)|ulcer|fibrosis|hypertension|COPD|GOLD|sarcoidosis|lymph[o]?edema"
)
_CHANGING = re.compile(r"(?i)\bnow\b|re-?stag|progress|upstag|downstag|recur|relaps|neo-?adjuvant|\byp")


def tissue_of(patient: Patient) -> str | None:
    """The OncoTree tissue of the diagnosis ("LUNG"); None without a known code."""
    code = patient.oncotree_code
    return (code, *oncotree.ancestors(code))[-1] if code and oncotree.is_code(code) else None


def organs_named(text: str) -> frozenset[str]:
    """Tissues (and "NODE") a text names an organ of."""
    return frozenset(tissue for tissue, words in _ORGANS if re.search(words, text, re.IGNORECASE))


def of_another_organ(text: str, patient: Patient) -> bool:
    """Whether a text names organs and none of them is the primary's."""
    named, own = organs_named(text), tissue_of(patient)
    return bool(named) and own not in named


def _of_another_primary(text: str, patient: Patient) -> bool:
    """The same, sites of metastases aside: a biopsy of the liver still shows the primary's histology."""
    named, own = organs_named(text) - METASTATIC_SITES, tissue_of(patient)
    return bool(named) and own not in named


def same_lineage(one: str, other: str) -> bool:
    """Whether two OncoTree codes are one, or one is a kind of the other (LUAD is NSCLC)."""
    return one == other or one in oncotree.ancestors(other) or other in oncotree.ancestors(one)


def histologies(text: str, tissue: str | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(words as written, codes they may stand for) of every histology a text names, for a tumour of one tissue."""
    found = []
    for words, codes in _HISTOLOGIES.get(tissue or "", ()):
        match = re.search(words, text, re.IGNORECASE)
        if match and codes:
            found.append((match[0], codes))
        text = re.sub(words, " ", text, flags=re.IGNORECASE)  # "small cell" is not read again in "non-small cell"
    return tuple(found)


def _fits(codes: Sequence[str], others: Sequence[str]) -> bool:
    return any(same_lineage(a, b) for a in codes for b in others)


def find_histology(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """A histology that is no broader or narrower name of the recorded one."""
    patient, tissue = case.patient, tissue_of(case.patient)
    if not clause.is_stated or clause.planned or tissue is None or patient.oncotree_code is None:
        return
    source = patient.sources.get("diagnosis.histology") or patient.sources.get("oncotree_code")
    written = patient.diagnosis.histology or oncotree.name(patient.oncotree_code)
    other = f"{placed('the record', source)} says {written}"
    recorded = (patient.oncotree_code,)
    narrowed = [c for _, codes in histologies(patient.diagnosis.histology or "", tissue) for c in codes]
    if not _of_another_primary(clause.text, patient):
        for words, codes in histologies(clause.text, tissue):
            if clause.denial_of(words):
                continue
            if not _fits(codes, recorded) or (narrowed and not _fits(codes, narrowed)):
                yield Disagreement("histology", "the histology", words, other, source)
                return
    match = _OTHER_TUMOUR.search(clause.text)
    if match and not clause.denied and _PATHOLOGY.search(clause.text) and _other_tissue(match, tissue):
        yield Disagreement("histology", "the histology", match[0], other, source)


def _other_tissue(match: re.Match[str], tissue: str) -> bool:
    name = (match[1] or "").lower()
    if name in _TISSUE_OF_WORD:
        return _TISSUE_OF_WORD[name] != tissue
    named = organs_named(match[0])
    return bool(named) and tissue not in named


def stated_histologies(patient: Patient, clause: Clause) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What one clause states the histology to be, in the patient's tissue; () where it states none."""
    if not clause.is_stated or clause.planned or _of_another_primary(clause.text, patient):
        return ()
    return tuple(h for h in histologies(clause.text, tissue_of(patient)) if not clause.denial_of(h[0]))


def decides_histology(patient: Patient) -> bool:
    """Whether the record names a histology, so that two notes need not be compared with each other."""
    tissue, code = tissue_of(patient), patient.oncotree_code
    if histologies(patient.diagnosis.histology or "", tissue):
        return True
    named = {c for _, codes in _HISTOLOGIES.get(tissue or "", ()) for c in codes}
    return code in named and not any(code in oncotree.ancestors(c) for c in named)  # "NSCLC" leaves LUAD and LUSC open


def histologies_agree(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two sets of codes may mean one tumour."""
    return _fits(one, other)


def stage_group(numeral: str, letter: str | None, digit: str | None) -> str:
    """ "3", "a" -> "IIIA"."""
    return f"{_ROMAN.get(numeral, numeral.upper())}{(letter or '').upper()}{digit or ''}"


def find_stage(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """Another stage group than recorded; "III" agrees with "IIIA". A restaging or an older note is left alone."""
    patient = case.patient
    held = _RECORDED_STAGE.fullmatch(re.sub(r"\s", "", patient.diagnosis.stage or "").upper())
    if held is None or not clause.is_stated or _CHANGING.search(clause.sentence):
        return
    if _of_another_primary(clause.text, patient) or _OTHER_STAGE.search(clause.text):
        return
    if is_older(stated_on(clause, note), patient.diagnosis.date):
        return
    recorded, source = stage_group(*held.groups()), patient.sources.get("diagnosis.stage")
    for match in _STAGE.finditer(clause.text):
        said = stage_group(*match.groups())
        if clause.denial_of(match[0]):
            continue
        if not (recorded.startswith(said) or said.startswith(recorded)) or _is_other_group(recorded, said):
            other = f"{placed('the record', source)} says stage {recorded}"
            yield Disagreement("stage", "the stage", f"stage {said}", other, source)


def _is_other_group(one: str, other: str) -> bool:
    """ "I" is no prefix of "II" in meaning, nor "I" of "IV"."""
    bare = [re.sub(r"[A-D]\d?$|\d$", "", s) for s in (one, other)]
    return bare[0] != bare[1]
