"""Cases the embedded decoder is trained on: compact lines and embeddings of synthetic patients, cached on disk.

Real lines come from the whole chain (sample, predict, retrieve, collect). Made-up lines need only the field names of
``EVIDENCE_FIELDS``, because a compact line never holds a value; they cover types the cohort rarely shows. One case in
EXPLAINED_EVERY is explained and lends its explanation lines to the others, so that each case has as many as a report.

Not known here: how lines become sentences (assistant/lm_pairs.py).
"""

from __future__ import annotations

import hashlib
import pickle
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from assistant.collect import number_after
from assistant.evidence import EVIDENCE_FIELDS, Evidence, Ledger
from assistant.lm_earlier_study import COURSES, with_course
from assistant.lm_lines import WORDS, compact_line, parse_line
from assistant.lm_questions import WHAT_IFS
from encoders.atomic_write import write_atomically
from encoders.compute import core_count
from encoders.errors import ContractError, InputError
from encoders.patient import Patient
from encoders.prediction import PatientPrediction
from encoders.vocabulary import APPEARANCE, CANCERS, EXPRESSION_PROFILES
from retrieval.added_documents import documents_at
from retrieval.passage import Retrieved

FULL_EVERY, EXPLAINED_EVERY, COURSE_EVERY = 4, 12, 3
"""Of each cancer one case in four has retrieval and a what-if, one in twelve explanations of its own (seconds each,
and their lines hold no values), one in three an earlier study or no outline."""

CACHE_FORM = 2
"""Of what ``sample_lm_case`` makes; a cache of another form is sampled again."""

PERCEIVED_FROM: Mapping[str, str] = {"appearance": "imaging", "expression_profile": "expression"}
"""Perceived evidence type -> the modality whose soft tokens tell the finding."""

CLOSED_WORDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("hypothetical_risk", "effect"): ("higher_risk", "lower_risk", "no_change"),
    ("hypothetical_therapy", "effect"): ("appears", "disappears", "resistance_appears", "no_change"),
    ("lesion_change", "trend"): ("grown", "shrunk", "stable", "new", "vanished", "not_matched", "disappeared"),
    ("absent", "modality"): (
        "imaging", "gene_expression", "small_variants", "copy_number", "gene_fusions", "methylation",
        "protein_markers", "clinical_record", "clinical_notes",
    ),
    ("cancer_type_prediction", "agreement"): (
        "agrees_with_the_record", "disagrees_with_the_recor", "no_cancer_type_is_record",
    ),
    ("contribution", "top_modality"): ("imaging", "expression", "clinical", "alterations", "variants", "copy_number"),
    ("contribution", "direction"): ("raises", "lowers"),
    ("copy_number", "call"): ("amplification", "gain", "loss", "deep_deletion"),
    ("molecular_prediction", "agreement"): (
        "agrees_with_sequencing", "disagrees_with_sequencin", "not_tested_by_sequencing",
    ),
    ("pathway", "direction"): ("high", "low", "up", "down"),
    ("series", "modality"): ("ct", "mr", "pt"),
    ("survival", "risk_group"): ("low", "intermediate", "high"),
    ("survival", "reliability"): ("within_the_reference_ran", "within_the_reference_ran", "unlike_the_reference_coh"),
    ("therapy", "direction"): ("sensitivity", "sensitivity", "sensitivity", "resistance"),
    ("therapy", "status"): ("offered", "offered", "excluded"),
    ("variant", "effect"): ("amino_acid_substitution", "protein_truncating", "in_frame_change", "splice_change"),
}  # fmt: skip
"""(type, field) -> words as ``word_of`` writes them (24 characters), for made-up and varied lines."""

ALWAYS: Mapping[str, tuple[str, ...]] = {
    "absent": ("modality", "reason"), "appearance": ("attribute",), "biomarker": ("name", "value"),
    "cancer_type_prediction": ("label", "agreement"), "conflict": ("statement",), "demographics": ("age",),
    "contribution": ("top_modality", "direction", "shares"), "copy_number": ("gene", "call"),
    "diagnosis": ("disease",), "expression_profile": ("attribute",), "fusion": ("name",), "heatmap": ("series",),
    "gene_attribution": ("genes_raising",),
    "hypothetical_risk": (
        "change", "effect", "percentile_now", "percentile_then", "risk_group_now", "risk_group_then", "reliability",
    ),
    "hypothetical_therapy": ("change", "effect"),
    "lab": ("name", "value"), "lesion": ("series",),
    "lesion_change": ("series", "trend", "date_before", "date_now"),
    "lesion_intensity": ("series",),
    "lesion_sum": ("series", "count", "before", "now", "change", "date_before", "date_now"), "medication": ("drug",),
    "molecular_prediction": ("gene", "label", "input", "agreement"),
    "neighbour_survival": ("count", "events", "median_survival"), "note": ("title", "quote"),
    "passage": ("title", "statement"), "pathway": ("pathway", "direction"), "performance": ("ecog",),
    "proposed_lesion": ("series", "volume", "longest_diameter", "short_axis"),
    "series": ("modality", "role"), "similar_case": ("case", "similarity"),
    "similar_summary": ("count", "median_survival"), "survival": ("risk_group", "reliability"),
    "therapy": ("drug", "biomarker", "disease", "direction", "level", "level_system", "status"),
    "treatment": ("drug",), "variant": ("gene", "variant"),
}  # fmt: skip
"""Type -> fields a made-up line always has."""

