"""What made a report: versions and hashes, a content id, and everything that was skipped on the way.

The id is a hash of what the report says and of what made it, so the same case with the same weights and model gets
the same id; the time it was made is not part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.collect import left_out_counts
from assistant.evidence import Ledger
from assistant.llm.chat_model import ChatModel
from assistant.report import SCHEMA, Section

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext


def collect_versions(context: CaseContext, llm: ChatModel) -> dict[str, str]:
    """Package, schema, encoder weights, retrieval indexes, language model, prompts."""
    return {
        "radomica": _package_version(),
        "schema": SCHEMA,
        **{f"encoders.{k}": str(v) for k, v in context.prediction.versions.items()},
        **{f"retrieval.{k}": str(v) for k, v in context.retrieved.versions.items()},
        "llm.spec": llm.spec,
        **{f"llm.{k}": str(v) for k, v in llm.versions().items()},
        "prompts": prompts_hash(),
        **{f"ledger.left_out.{kind}": str(n) for kind, n in left_out_counts(context.ledger).items()},
    }


@lru_cache(maxsize=1)
def prompts_hash() -> str:
    """SHA-256 over the prompt files, names included."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "prompts").glob("*.txt")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _package_version() -> str:
    try:
        return version("radomica")
    except PackageNotFoundError:
        return "not installed"


def content_id(case_id: str, versions: Mapping[str, str], sections: Sequence[Section], ledger: Ledger) -> str:
    """16 hex digits of a SHA-256 over what the report says."""
    content = {
        "case": case_id,
        "versions": dict(sorted(versions.items())),
        "sections": [[s.id, s.note, [[c.text, list(c.citations)] for c in s.claims]] for s in sections],
        "evidence": [[e.id, e.type, e.text] for e in ledger],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def collect_warnings(context: CaseContext) -> tuple[str, ...]:
    """Reader warnings, skipped files, predictions not made, what retrieval could not search, what rank left out."""
    patient = context.patient
    found = [
        *patient.warnings,
        *(w for s in patient.imaging for w in s.warnings),
        *(f"not used: {s}" for s in patient.skipped),
        *(f"not predicted: {task} ({why})" for task, why in context.prediction.not_predicted.items()),
        *(f"not searched: {s}" for s in context.retrieved.skipped),
        *(f"not in the ledger: {s}" for s in context.ledger.left_out),
    ]
    return tuple(dict.fromkeys(found))
