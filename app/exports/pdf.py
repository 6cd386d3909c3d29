"""PDF of a report: A4, page numbers, case id and "research use only" on every page, tables that break across pages.

Fonts are DejaVu Sans (from matplotlib's data), embedded, so that the text can be searched and copied. Characters these
fonts have no glyph for show as boxes; the document counts them and says so.
Not known here: what the blocks say (document.py).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from xml.sax.saxutils import escape

from PIL import Image as PilImage
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, Flowable, Image, KeepTogether, LongTable, SimpleDocTemplate, Spacer
from reportlab.platypus import Paragraph as Flow
from reportlab.platypus import Table as Grid

from app.exports.charts import SIZE_MM, survival_png
from app.exports.document import Block, ClaimLine, Document, Heading, Paragraph, Picture, SurvivalFigure, Table
from assistant.report import RESEARCH_USE

SANS, BOLD, ITALIC = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique"
MARGIN = 16 * mm
WIDTH = A4[0] - 2 * MARGIN
HEADING_NEEDS = 28 * mm
"""Room a heading wants on its page; keeping it with the next block would push whole tables to the next page."""
_INK, _GREY, _LINE = colors.HexColor("#1b2733"), colors.HexColor("#566573"), colors.HexColor("#b8c2cc")
_SHADE, _ACCENT = colors.HexColor("#eef2f5"), colors.HexColor("#01497c")


def write_pdf(document: Document) -> bytes:
    """The document as PDF bytes."""
    _register_fonts()
    packed = io.BytesIO()
    template = SimpleDocTemplate(
        packed,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=20 * mm,
        bottomMargin=18 * mm,
        title=document.title,
        author="Radomica",
        subject=RESEARCH_USE,
        creator="Radomica",
        lang="en",
        displayDocTitle=True,
    )
    boxes = _without_glyph(document)
    story = [*_front(document, boxes), *_story(document.blocks)]
    template.build(story, canvasmaker=lambda *a, **k: _NumberedCanvas(document.running, *a, **k))
    return packed.getvalue()


class _NumberedCanvas(Canvas):
    """Writes header and footer once the number of pages is known."""

    def __init__(self, running: str, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self._running, self._pages = running, []

    def showPage(self) -> None:  # noqa: N802  reportlab's name
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        pages = self._pages
        for number, state in enumerate(pages, start=1):
            self.__dict__.update(state)
            self._frame(number, len(pages))
            super().showPage()
        super().save()

    def _frame(self, number: int, count: int) -> None:
        top, bottom = A4[1] - 12 * mm, 10 * mm
        self.setFillColor(_GREY)
        self.setFont(SANS, 7.5)
        self.drawString(MARGIN, top, self._running)
        self.drawRightString(A4[0] - MARGIN, top, "Radomica")
        self.drawString(MARGIN, bottom, RESEARCH_USE)
        self.drawRightString(A4[0] - MARGIN, bottom, f"page {number} of {count}")
        self.setStrokeColor(_LINE)
        self.setLineWidth(0.4)
        self.line(MARGIN, top - 2 * mm, A4[0] - MARGIN, top - 2 * mm)
        self.line(MARGIN, bottom + 4 * mm, A4[0] - MARGIN, bottom + 4 * mm)


def _register_fonts() -> None:
    for name in (SANS, BOLD, ITALIC):
        if name not in pdfmetrics.getRegisteredFontNames():
            with (files("matplotlib") / f"mpl-data/fonts/ttf/{name}.ttf").open("rb") as stream:
                pdfmetrics.registerFont(TTFont(name, io.BytesIO(stream.read())))
    pdfmetrics.registerFontFamily(SANS, normal=SANS, bold=BOLD, italic=ITALIC, boldItalic=BOLD)


@cache
def _styles() -> dict[str, ParagraphStyle]:
    body = ParagraphStyle("body", fontName=SANS, fontSize=8.6, leading=12, textColor=_INK, spaceAfter=3)
    return {
        "body": body,
        "small": ParagraphStyle("small", parent=body, fontSize=7.2, leading=9.5, textColor=_GREY),
        "title": ParagraphStyle("title", parent=body, fontName=BOLD, fontSize=15, leading=19, spaceAfter=4),
        "notice": ParagraphStyle("notice", parent=body, fontName=BOLD, textColor=colors.HexColor("#7a1c1c"),
                                 backColor=colors.HexColor("#fbeeee"), borderPadding=(3, 4, 3, 4), spaceBefore=4,
                                 spaceAfter=8),
        "h1": ParagraphStyle("h1", parent=body, fontName=BOLD, fontSize=11.5, leading=15, textColor=_ACCENT,
                             spaceBefore=10, spaceAfter=4),
        "h2": ParagraphStyle("h2", parent=body, fontName=BOLD, fontSize=9, leading=12, spaceBefore=6, spaceAfter=3),
        "claim": ParagraphStyle("claim", parent=body, leftIndent=9, bulletIndent=0, spaceAfter=3.5),
        "cell": ParagraphStyle("cell", parent=body, fontSize=7.1, leading=9.2, spaceAfter=0, splitLongWords=True),
        "columns": ParagraphStyle("columns", parent=body, fontName=BOLD, fontSize=7.1, leading=9.2, spaceAfter=0),
        "caption": ParagraphStyle("caption", parent=body, fontSize=6.8, leading=8.6, textColor=_GREY),
    }  # fmt: skip


def _front(document: Document, boxes: int) -> Iterator[Flowable]:
    styles = _styles()
    yield Flow(escape(document.title), styles["title"])
    for notice in document.notices:
        yield Flow(escape(notice), styles["notice"])
    if boxes:
        yield Flow(
            f"{boxes} character(s) of this report have no glyph in the PDF's font and show as boxes; the Markdown and "
            "HTML forms show them.",
            styles["small"],
        )


def _story(blocks: Sequence[Block]) -> Iterator[Flowable]:
    row: list[Picture] = []
    for block in blocks:
        if isinstance(block, Picture):
            row.append(block)
            continue
        yield from _pictures(row)
        row = []
        yield from _block(block)
    yield from _pictures(row)


def _block(block: Block) -> Iterator[Flowable]:
    styles = _styles()
    match block:
        case Heading(text, level):
            yield CondPageBreak(HEADING_NEEDS)
            yield Flow(escape(text), styles["h1" if level == 1 else "h2"])
        case Paragraph(text, small):
            yield Flow(escape(text), styles["small" if small else "body"])
        case ClaimLine():
            words = f"{escape(block.text)} <font name='{BOLD}' size='7.4'>{escape(block.marks)}</font>"
            words += f" <font size='6.8' color='#566573'>{escape(block.verdict)}: {escape(block.reason)}</font>"
            yield KeepTogether([Flow(words, styles["claim"], bulletText="•")])  # whole on one page
        case Table():
            yield _table(block)
            yield Spacer(1, 5)
        case SurvivalFigure(data, caption):
            size = tuple(v * mm for v in SIZE_MM)
            picture = Image(io.BytesIO(survival_png(data)), *size, hAlign="LEFT")
            yield KeepTogether([picture, Flow(escape(caption), styles["caption"]), Spacer(1, 5)])


def _table(block: Table) -> Flowable:
    styles = _styles()
    head = [[Flow(escape(c), styles["columns"]) for c in block.columns]] if any(block.columns) else []
    body = [[Flow(escape(c), styles["cell"]) for c in row] for row in block.rows]
    whole = sum(block.shares)
    return LongTable(
        [*head, *body],
        colWidths=[WIDTH * s / whole for s in block.shares],
        repeatRows=len(head),
        splitInRow=1,  # a cell may be longer than a page
        hAlign="LEFT",
        style=[
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.3, _LINE),
            ("LEFTPADDING", (0, 0), (-1, -1), 3),
            ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ("TOPPADDING", (0, 0), (-1, -1), 2.2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2.6),
            *([("BACKGROUND", (0, 0), (-1, 0), _SHADE)] if head else []),
        ],
    )


def _pictures(row: Sequence[Picture]) -> Iterator[Flowable]:
    """Pictures two by two, each with its caption under it."""
    for first in range(0, len(row), 2):
        pair = row[first : first + 2]
        cells = [[_scaled(p), Flow(escape(p.caption), _styles()["caption"])] for p in pair]
        cells += [[]] * (2 - len(cells))
        yield Grid([cells], colWidths=[WIDTH / 2] * 2, hAlign="LEFT", style=[("VALIGN", (0, 0), (-1, -1), "TOP")])


def _scaled(picture: Picture) -> Flowable:
    with PilImage.open(io.BytesIO(picture.png)) as opened:
        wide, high = opened.size
    width = min(picture.width_mm * mm, WIDTH / 2 - 8)
    return Image(io.BytesIO(picture.png), width, width * high / wide, hAlign="LEFT")


def _without_glyph(document: Document) -> int:
    """Characters of the document that the font cannot draw."""
    known = pdfmetrics.getFont(SANS).face.charToGlyph
    return sum(1 for c in _text(document) if not c.isspace() and ord(c) not in known)


def _text(document: Document) -> str:
    parts = [document.title, *document.notices]
    for block in document.blocks:
        match block:
            case Heading(text) | Paragraph(text):
                parts.append(text)
            case ClaimLine():
                parts += [block.text, block.reason]
            case Table():
                parts += [*block.columns, *(c for row in block.rows for c in row)]
            case Picture(_, caption) | SurvivalFigure(_, caption):
                parts.append(caption)
    return "\n".join(parts)
