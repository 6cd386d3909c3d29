"""Lines of text -> headings, paragraphs, list items and tables; the text files and PDFs share this.

A heading is a short line without a full stop that is numbered ("2.1 Staging"), all capitals, or stands alone
between empty lines. A table is two or more lines in a row whose cells are set off by tabs, "|" or wide gaps.
Not known here: fonts. A wrong guess loses nothing: a heading without text below becomes text again
(retrieval/document_split.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from retrieval.documents.block import Block, BlockKind, Document, Record
from retrieval.documents.decode import decode_text

MAX_HEADING_WORDS, MAX_HEADING_CHARACTERS = 12, 100
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})[.)]?\s+[A-Z]")
_ITEM = re.compile(r"\s*(?:[-*•–▪◦]|\(?\d{1,2}[.)]|\(?[a-z][.)])\s+\S")
_CELLS = re.compile(r"\t|\S\s{3,}\S|\S\s*\|\s*\S")
_REFERENCE = re.compile(r"\s*(?:\[\d{1,3}\]|\d{1,3}\.)\s+[A-Z][\w'’-]+ [A-Z]{1,3}[,.]")


@dataclass(frozen=True)
class Line:
    """One line with its place."""

    text: str
    page: int | None = None
    line: int | None = None


def read_text_file(data: bytes, name: str) -> Document:
    """A text file as one record; its first heading or first line is the title."""
    text, said = decode_text(data, name)
    lines = [Line(t, line=n) for n, t in enumerate(text.split("\n"), start=1)]
    blocks = tuple(blocks_of_lines(lines))
    title = blocks[0].text.split("\n")[0][:120] if blocks else name
    return Document(title, (Record(title, blocks),), "text", said)


def blocks_of_lines(lines: Sequence[Line], *, headings: frozenset[str] = frozenset()) -> Iterator[Block]:
    """Blocks in order; ``headings`` are lines known to be headings (a PDF's outline), in lower case."""
    for group in _groups(lines):
        yield from _blocks_of_group(group, headings, alone=len(group) == 1)


def _groups(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Runs of lines between empty ones; a new page does not end a run, for sentences go on over it."""
    group: list[Line] = []
    for line in lines:
        if line.text.strip():
            group.append(line)
        elif group:
            yield group
            group = []
    if group:
        yield group


def _blocks_of_group(group: Sequence[Line], headings: frozenset[str], *, alone: bool) -> Iterator[Block]:
    open_lines: list[Line] = []
    kind = BlockKind.PARAGRAPH
    tabular = _tabular(group)
    for place, line in enumerate(group):
        level = 0 if tabular[place] else _heading_level(line.text.strip(), headings, alone=alone)
        starts = _REFERENCE.match(line.text) or _ITEM.match(line.text)
        if level:
            yield from _closed(kind, open_lines)
            yield Block(BlockKind.HEADING, " ".join(line.text.split()), level, line.page, line.line)
            open_lines, kind = [], BlockKind.PARAGRAPH
        elif tabular[place] != (kind is BlockKind.TABLE) or (starts and kind is not BlockKind.TABLE):
            yield from _closed(kind, open_lines)
            open_lines = [line]
            kind = BlockKind.TABLE if tabular[place] else BlockKind.ITEM if starts else BlockKind.PARAGRAPH
        else:
            open_lines.append(line)
    yield from _closed(kind, open_lines)


def _closed(kind: BlockKind, lines: Sequence[Line]) -> Iterator[Block]:
    if not lines:
        return
    if kind is BlockKind.TABLE:
        rows = (" | ".join(c.strip() for c in re.split(r"\t+|\s{3,}|\s*\|\s*", x.text.strip()) if c) for x in lines)
        text = "\n".join(rows)
    else:
        text = " ".join(" ".join(x.text.split()) for x in lines)
    yield Block(kind, text, 0, lines[0].page, lines[0].line)


def _tabular(group: Sequence[Line]) -> list[bool]:
    """Lines with cells whose neighbour has cells too; one line with a gap is no table."""
    cells = [_CELLS.search(line.text.strip()) is not None for line in group]
    return [
        here and ((i > 0 and cells[i - 1]) or (i + 1 < len(cells) and cells[i + 1])) for i, here in enumerate(cells)
    ]


def _heading_level(text: str, headings: frozenset[str], *, alone: bool) -> int:
    """1, 2, ... for a heading, 0 for text."""
    if text.lower() in headings:
        return 2
    if text[-1:] in ".;,:?!" or len(text) > MAX_HEADING_CHARACTERS or len(text.split()) > MAX_HEADING_WORDS:
        return 0
    numbered = _NUMBERED.match(text)
    if numbered and ("." in numbered[1] or alone):
        return numbered[1].count(".") + 1
    letters = [c for c in text if c.isalpha()]
    if len(letters) >= 4 and text.upper() == text and " | " not in text and not _ITEM.match(text):
        return 1
    return 2 if alone and text[:1].isupper() and not _ITEM.match(text) else 0
