"""What every reader of a document gives: records, each a title and its blocks in reading order.

Not known here: file formats, passages, who may see the document.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BlockKind(StrEnum):
    """What a block is; the splitting rule (retrieval/document_split.py) treats each in its own way."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    TABLE = "table"


@dataclass(frozen=True)
class Block:
    """One heading, paragraph, list item or table.

    text : a table's rows stand on lines of their own; everything else is one line
    level : of a heading, 1 = the widest; page / line : 1-based place in the file, None = the form has none
    """

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None
    line: int | None = None


@dataclass(frozen=True)
class Record:
    """One text of a file: the whole of a PDF or page, one line of a JSONL file, one article of PubMed.

    record_id : the file's own id of it, None where the file is the record
    """

    title: str
    blocks: tuple[Block, ...]
    record_id: str | None = None
    pmid: str | None = None
    url: str | None = None
    date: str | None = None


@dataclass(frozen=True)
class Document:
    """All records of one file.

    form : "PDF", "HTML", "Markdown", "text", "JSONL", "PubMed XML" or "question-answer XML"
    skipped : what was left out of it and why, one line each; version, licence : as the file itself states them
    """

    title: str
    records: tuple[Record, ...]
    form: str
    skipped: tuple[str, ...] = ()
    date: str | None = None
    version: str | None = None
    licence: str | None = None
    url: str | None = None
