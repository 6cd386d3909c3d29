"""Cases the embedded decoder is trained on: compact lines and embeddings of synthetic patients, cached on disk.

Real lines come from the whole chain (sample, predict, retrieve, collect). Made-up lines need only the field names of
``EVIDENCE_FIELDS``, because a compact line never holds a value; they cover types the cohort rarely shows.

Not known here: how lines become sentences (assistant/lm_pairs.py).
"""

from __future__ import annotations

import hashlib
import pickle
import random
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.evidence import EVIDENCE_FIELDS, Evidence
from assistant.lm_lines import WORDS, compact_line, parse_line
from encoders.atomic_write import write_atomically
from encoders.compute import core_count
from encoders.errors import ContractError
from encoders.vocabulary import APPEARANCE, CANCERS, EXPRESSION_PROFILES
from retrieval.passage import Retrieved

FULL_EVERY = 4
"""Retrieval costs most of a case and its lines hold no values: one case in four shows enough of them."""

PERCEIVED_FROM: Mapping[str, str] = {"appearance": "imaging", "expression_profile": "expression"}
"""Perceived evidence type -> the modality whose soft tokens tell the finding."""

CLOSED_WORDS: Mapping[tuple[str, str], tuple[str, ...]] = {
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
    "gene_attribution": ("genes_raising",), "lab": ("name", "value"), "lesion": ("series",), "medication": ("drug",),
    "molecular_prediction": ("gene", "label", "input", "agreement"), "note": ("title", "quote"),
    "passage": ("title", "statement"), "pathway": ("pathway", "direction"), "performance": ("ecog",),
    "series": ("modality", "role"), "similar_case": ("case", "similarity"),
    "similar_summary": ("count", "median_survival"), "survival": ("risk_group", "reliability"),
    "therapy": ("drug", "biomarker", "disease", "direction", "level", "level_system", "status"),
    "treatment": ("drug",), "variant": ("gene", "variant"),
}  # fmt: skip
"""Type -> fields a made-up line always has."""

WORDED_TYPES = frozenset(ALWAYS)
"""Types with phrasings (assistant/prompts/phrases.txt); any other type is in no training pair. A type is added by
writing its phrasings there and its fields in ``ALWAYS``."""


def told_types(cases: Iterable[LMCase]) -> tuple[str, ...]:
    """Types a decoder trained on these cases can be asked to word: worded ones that the cases' own ledgers hold.

    Made-up lines alone do not count: a decoder that met gene_attribution only there garbled it in every report.
    """
    return tuple(sorted({line.type for case in cases for line in case.lines} & WORDED_TYPES))


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
    """

    oncotree: str
    lines: tuple[Line, ...]
    embeddings: Mapping[str, NDArray[np.float32]]
    findings: Mapping[str, Mapping[str, str]]
    encoder_hash: str
    evidence: tuple[Evidence, ...] = field(default=(), compare=False)


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
    """One synthetic patient through the whole chain up to the ledger; retrieval for one in FULL_EVERY of them."""
    # Imported here: the chain takes seconds to load and made-up cases do not need it.
    from assistant.collect import collect_evidence  # noqa: PLC0415
    from encoders.predict import predict  # noqa: PLC0415
    from encoders.synthetic.cohort import sample_case  # noqa: PLC0415
    from retrieval.search import retrieve  # noqa: PLC0415

    patient = sample_case(index, seed).patient
    prediction = predict(patient, explain=False)
    full = keep_evidence or index % FULL_EVERY == 0
    retrieved = retrieve(patient, prediction) if full else Retrieved((), (), ())
    ledger = collect_evidence(patient, prediction, retrieved)
    embeddings = prediction.embeddings
    modality = dict(embeddings.modality) if embeddings else {}
    encoder_hash = embeddings.encoder_hash if embeddings else ""
    return case_of(patient.oncotree_code or "", ledger, modality, encoder_hash, keep_evidence=keep_evidence)


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
    path = cache / f"lm-cases-{n_patients}-{seed}{'-evidence' if keep_evidence else ''}.pickle"
    if path.is_file():
        return pickle.loads(path.read_bytes())
    block = 20
    tasks = [(i, min(block, n_patients - i), seed, keep_evidence) for i in range(0, n_patients, block)]
    cases: list[LMCase] = []
    with ProcessPoolExecutor(processes or core_count(), mp_context=get_context("spawn")) as pool:
        for done in pool.map(_sample_many, tasks):
            cases += done
            if progress:
                progress(f"cases for the language model: {len(cases)} of {n_patients}")
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
    return consistent(Line(f"{letter}{number}", kind, fields, finding))


def _attribute(kind: str, code: str, rng: random.Random) -> tuple[str, str]:
    if kind == "expression_profile":
        attribute = rng.choice(tuple(EXPRESSION_PROFILES))
        return attribute, rng.choice(EXPRESSION_PROFILES[attribute])
    attribute = rng.choice([a for a, by_code in APPEARANCE.items() if code in by_code])
    return attribute, rng.choice(APPEARANCE[attribute][code])


def consistent(line: Line) -> Line:
    """Resistance is never offered, as the collector has it."""
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