WORDED_TYPES = frozenset(ALWAYS)
"""Types with phrasings (assistant/prompts/phrases.txt); any other type is in no training pair. A type is added by
writing its phrasings there and its fields in ``ALWAYS``. ``series_verdict`` is left out: why a series was not read
stands in its sentence alone, so that sentence is quoted."""

TOGETHER: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "hypothetical_risk": (("survival_24m_now", "survival_24m_then", "interval_24m_now", "interval_24m_then"),),
    "hypothetical_therapy": (("drug", "biomarker", "disease", "level", "level_system"),),
    "lesion_change": (("measure", "before", "now", "change"),),
    "lesion_intensity": (("mean", "p10", "p90"), ("suv_max", "suv_peak", "suv_mean"), ("ratio",), ("basis",)),
    "neighbour_survival": (("median_interval", "interval_level"), ("alive_12m", "interval_12m")),
}
"""Type -> fields a collector writes all or none of; no made-up or varied line holds a part of them."""


COMPARED = ("grown", "shrunk", "stable", "disappeared")
"""Trends of a lesion that was measured twice."""

EXPLANATIONS = frozenset(["gene_attribution", "heatmap"])


def told_types(cases: Iterable[LMCase]) -> tuple[str, ...]:
    """Types a decoder trained on these cases can be asked to word: worded ones that the cases' own ledgers hold.

    Made-up lines alone do not count: a decoder that met gene_attribution only there garbled it in every report.
    """
    return tuple(sorted({line.type for case in cases for line in (*case.lines, *case.what_if)} & WORDED_TYPES))


@dataclass(frozen=True)
class Line:
    """One evidence as the decoder sees it. ``fields`` : name -> written word or None; ``finding`` is kept apart."""

    id: str
    type: str
    fields: Mapping[str, str | None]
    finding: str | None = None

    def written(self, *, with_finding: bool = False) -> str:
        """The line itself; the finding stands in it only where no soft tokens carry it."""
        parts = [self.id, self.type]
        for name in EVIDENCE_FIELDS[self.type][1]:
            if name == "finding" and self.finding is not None and with_finding:
                parts.append(f"finding={self.finding}")
            elif name in self.fields:
                word = self.fields[name]
                parts.append(f"{name}={word}" if word is not None else name)
        return " ".join(parts)


@dataclass(frozen=True)
class LMCase:
    """Lines and embeddings of one case. embeddings : modality -> (K, D) float32, only "imaging" and "expression".

    findings : modality -> {attribute: finding word} as the encoders read them
    evidence : the ledger's evidence, kept for held-out scoring only
    what_if : what a what-if question about the case adds to its ledger, () where none was asked
    """

    oncotree: str
    lines: tuple[Line, ...]
    embeddings: Mapping[str, NDArray[np.float32]]
    findings: Mapping[str, Mapping[str, str]]
    encoder_hash: str
    evidence: tuple[Evidence, ...] = field(default=(), compare=False)
    what_if: tuple[Line, ...] = ()


def line_of(item: Evidence) -> Line:
    """An evidence as a Line, its perceived finding apart."""
    parsed = parse_line(compact_line(item))
    if parsed is None:
        raise ContractError(f"{item.id} gives no readable line: {compact_line(item)!r}.")
    evidence_id, kind, fields = parsed
    finding = fields.pop("finding", None)
    return Line(evidence_id, kind, fields, finding)


def case_of(
    oncotree: str,
    evidence: Iterable[Evidence],
    embeddings: Mapping[str, NDArray[np.float32]],
    encoder_hash: str,
    *,
    keep_evidence: bool,
) -> LMCase:
    """A ledger and its embeddings as a training case."""
    kept = tuple(evidence)
    lines = tuple(line_of(e) for e in kept)
    findings: dict[str, dict[str, str]] = {}
    for line in lines:
        if line.type in PERCEIVED_FROM and line.finding:
            findings.setdefault(PERCEIVED_FROM[line.type], {})[str(line.fields["attribute"])] = line.finding
    wanted = {m: v for m, v in embeddings.items() if m in findings}
    return LMCase(oncotree, lines, wanted, findings, encoder_hash, kept if keep_evidence else ())


