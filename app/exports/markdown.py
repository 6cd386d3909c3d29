"""Markdown of a report. Claim and note texts are escaped, so that none of them becomes a heading, a link or HTML.

Pictures are left out, each with a line that says so: a Markdown file holds no picture.
"""

from __future__ import annotations

import re

from app.exports.document import Block, ClaimLine, Document, Heading, Paragraph, Picture, SurvivalFigure, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def escape(text: str) -> str:
    """Text that Markdown shows as it is written, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def write_markdown(document: Document) -> str:
    """The document as Markdown text (CommonMark with pipe tables)."""
    parts = [f"# {escape(document.title)}", *(f"**{escape(n)}**" for n in document.notices)]
    parts += [_block(b) for b in document.blocks]
    parts.append(f"*{escape(document.running)}*")
    return "\n\n".join(p for p in parts if p) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(text, level):
            made = f"{'#' * (level + 1)} {escape(text)}"
        case Paragraph(text):
            made = escape(text)
        case ClaimLine():
            made = f"- {escape(block.text)} {escape(block.marks)} *{escape(block.verdict)}: {escape(block.reason)}*"
        case Table():
            made = _table(block)
        case Picture(_, caption):
            made = f"*Picture (in the PDF, DOCX and HTML forms): {escape(caption)}*"
        case SurvivalFigure():
            made = "*Survival curve: drawn in the PDF, DOCX and HTML forms; its points are in report.json.*"
    return made


def _table(block: Table) -> str:
    lines = ["| " + " | ".join(escape(c) for c in block.columns) + " |", "|" + " --- |" * len(block.columns)]
    lines += ["| " + " | ".join(escape(c) for c in row) + " |" for row in block.rows]
    return "\n".join(lines)
