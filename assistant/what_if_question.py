"""A clinician's "what if" in words -> typed changes of the patient.

Rules over the words of the question, so that the same question always makes the same copy. What they cannot read
gives no change, and the chat then says which changes can be asked for.
Not known here: the patient, or what a change does (what_if.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from assistant.what_if import (
    BiomarkerChange,
    Change,
    CopyNumberChange,
    EcogChange,
    FusionChange,
    StageChange,
    TreatmentChange,
    VariantChange,
)
from encoders.read.hgvs import one_letter
from retrieval.corpus.builtin import load_therapy_rows
from retrieval.lexicon import canonical_drug, canonical_gene

POSSIBLE = "a question that names another stage, ECOG, biomarker result, variant, fusion or earlier drug"
"""What the chat asks for when a what-if names no change it knows."""

_WHAT_IF = re.compile(
    r"(?i)\bwhat[\s-]?if\b|\bsuppos(?:e|ing)\b|\bhypothetical|\bassum(?:e|ing)\b|\bimagine\b|\bhad (?:s?he|the|it)\b"
    r"|\bif\b[^?]{1,80}?\b(?:were|was|had|weren't|wasn't|came back|turned out|became|showed)\b"
    r"|\b(?:would|could)\b[^?]{0,80}?\bif\b|\bif (?:we|they) (?:had )?found\b"
)
_NOT = r"(?:not|no|without|absent|lost|wild[\s-]?type|no longer|never|weren't|wasn't|n't)"
_STAGE = re.compile(r"(?i)\bstage\s+(?:group\s+)?(?:(?:had been|were|was|is|be|only|actually|just|now|to|of)\s+)*"
                    r"(iv|iii|ii|i|[0-4])\s?([abc]\d?)?\b")  # fmt: skip
_ECOG = re.compile(r"(?i)\b(?:ecog|performance status)\b[^\d?]{0,30}([0-4])\b")
_MSI = re.compile(
    r"(?i)\bMSI[\s-]?H(?:igh)?\b|\bmicrosatellite[\s-](?:instab\w*|unstable)|\bdMMR\b|\bMSI\b[^?]{0,20}high"
)
_MSS = re.compile(r"(?i)\bMSS\b|\bmicrosatellite[\s-]stab\w*|\bpMMR\b|\bnot (?:MSI|microsatellite)")
_TMB = re.compile(r"(?i)\b(?:TMB|mutational burden)\b[^\d?]{0,30}(\d+(?:\.\d+)?)")
_PDL1 = re.compile(r"(?i)\bPD-?L1\b[^\d?]{0,30}(\d+(?:\.\d+)?)\s*(?:%|per\s?cent)?")
_PDL1_NEGATIVE = re.compile(r"(?i)\bPD-?L1\b[^\d?]{0,20}\bnegative\b|\bPD-?L1[\s-]negative\b")
_RECEPTOR = re.compile(r"(?i)\b(HER-?2|ER|PR|o?estrogen receptor|progesterone receptor|MGMT)\b[^?.;,]{0,25}?"
                       r"\b(negative|positive|3\+|unmethylated|methylated)")  # fmt: skip
_EXON = re.compile(r"(?i)\bexon\s+(\d{1,3})\s+(deletion|del|insertion|ins|skipping)\b")
_KIND = {"deletion": "inframe_deletion", "del": "inframe_deletion", "insertion": "inframe_insertion",
         "ins": "inframe_insertion", "skipping": "splice"}  # fmt: skip
_PROTEIN = re.compile(r"\b(?:p\.\(?)?([A-Z](?:[a-z]{2})?\d{1,4}(?:[A-Z](?:[a-z]{2})?|fs\*?\d*|\*|del|dup))(?![\w])")
_ALTERED = re.compile(r"mutat|mutant|variant|alter|wild[\s-]?type|found|detected|present|positive|negative")
_RECEPTOR_WORD = re.compile(r"positive|negative|3\+")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*")
_GIVEN = re.compile(
    r"(?i)\b(?:had (?:already )?(?:had|received|taken|been (?:given|treated))|were given|previous(?:ly)?|prior|after|"
    r"already (?:had|received|given)|progressed (?:on|after)|treated with|been on)\b"
)
_LINE = re.compile(r"(?i)\b(first|second|third|1st|2nd|3rd)[\s-]line\b")
_ORDINAL = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3}
_ROMAN = ("0", "I", "II", "III", "IV")


def is_what_if(question: str) -> bool:
    """Whether a question asks about a patient other than the recorded one."""
    return _WHAT_IF.search(question) is not None


def read_changes(question: str) -> tuple[Change, ...]:
    """The changes a question names, in the order stage, ECOG, biomarkers, genes, drugs; () when it names none."""
    return tuple(dict.fromkeys((*_clinical(question), *_biomarkers(question), *_genes(question), *_drugs(question))))


def _clinical(question: str) -> Iterator[Change]:
    if found := _STAGE.search(question):
        number = found[1].upper()
        roman = _ROMAN[int(number)] if number.isdigit() else number
        yield StageChange(stage=f"{roman}{(found[2] or '').upper()}")
    if found := _ECOG.search(question):
        yield EcogChange(ecog=int(found[1]))


def _biomarkers(question: str) -> Iterator[Change]:
    if _MSS.search(question):
        yield BiomarkerChange(name="MSI", value="MSS")
    elif _MSI.search(question):
        yield BiomarkerChange(name="MSI", value="MSI-H")
    if found := _TMB.search(question):
        yield BiomarkerChange(name="TMB", value=float(found[1]), unit="mutations/Mb")
    if _PDL1_NEGATIVE.search(question):
        yield BiomarkerChange(name="PD-L1", value="negative")
    elif found := _PDL1.search(question):
        yield BiomarkerChange(name="PD-L1", value=float(found[1]), unit="%")
    for found in _RECEPTOR.finditer(question):
        yield from _receptor(found[1].lower().replace("-", ""), found[2].lower())


def _receptor(name: str, value: str) -> Iterator[Change]:
    if name == "her2":  # ASCO/CAP: positive is IHC 3+ or amplified, so negative is neither
        if value == "negative":
            yield BiomarkerChange(name="HER2 IHC", value="negative")
            yield CopyNumberChange(gene="ERBB2", call="neutral")
        else:
            yield BiomarkerChange(name="HER2 IHC", value="3+")
        return
    names = {"er": "ER", "estrogen receptor": "ER", "oestrogen receptor": "ER", "pr": "PR", "mgmt": "MGMT"}
    yield BiomarkerChange(name=names.get(name, "PR"), value=value)  # type: ignore[arg-type]


def _genes(question: str) -> Iterator[Change]:
    """Each gene the question names, with what the words up to the next gene say of it."""
    named = [(m.start(), m.end(), m[0]) for m in _WORD.finditer(question) if _is_gene(m[0])]
    partners = _fusion_partners(question)
    if partners is not None:
        yield FusionChange(gene=partners[1], partner=partners[0])
        return
    if not named and (change := _PROTEIN.search(question)) and (gene := _gene_of_variants().get(change[1])):
        start = max(0, change.start() - 14)
        yield from _gene(gene, question[change.start() :], question[start : change.start()])
    for number, (start, end, name) in enumerate(named):
        until = named[number + 1][0] if number + 1 < len(named) else len(question)
        before = question[max(0, start - 14) : start]
        yield from _gene(canonical_gene(name) or name, question[end:until], before)


@lru_cache(maxsize=1)
def _gene_of_variants() -> Mapping[str, str]:
    """Protein change -> its gene, where the therapy rows know it of one gene alone ("T790M" -> "EGFR")."""
    genes: dict[str, set[str]] = {}
    for row in load_therapy_rows():
        for change in row.rule.variants if len(row.rule.genes) == 1 else ():
            genes.setdefault(change, set()).add(row.rule.genes[0])
    return {change: next(iter(found)) for change, found in genes.items() if len(found) == 1}


def _is_gene(written: str) -> bool:
    if canonical_gene(written) is None or canonical_drug(written) is not None:
        return False
    return written == written.upper() or (len(written) > 3 and any(c.isdigit() for c in written))


def _fusion_partners(question: str) -> tuple[str, str] | None:
    for match in re.finditer(r"\b([A-Z][A-Z0-9]{1,9})(?:-|::|/)([A-Z][A-Z0-9]{1,9})\b", question):
        first, second = canonical_gene(match[1]), canonical_gene(match[2])
        if first and second:
            return first, second
    return None


def _gene(gene: str, after: str, before: str) -> Iterator[Change]:
    denied = re.search(rf"(?i)(?:\b|(?<=\w)){_NOT}\b", after[:40]) or re.search(
        rf"(?i)\b{_NOT}\b(?:\s+(?:the|an?|any|his|her))?\s*$", before
    )
    action = "removed" if denied else "added"
    low = after.lower()
    if re.search(r"\bfus(?:ion|ed)|rearrang|translocat", low):
        yield FusionChange(gene=gene, action=action)  # type: ignore[arg-type]
    elif re.search(r"\bamplif", low):
        yield CopyNumberChange(gene=gene, call="neutral" if denied else "amplification")
    elif re.search(r"\bdeep(?:ly)? delet|\bhomozygous(?:ly)? delet|\bgene delet|\b(?:were|was) deleted", low):
        yield CopyNumberChange(gene=gene, call="neutral" if denied else "deep deletion")
    elif exon := _EXON.search(after):
        kind = _KIND[exon[2].lower()]
        yield VariantChange(gene=gene, exon=int(exon[1]), consequence=kind, action=action)  # type: ignore[arg-type]
    elif (protein := _PROTEIN.search(after)) and one_letter(f"p.{protein[1]}"):
        yield VariantChange(gene=gene, protein=f"p.{protein[1]}", action=action)  # type: ignore[arg-type]
    elif _ALTERED.search(low) and not (gene == "ERBB2" and _RECEPTOR_WORD.search(low)):
        yield VariantChange(gene=gene, action=action)  # type: ignore[arg-type]


def _drugs(question: str) -> Iterator[Change]:
    if not _GIVEN.search(question):
        return
    line = _LINE.search(question)
    for word in _WORD.findall(question):
        drug = canonical_drug(word)
        if drug is not None:
            yield TreatmentChange(drug=drug, line=_ORDINAL[line[1].lower()] if line else None)