def sample_lm_case(index: int, seed: int, *, keep_evidence: bool = False) -> LMCase:
    """One synthetic patient through the whole chain up to the ledger; what is costly for some of each cancer only."""
    # Imported here: the chain takes seconds to load and made-up cases do not need it.
    from assistant.collect import collect_evidence  # noqa: PLC0415
    from encoders.predict import predict  # noqa: PLC0415
    from encoders.synthetic.cohort import sample_case  # noqa: PLC0415
    from retrieval.search import retrieve  # noqa: PLC0415

    rng = random.Random(seed * 1_000_003 + index)
    turn = index // len(CANCERS)  # the cancers take turns by index: a share of the indices would be one cancer's
    patient = sample_case(index, seed).patient
    if turn % COURSE_EVERY == 1:
        patient = with_course(patient, rng.choice(COURSES), rng)
    prediction = predict(patient, explain=turn % EXPLAINED_EVERY == 0)
    full = keep_evidence or turn % FULL_EVERY == 0
    retrieved = retrieve(patient, prediction) if full else Retrieved((), (), ())
    ledger = collect_evidence(patient, prediction, retrieved)
    embeddings = prediction.embeddings
    modality = dict(embeddings.modality) if embeddings else {}
    encoder_hash = embeddings.encoder_hash if embeddings else ""
    case = case_of(patient.oncotree_code or "", ledger, modality, encoder_hash, keep_evidence=keep_evidence)
    return replace(case, what_if=_what_if_lines(patient, prediction, ledger, rng)) if full else case


def _what_if_lines(
    patient: Patient, prediction: PatientPrediction, ledger: Ledger, rng: random.Random
) -> tuple[Line, ...]:
    """What one what-if question, drawn from prompts/what_ifs.txt, adds to the ledger."""
    from assistant.what_if import ask_what_if  # noqa: PLC0415  as in sample_lm_case
    from assistant.what_if_question import read_changes  # noqa: PLC0415
    from encoders.predict import predict  # noqa: PLC0415
    from retrieval.corpus.builtin import load_therapy_rows  # noqa: PLC0415

    changes = read_changes(rng.choice(WHAT_IFS))
    try:
        found = ask_what_if(patient, changes, prediction, lambda p: predict(p, explain=False), load_therapy_rows())
    except InputError:  # a change this patient cannot have ("stage IV" of a glioma): no lines, as in the chat
        return ()
    return tuple(line_of(e) for e in number_after(ledger, found.drafts))


def with_lent_explanations(cases: Sequence[LMCase], *, seed: int) -> list[LMCase]:
    """The cases, each one that is not explained with the explanation lines of an explained one of its cancer.

    A case of which none is explained stays as it is.
    """
    rng = random.Random(seed)
    lenders: dict[str, list[tuple[Line, ...]]] = {}
    for case in cases:
        if own := tuple(line for line in case.lines if line.type in EXPLANATIONS):
            lenders.setdefault(case.oncotree, []).append(own)
    given: list[LMCase] = []
    for case in cases:
        explained = any(line.type in EXPLANATIONS for line in case.lines)
        lent = lenders.get(case.oncotree) if not explained and case.embeddings else None
        given.append(replace(case, lines=(*case.lines, *rng.choice(lent))) if lent else case)
    return given


def _sample_many(task: tuple[int, int, int, bool]) -> list[LMCase]:
    first, count, seed, keep = task
    import torch  # noqa: PLC0415 - set in the worker process only

    torch.set_num_threads(1)
    return [sample_lm_case(i, seed, keep_evidence=keep) for i in range(first, first + count)]


def load_cases(
    n_patients: int,
    *,
    seed: int,
    cache: Path,
    processes: int | None = None,
    keep_evidence: bool = False,
    progress: Callable[[str], None] | None = None,
) -> list[LMCase]:
    """``n_patients`` synthetic cases, from ``cache`` when it holds them already.

    The cache is a pickle this program wrote itself; point it at a folder only you can write to.
    """
    path = cache / f"lm-cases-{CACHE_FORM}-{n_patients}-{seed}{'-evidence' if keep_evidence else ''}.pickle"
    if path.is_file():
        return pickle.loads(path.read_bytes())
    block = 20
    tasks = [(i, min(block, n_patients - i), seed, keep_evidence) for i in range(0, n_patients, block)]
    cases: list[LMCase] = []
    with (
        TemporaryDirectory(prefix="radomica-no-documents-") as nothing,
        documents_at(Path(nothing)),  # what a user added is no training data
        ProcessPoolExecutor(processes or core_count(), mp_context=get_context("spawn")) as pool,
    ):
        for done in pool.map(_sample_many, tasks):
            cases += done
            if progress:
                progress(f"cases for the language model: {len(cases)} of {n_patients}")
    if not keep_evidence:  # a lent line has no evidence to be scored against
        cases = with_lent_explanations(cases, seed=seed)
    write_atomically(path, pickle.dumps(cases))
    return cases


