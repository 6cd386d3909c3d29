"""DOCX of a report: real headings, lists and tables, the research-use notice in the header of every page.

Not known here: what the blocks say (document.py).
"""

from __future__ import annotations

import io
from datetime import datetime

import docx
from docx.document import Document as Docx
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from app.exports.charts import SIZE_MM, survival_png
from app.exports.document import Block, ClaimLine, Document, Heading, Paragraph, Picture, SurvivalFigure, Table
from assistant.report import RESEARCH_USE

WIDTH_MM = 178.0
_GREY, _RED = RGBColor(0x56, 0x65, 0x73), RGBColor(0x7A, 0x1C, 0x1C)


def write_docx(document: Document) -> bytes:
    """The document as DOCX bytes."""
    made = docx.Document()
    _page(made, document)
    made.add_heading(document.title, level=0)
    for notice in document.notices:
        run = made.add_paragraph().add_run(notice)
        run.bold, run.font.color.rgb = True, _RED
    for block in document.blocks:
        _block(made, block)
    packed = io.BytesIO()
    made.save(packed)
    return packed.getvalue()


def _page(made: Docx, document: Document) -> None:
    section = made.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(16)
    section.top_margin = section.bottom_margin = Mm(20)
    section.header.paragraphs[0].text = document.running
    footer = section.footer.paragraphs[0]
    footer.add_run(f"{RESEARCH_USE} Page ")
    _page_number(footer.add_run())
    for paragraph in (section.header.paragraphs[0], footer):
        for run in paragraph.runs:
            run.font.size, run.font.color.rgb = Pt(8), _GREY
    made.styles["Normal"].font.name = "Arial"
    made.styles["Normal"].font.size = Pt(9.5)
    about = made.core_properties
    about.title, about.author, about.subject = document.title, "Radomica", RESEARCH_USE
    about.comments, about.language = document.running, "en"
    about.created = about.modified = datetime.now()


def _page_number(run: docx.text.run.Run) -> None:
    """A PAGE field, which Word fills in."""
    for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
        if kind:
            part = OxmlElement("w:fldChar")
            part.set(qn("w:fldCharType"), kind)
        else:
            part = OxmlElement("w:instrText")
            part.set(qn("xml:space"), "preserve")
            part.text = text
        run._r.append(part)


def _block(made: Docx, block: Block) -> None:
    match block:
        case Heading(text, level):
            made.add_heading(text, level=level)
        case Paragraph(text, small):
            run = made.add_paragraph().add_run(text)
            if small:
                run.font.size, run.font.color.rgb = Pt(8), _GREY
        case ClaimLine():
            _claim(made, block)
        case Table():
            _table(made, block)
        case Picture(png, caption, width_mm):
            _picture(made, png, caption, width_mm)
        case SurvivalFigure(data, caption):
            _picture(made, survival_png(data), caption, SIZE_MM[0])


def _claim(made: Docx, block: ClaimLine) -> None:
    line = made.add_paragraph(style="List Bullet")
    line.add_run(f"{block.text} ")
    line.add_run(block.marks).bold = True
    verdict = line.add_run(f" {block.verdict}: {block.reason}")
    verdict.font.size, verdict.font.color.rgb = Pt(7.5), _GREY


def _table(made: Docx, block: Table) -> None:
    grid = made.add_table(rows=0, cols=len(block.columns), style="Light Grid Accent 1")
    grid.alignment, grid.autofit = WD_TABLE_ALIGNMENT.LEFT, False
    whole = sum(block.shares)
    rows = [block.columns, *block.rows] if any(block.columns) else list(block.rows)
    for number, row in enumerate(rows):
        cells = grid.add_row().cells
        for cell, text, share in zip(cells, row, block.shares, strict=True):
            cell.width = Mm(WIDTH_MM * share / whole)
            run = cell.paragraphs[0].add_run(text)
            run.font.size = Pt(7.5)
            run.bold = number == 0 and any(block.columns)
    if any(block.columns):
        _repeat(grid.rows[0])
    made.add_paragraph()


def _repeat(row: docx.table._Row) -> None:
    """The first row stands again on each page."""
    part = OxmlElement("w:tblHeader")
    part.set(qn("w:val"), "true")
    row._tr.get_or_add_trPr().append(part)


def _picture(made: Docx, png: bytes, caption: str, width_mm: float) -> None:
    made.add_picture(io.BytesIO(png), width=Mm(width_mm))
    run = made.add_paragraph().add_run(caption)
    run.font.size, run.font.color.rgb = Pt(7.5), _GREY
