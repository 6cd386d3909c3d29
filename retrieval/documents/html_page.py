"""HTML -> blocks: scripts, styles, navigation, forms and hidden elements are left out, and counted.

Not known here: style sheets (text hidden by a class is kept), frames, pictures.
"""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

from encoders.errors import InputError
from retrieval.documents.block import Block, BlockKind, Document, Record
from retrieval.documents.decode import decode_text

LEFT_OUT = frozenset(
    (
        *("script", "style", "noscript", "template", "svg", "canvas", "iframe", "object"),
        *("nav", "footer", "aside", "form", "button", "select", "dialog"),
    )
)
VOID = frozenset(
    (
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track"),
        "wbr",
    )
)
HEADINGS = frozenset(f"h{n}" for n in range(1, 7))
BREAKS = frozenset(
    (
        *("address", "article", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset"),
        *("figcaption", "figure", "header", "hr", "html", "li", "main", "ol", "p", "pre", "section", "summary"),
        *("table", "tbody", "thead", "tfoot", "tr", "ul"),
    )
)
IMPLIED = {"p": ("p",), "li": ("li",), "tr": ("tr",), "td": ("td", "th"), "th": ("td", "th")}
"""A start tag -> the elements it ends where they stand open."""

_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w-]+)""", re.IGNORECASE)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_DATE_NAMES = frozenset(
    ("citation_publication_date", "article:modified_time", "article:published_time", "dc.date", "dcterms.modified")
)


def read_html(data: bytes, name: str) -> Document:
    """An HTML page as one record.

    Raises
    ------
    InputError: the charset declared does not fit, or nothing is left to read.
    """
    declared = _CHARSET.search(data[:4096])
    text, said = decode_text(data, name, declared=declared[1].decode("ascii") if declared else None)
    page = _Page()
    page.feed(text)
    page.close()
    page.end_block()
    if not page.blocks:
        raise InputError(f"{name}: no text is left when scripts, styles and navigation are gone; save the article.")
    headings = [b.text for b in page.blocks if b.kind is BlockKind.HEADING]
    title = page.meta.get("citation_title") or (headings[0] if headings else " ".join(page.title.split())) or name
    skipped = tuple(f"{n} <{tag}> elements left out" for tag, n in sorted(page.dropped.items()))
    if page.skipping:
        skipped += (f"<{page.open[page.skipping - 1]}> is never closed; all text after it was left out",)
    date = next((v for k, v in page.meta.items() if k in _DATE_NAMES), None)
    date = date.replace("/", "-")[:10] if date else None
    return Document(
        title, (Record(title, tuple(page.blocks), url=page.url),), "HTML", said + skipped, date, url=page.url
    )


class _Page(HTMLParser):
    """Collects blocks while walking; ``skipping`` is the depth at which a left-out element stands open, 0 = none."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.open: list[str] = []
        self.skipping = 0
        self.dropped: Counter[str] = Counter()
        self.meta: dict[str, str] = {}
        self.title, self.url = "", None
        self._text: list[str] = []
        self._rows: list[list[str]] = []
        self._tables = 0
        self._line: int | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element; a left-out one hides all inside it."""
        given = {k: v or "" for k, v in attrs}
        if tag == "meta":
            self.meta.setdefault((given.get("name") or given.get("property", "")).lower(), given.get("content", ""))
        if tag == "link" and given.get("rel") == "canonical":
            self.url = given.get("href") or None
        if not self.skipping and tag in BREAKS | HEADINGS | {"br"}:
            self._break(tag)
        if tag in VOID:
            return
        self._end_implied(tag)
        self.open.append(tag)
        if not self.skipping and (tag in LEFT_OUT or _is_hidden(tag, given) or self._site_header(tag)):
            self.skipping = len(self.open)
            self.dropped[tag] += 1
        elif not self.skipping:
            self._enter(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element, and those inside it that were left open; an end without a start is nothing."""
        if tag not in self.open or (self.skipping and tag not in self.open[self.skipping - 1 :]):
            return
        while self.open:
            closed = self.open[-1]
            if not self.skipping:
                self._leave(closed)
            self.open.pop()
            if self.skipping > len(self.open):
                self.skipping = 0
            if closed == tag:
                return

    def handle_data(self, data: str) -> None:
        """Text of the element that stands open."""
        if self.skipping:
            return
        if self.open and self.open[-1] == "title":
            self.title += data
            return
        if self._line is None and data.strip():
            self._line = self.getpos()[0]
        self._text.append(data)

    def end_block(self) -> None:
        """Close the block being read."""
        text = " ".join("".join(self._text).split())
        self._text = []
        line, self._line = self._line, None
        if not text:
            return
        around = [t for t in self.open if t in HEADINGS or t == "li"]
        heading = next((t for t in around if t in HEADINGS), None)
        kind = BlockKind.HEADING if heading else BlockKind.ITEM if around else BlockKind.PARAGRAPH
        text = f"- {text}" if kind is BlockKind.ITEM else text
        self.blocks.append(Block(kind, text, int(heading[1]) if heading else 0, None, line))

    def _end_implied(self, tag: str) -> None:
        """Close the element whose end tag may be left out before this one: a cell before the next cell or row."""
        for open_tag in reversed(self.open[self.skipping :]):
            if open_tag in IMPLIED.get(tag, ()):
                self.handle_endtag(open_tag)
                return
            if open_tag in ("table", "ul", "ol", "div", "article", "section"):
                return

    def _break(self, tag: str) -> None:
        if self._tables:  # inside a cell a break is white space
            self._text.append(" ")
        elif tag == "br":
            self._text.append("\n")
        else:
            self.end_block()

    def _enter(self, tag: str) -> None:
        if tag == "table":
            self._tables += 1
            if self._tables == 1:
                self._rows, self._text = [], []
        elif tag == "tr" and self._tables == 1:
            self._rows.append([])
        elif tag in ("td", "th", "caption") and self._tables == 1:
            self._text = []

    def _leave(self, tag: str) -> None:
        if tag in ("td", "th", "caption") and self._tables == 1:
            cell = " ".join("".join(self._text).split())
            self._text = []
            self._rows = self._rows or [[]]
            (self._rows.append([cell]) if tag == "caption" else self._rows[-1].append(cell))
        elif tag == "table" and self._tables:
            self._tables -= 1
            rows = [" | ".join(row) for row in self._rows if any(row)] if not self._tables else []
            if rows:
                self.blocks.append(Block(BlockKind.TABLE, "\n".join(rows), 0, None, self._line or self.getpos()[0]))
                self._text, self._line = [], None
        elif tag in BREAKS | HEADINGS and not self._tables:
            self.end_block()

    def _site_header(self, tag: str) -> bool:
        return tag == "header" and not {"article", "main", "section"} & set(self.open)


def _is_hidden(tag: str, given: dict[str, str]) -> bool:
    if tag in ("html", "body"):
        return False
    return "hidden" in given or given.get("role") == "navigation" or bool(_HIDDEN.search(given.get("style", "")))