# ---- made-up lines ------------------------------------------------------------------------------------------------


def made_up_line(kind: str, number: int, rng: random.Random, *, oncotree: str | None = None) -> Line:
    """A line of a type with random optional fields and words; findings are random too."""
    letter, names = EVIDENCE_FIELDS[kind]
    always, words = ALWAYS[kind], WORDS.get(kind, ())
    code = oncotree or rng.choice(tuple(CANCERS))
    finding: str | None = None
    fields: dict[str, str | None] = {}
    for name in names:
        if name == "finding" or (name not in always and rng.random() < 0.35):
            continue
        if name == "attribute":
            fields[name], finding = _attribute(kind, code, rng)
        else:
            fields[name] = rng.choice(CLOSED_WORDS[kind, name]) if name in words else None
    return consistent(Line(f"{letter}{number}", kind, _whole_groups(kind, fields, rng), finding))


def _whole_groups(kind: str, fields: dict[str, str | None], rng: random.Random) -> dict[str, str | None]:
    """The fields of which a collector writes all or none, all or none; of a lesion's intensities one scale."""
    groups = TOGETHER.get(kind, ())
    if kind == "lesion_intensity":
        kept = [rng.choice(groups)]
    elif kind == "lesion_change":
        kept = list(groups) if fields["trend"] in COMPARED else []
    elif kind == "hypothetical_therapy":
        kept = list(groups) if fields["effect"] != "no_change" else []
    else:
        kept = [g for g in groups if any(name in fields for name in g)]
    held, grouped = {n for g in kept for n in g}, {n for g in groups for n in g}
    names = [n for n in EVIDENCE_FIELDS[kind][1] if n in held or (n in fields and n not in grouped)]
    return {n: fields.get(n) for n in names}


def _attribute(kind: str, code: str, rng: random.Random) -> tuple[str, str]:
    if kind == "expression_profile":
        attribute = rng.choice(tuple(EXPRESSION_PROFILES))
        return attribute, rng.choice(EXPRESSION_PROFILES[attribute])
    attribute = rng.choice([a for a, by_code in APPEARANCE.items() if code in by_code])
    return attribute, rng.choice(APPEARANCE[attribute][code])


def consistent(line: Line) -> Line:
    """Resistance is never offered, and what was not measured twice has no sizes, as the collector has it."""
    if line.type == "lesion_change" and line.fields.get("trend") not in COMPARED:
        measured = ("measure", "before", "now", "change", "smallest")
        return replace(line, fields={n: w for n, w in line.fields.items() if n not in measured})
    if line.type == "lesion_change" and "now" not in line.fields:
        return replace(line, fields={**line.fields, "trend": "new"})
    if line.type == "therapy" and line.fields.get("direction") == "resistance":
        return replace(line, fields={**line.fields, "status": "excluded"})
    return line


def made_up_rows(findings: Mapping[str, str], rng: random.Random, *, width: int = 128) -> NDArray[np.float32]:
    """(K, width) rows that hold the findings as a sum of fixed directions, plus noise; K is 1 or 2."""
    total = np.zeros(width)
    for attribute, word in sorted(findings.items()):
        seed = int.from_bytes(hashlib.sha256(f"{attribute} {word}".encode()).digest()[:4], "big")
        total += np.random.default_rng(seed).normal(size=width)
    noise = np.random.default_rng(rng.randrange(1 << 30)).normal(size=(rng.choice((1, 2)), width))
    return (total + noise).astype(np.float32)


def made_up_case(rng: random.Random) -> LMCase:
    """A case of made-up lines, and embeddings that hold its findings; for tests, and to warm up a decoder."""
    code = rng.choice(tuple(CANCERS))
    lines: list[Line] = []
    counters: dict[str, int] = {}
    findings: dict[str, dict[str, str]] = {}
    for kind, (letter, _) in EVIDENCE_FIELDS.items():
        if kind not in WORDED_TYPES:
            continue
        seen: set[str | None] = {None}
        for _ in range(rng.choice((0, 1, 1, 2, 3, 4))):
            counters[letter] = counters.get(letter, 0) + 1
            line = made_up_line(kind, counters[letter], rng, oncotree=code)
            attribute = line.fields.get("attribute")
            if kind in PERCEIVED_FROM and attribute in seen:
                continue
            seen.add(attribute)
            if line.finding and attribute:
                findings.setdefault(PERCEIVED_FROM[kind], {})[attribute] = line.finding
            lines.append(line)
    embeddings = {modality: made_up_rows(found, rng) for modality, found in findings.items()}
    return LMCase(code, tuple(lines), embeddings, findings, "made up")
