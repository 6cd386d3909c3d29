"""Markdown -> blocks, parsed by markdown-it (CommonMark with tables); a front matter of "key: value" lines is read.

Not known here: raw HTML inside Markdown is dropped, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from retrieval.documents.block import Block, BlockKind, Document, Record
from retrieval.documents.decode import decode_text

_FRONT = re.compile(r"---\n(.*?)\n(?:---|\.\.\.)(?:\n|$)", re.DOTALL)
_ENTRY = re.compile(r"([A-Za-z_]+):\s*(\S.*)")


def read_markdown(data: bytes, name: str) -> Document:
    """A Markdown file as one record; the title is the front matter's, else the first heading, else the file name."""
    text, said = decode_text(data, name)
    front = _FRONT.match(text)
    known = dict(m.groups() for line in front[1].split("\n") if (m := _ENTRY.fullmatch(line))) if front else {}
    known = {key.lower(): value.strip("\"' ") for key, value in known.items()}
    first_line = front[0].count("\n") if front else 0
    tokens = MarkdownIt("commonmark").enable("table").parse(text[front.end() :] if front else text)
    raw = sum(t.type == "html_block" for t in tokens)
    said += (f"{raw} blocks of raw HTML left out",) if raw else ()
    blocks = tuple(_blocks(tokens, first_line))
    headings = [b.text for b in blocks if b.kind is BlockKind.HEADING]
    title = known.get("title") or (headings[0] if headings else name)
    return Document(
        title, (Record(title, blocks),), "Markdown", said, date=known.get("date"), version=known.get("version"),
        licence=known.get("licence") or known.get("license"), url=known.get("url"),
    )  # fmt: skip


def _blocks(tokens: Sequence[Token], first_line: int) -> Iterator[Block]:
    in_item = 0
    rows: list[list[str]] = []
    table_line = heading = None
    for token in tokens:
        line = first_line + token.map[0] + 1 if token.map else None
        match token.type:
            case "list_item_open" | "list_item_close":
                in_item += 1 if token.type.endswith("open") else -1
            case "heading_open" | "heading_close":
                heading = int(token.tag[1]) if token.type.endswith("open") else None
            case "table_open":
                rows, table_line = [], line
            case "tr_open":
                rows.append([])
            case "table_close":
                text = "\n".join(" | ".join(cell for cell in row) for row in rows)
                yield Block(BlockKind.TABLE, text, 0, None, table_line)
                table_line = None
            case "fence" | "code_block":
                yield Block(BlockKind.PARAGRAPH, " ".join(token.content.split()), 0, None, line)
            case "inline" if table_line is not None:
                rows[-1].append(_plain(token))
            case "inline":
                text = _plain(token)
                kind = BlockKind.HEADING if heading else BlockKind.ITEM if in_item else BlockKind.PARAGRAPH
                if text:
                    yield Block(kind, f"- {text}" if kind is BlockKind.ITEM else text, heading or 0, None, line)


def _plain(inline: Token) -> str:
    words = {"softbreak": " ", "hardbreak": " "}
    kept = (words.get(t.type, t.content) for t in inline.children or () if t.type != "html_inline")
    return " ".join("".join(kept).split())
