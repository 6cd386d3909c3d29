"""Blocks -> passages: the one splitting rule, for every form of document.

1. A heading is never cut and never a passage: it heads each passage of its section ("Treatment > First line").
   A heading with nothing below it is text.
2. Paragraphs and items of one section are joined up to TARGET_WORDS, never across a heading.
3. A paragraph or item above MAX_WORDS is cut between sentences; a sentence, and a citation inside or after it, stays
   whole. An entry of a reference list is an item, and shorter than that. Only text of MAX_CHARACTERS without an end
   of sentence is cut between words.
4. A table is a passage of its own, with the "Table 1. ..." line before it. Above MAX_TABLE_WORDS it is cut between
   rows, each part under the caption and the first row.

Not known here: what embeds the passages; TARGET_WORDS fits MiniLM's 256 tokens with a title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from retrieval.chunk import split_sentences
from retrieval.documents.block import Block, BlockKind, Record
from retrieval.instruction_like import INSTRUCTION_LIKE

TARGET_WORDS, MAX_WORDS, MAX_TABLE_WORDS = 140, 180, 400
MAX_CHARACTERS = 4000
MIN_STATEMENT_WORDS = 6
MAX_STATEMENT_CHARACTERS = 400
"""A statement is quoted whole: a report shows at most 420 characters of it."""

_CAPTION = re.compile(r"(?i)\s*(?:table|box|appendix)\s+[\dIVX]")
Section = tuple[str, ...]


@dataclass(frozen=True)
class Piece:
    """One passage before it has an id: its text, headings above it, and where it starts (None = not known)."""

    text: str
    section: Section
    page: int | None = None
    line: int | None = None


def split_record(record: Record) -> tuple[Piece, ...]:
    """The passages of one record, in order; every word of every block stands in a passage or in its section."""
    found: list[Piece] = []
    for section, blocks in _sections(record.blocks):
        found += _pieces(section, blocks)
    return tuple(found)


def _sections(blocks: Sequence[Block]) -> Iterator[tuple[Section, list[Block]]]:
    """Runs of text blocks with the headings above them; an empty section's heading becomes text of the one around."""
    path: list[Block] = []
    run: list[Block] = []
    for place, block in enumerate(blocks):
        if block.kind is not BlockKind.HEADING:
            run.append(block)
            continue
        following = blocks[place + 1] if place + 1 < len(blocks) else None
        if following is None or (following.kind is BlockKind.HEADING and following.level <= block.level):
            run.append(Block(BlockKind.PARAGRAPH, block.text, 0, block.page, block.line))
            continue
        if run:
            yield tuple(b.text for b in path), run
            run = []
        path = [*(b for b in path if b.level < block.level), block]
    if run:
        yield tuple(b.text for b in path), run


def _pieces(section: Section, blocks: Sequence[Block]) -> Iterator[Piece]:
    held: list[tuple[str, Block]] = []  # texts of the passage being filled, with the block each is from
    for place, block in enumerate(blocks):
        if block.kind is BlockKind.TABLE:
            caption = held.pop()[0] if held and _CAPTION.match(held[-1][0]) else ""
            yield from _joined(section, held)
            held = []
            yield from _table(section, block, caption)
            continue
        starts_table = place + 1 < len(blocks) and blocks[place + 1].kind is BlockKind.TABLE
        for text in _sized(block):
            if held and _is_full([t for t, _ in held], text):
                yield from _joined(section, held)
                held = []
            held.append((text, block))
        if starts_table and not _CAPTION.match(block.text):
            yield from _joined(section, held)
            held = []
    yield from _joined(section, held)


def _is_full(texts: Sequence[str], following: str) -> bool:
    """Whether another text would make a passage too long, in words or in characters."""
    whole = [*texts, following]
    return sum(len(t.split()) for t in whole) > TARGET_WORDS or sum(map(len, whole)) > MAX_CHARACTERS


def _joined(section: Section, held: Sequence[tuple[str, Block]]) -> Iterator[Piece]:
    if held:
        first = held[0][1]
        yield Piece("\n".join(text for text, _ in held), section, first.page, first.line)


def _sized(block: Block) -> Iterator[str]:
    """A block as it is, or cut between sentences into parts of at most TARGET_WORDS."""
    if len(block.text.split()) <= MAX_WORDS and len(block.text) <= MAX_CHARACTERS:
        yield block.text
        return
    part: list[str] = []
    for sentence in (s for whole in split_sentences(block.text) for s in _bounded(whole)):
        if part and _is_full(part, sentence):
            yield " ".join(part)
            part = []
        part.append(sentence)
    if part:
        yield " ".join(part)


def _bounded(sentence: str) -> Iterator[str]:
    """A "sentence" of thousands of characters (a sequence, an encoded picture) in parts a passage can hold."""
    while len(sentence) > MAX_CHARACTERS:
        cut = sentence.rfind(" ", 1, MAX_CHARACTERS)
        cut = MAX_CHARACTERS if cut < 0 else cut
        yield sentence[:cut]
        sentence = sentence[cut:].lstrip()
    yield sentence


def _table(section: Section, block: Block, caption: str) -> Iterator[Piece]:
    rows = block.text.split("\n")
    head = [caption] if caption else []
    if len(block.text.split()) <= MAX_TABLE_WORDS:
        yield Piece("\n".join([*head, *rows]), section, block.page, block.line)
        return
    head.append(rows[0])
    part: list[str] = []
    for row in rows[1:]:
        if part and sum(len(r.split()) for r in [*head, *part, row]) > MAX_TABLE_WORDS:
            yield Piece("\n".join([*head, *part]), section, block.page, block.line)
            part = []
        part.append(row)
    if part:
        yield Piece("\n".join([*head, *part]), section, block.page, block.line)


def quotable_sentences(text: str) -> tuple[str, ...]:
    """Sentences of a passage that can be quoted alone: long enough, no question, no table row, no order to a model.

    An item of a list says nothing without the line that leads it in ("Options are:"), so it is not quoted where that
    line ends with a colon or stands in an earlier passage.
    """
    found: list[str] = []
    lead = ":"
    for line in text.split("\n"):
        if line.startswith("- ") and lead.endswith(":"):
            continue
        lead = lead if line.startswith("- ") else line.rstrip()
        found += [s for s in split_sentences(line.removeprefix("- ")) if _is_quotable(s)]
    return tuple(found)


def _is_quotable(sentence: str) -> bool:
    if len(sentence.split()) < MIN_STATEMENT_WORDS or len(sentence) > MAX_STATEMENT_CHARACTERS:
        return False
    return not sentence.endswith(("?", ":")) and " | " not in sentence and not INSTRUCTION_LIKE.search(sentence)


def key_statement(text: str) -> str:
    """The first sentence that can be quoted alone; where none can, the first line. It is always part of the text."""
    return next(iter(quotable_sentences(text)), "") or text.split("\n", maxsplit=1)[0].removeprefix("- ")
