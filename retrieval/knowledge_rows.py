"""A stored row of a document -> the passage it stands for, and the exact text that is embedded of it.

Not known here: where rows are stored (retrieval/knowledge_store.py).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.index import embedded_text
from retrieval.knowledge_record import Version
from retrieval.passage import Passage


def npy_bytes(vectors: NDArray[np.float32]) -> bytes:
    """Vectors (K, D) as the bytes of a .npy file of float32."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(vectors, np.float32), allow_pickle=False)
    return buffer.getvalue()


def embedded_sha256(passage: Passage) -> str:
    """Hash of exactly the text that is embedded for a passage."""
    return hashlib.sha256(embedded_text(passage).encode()).hexdigest()


def passage_of(row: Mapping[str, Any], document_id: str, version: Version, patient_id: str | None) -> Passage:
    """A stored row as a passage of its document; ``locator`` names file, section and page."""
    section = " > ".join(row["section"]) or None
    place = (version.file, f"section {section}" if section else "", f"page {row['page']}" if row["page"] else "")
    return Passage(
        passage_id=f"{document_id}-{row['id']}",
        title=row["title"],
        text=row["text"],
        statement=row["statement"],
        source=version.title,
        pmid=row["pmid"],
        url=row["url"],
        date=row["date"] or version.details.date,
        oncotree=version.details.disease or (),
        patient_id=patient_id,
        locator=", ".join(p for p in place if p),
        section=section,
        page=row["page"],
        version=version.details.version,
        licence=version.details.licence,
        document_id=document_id,
        sha256=row["sha256"],
    )
