"""Files of many records: MedRAG JSONL, PubMed XML and MedQuAD question-answer XML (the form of NCI's PDQ summaries).

A record that cannot be used is skipped, counted and named; two records of one id are both kept where they differ.
Not known here: full-text articles (JATS), whether an abstract was retracted.

References
----------
Xiong G. et al., MedRAG, ACL Findings 2024 (JSONL of {id, title, content}). Ben Abacha A. & Demner-Fushman D.,
MedQuAD, BMC Bioinformatics 2019, DOI 10.1186/s12859-019-3119-4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from encoders.errors import InputError
from retrieval.documents.block import Block, BlockKind, Document, Record
from retrieval.documents.decode import decode_text
from retrieval.documents.plain_text import Line, blocks_of_lines

MAX_NAMED = 5
"""Skipped records named one by one; the rest are counted."""

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}


def read_jsonl(data: bytes, name: str) -> Document:
    """One record a line: {"id", "title", "content"} ("contents" is read where there is no "content").

    Raises
    ------
    InputError: no line is such a record.
    """
    text, said = decode_text(data, name)
    found: list[Record] = []
    skipped: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        record = _snippet(line, number)
        (found if isinstance(record, Record) else skipped).append(record)
    return _document(name, found, skipped, said, "JSONL", "no line holds id, title and content")


def _snippet(line: str, number: int) -> Record | str:
    try:
        raw = json.loads(line)
    except json.JSONDecodeError as error:
        return f"line {number}: no JSON ({error.msg})"
    except RecursionError:
        return f"line {number}: JSON nested too deeply"
    if not isinstance(raw, dict):
        return f"line {number}: a {type(raw).__name__} where an object is needed"
    record_id, title, content = raw.get("id"), raw.get("title"), raw.get("content", raw.get("contents"))
    if not isinstance(record_id, str | int) or not isinstance(content, str) or not content.strip():
        return f"line {number}: has no id or no content"
    pmid = str(raw.get("PMID") or raw.get("pmid") or "") or None
    lines = [Line(t, line=number) for t in content.split("\n")]
    title = title.strip() if isinstance(title, str) and title.strip() else str(record_id)
    return Record(title, tuple(_paragraphs(lines)), str(record_id), pmid=pmid if pmid and pmid.isdigit() else None)


def _paragraphs(lines: Sequence[Line]) -> Iterator[Block]:
    """Blocks without headings: a snippet's short lines are text."""
    for block in blocks_of_lines(lines):
        yield replace(block, kind=BlockKind.PARAGRAPH, level=0) if block.kind is BlockKind.HEADING else block


def read_xml(data: bytes, name: str) -> Document:
    """PubMed's export or a MedQuAD document, told apart by the root element; entities are never expanded.

    Raises
    ------
    InputError: not well-formed, entities or a foreign root element, or no usable record.
    """
    try:
        root = fromstring(data)
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise InputError(f"{name}: the XML cannot be read ({error}); export it again.") from error
    if root.tag in ("PubmedArticleSet", "PubmedArticle"):
        articles = [root] if root.tag == "PubmedArticle" else root.findall("PubmedArticle")
        read = [_article(a, n) for n, a in enumerate(articles, start=1)]
        form, none = "PubMed XML", "no article has an abstract"
        others = len(root.findall("PubmedBookArticle"))
        read += [f"{others} book articles (PubmedBookArticle)"] if others else []
    elif root.tag == "Document" and root.find("QAPairs") is not None:
        read = list(_answers(root))
        form, none = "question-answer XML", "no question has an answer"
    else:
        raise InputError(f"{name}: root element <{root.tag}>; allowed: PubmedArticleSet, or Document with QAPairs.")
    found = [r for r in read if isinstance(r, Record)]
    return _document(name, found, [r for r in read if isinstance(r, str)], (), form, none, root)


def _article(article: Element, number: int) -> Record | str:
    pmid = (article.findtext("MedlineCitation/PMID") or "").strip()
    where = f"PMID {pmid}" if pmid else f"article {number}"
    inside = article.find("MedlineCitation/Article")
    title = _words(inside.find("ArticleTitle")) if inside is not None else ""
    blocks: list[Block] = []
    for part in inside.findall("Abstract/AbstractText") if inside is not None else ():
        if label := part.get("Label"):
            blocks.append(Block(BlockKind.HEADING, label.capitalize(), 2))
        if text := _words(part):
            blocks.append(Block(BlockKind.PARAGRAPH, text))
    if not any(b.kind is BlockKind.PARAGRAPH for b in blocks):
        return f"{where}: no abstract"
    date = _pubmed_date(inside.find("Journal/JournalIssue/PubDate")) if inside is not None else None
    return Record(title or where, tuple(blocks), pmid or None, pmid=pmid if pmid.isdigit() else None, date=date)


def _words(element: Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _pubmed_date(date: Element | None) -> str | None:
    """ISO, as exact as the journal states it; a season or range ("2020 Spring") keeps its year."""
    if date is None:
        return None
    year = date.findtext("Year") or (re.findall(r"\d{4}", date.findtext("MedlineDate") or "") or [""])[0]
    month = (date.findtext("Month") or "").strip()
    number = int(month) if month.isdigit() else _MONTHS.get(month[:3].lower())
    day = (date.findtext("Day") or "").strip()
    parts = [year, f"{number:02d}" if number else "", f"{int(day):02d}" if number and day.isdigit() else ""]
    return "-".join(p for p in parts if p) if year else None


def _answers(root: Element) -> Iterator[Record | str]:
    focus = _words(root.find("Focus"))
    for pair in root.iterfind("QAPairs/QAPair"):
        question, answer = pair.find("Question"), pair.find("Answer")
        record_id = question.get("qid", "") if question is not None else ""
        text = "".join(answer.itertext()) if answer is not None else ""
        if not text.strip():
            yield f"{record_id or focus or 'a question'}: no answer"
            continue
        listed = re.sub(r"[ \t]{2,}-\s+", "\n- ", text)  # the items of a list stand on one line there
        title = " ".join(_words(question).replace(" ?", "?").split()) or focus
        blocks = tuple(_paragraphs([Line(t) for t in listed.split("\n")]))
        yield Record(title, blocks, record_id or None, url=root.get("url"))


def _document(
    name: str,
    found: Sequence[Record],
    skipped: Sequence[str],
    said: tuple[str, ...],
    form: str,
    none: str,
    root: Element | None = None,
) -> Document:
    if not found:
        first = f" First: {skipped[0]}." if skipped else ""
        raise InputError(f"{name}: {none}.{first} Nothing was added.")
    records, doubles = _without_doubles(found)
    lines = tuple(skipped[:MAX_NAMED])
    if len(skipped) > MAX_NAMED:
        lines += (f"and {len(skipped) - MAX_NAMED} more records without usable text",)
    focus = _words(root.find("Focus")) if root is not None else ""
    title = f"{focus} ({root.get('source')})" if focus and root is not None and root.get("source") else focus or name
    url = root.get("url") if root is not None else None
    return Document(title, records, form, said + lines + doubles, url=url)


def _without_doubles(found: Sequence[Record]) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """A record that comes again word for word is dropped; another text under a used id gets its own id."""
    kept: dict[str | None, list[Record]] = {}
    dropped = renamed = 0
    order: list[Record] = []
    for record in found:
        same = kept.setdefault(record.record_id, [])
        if record.record_id is not None and any(_said(r) == _said(record) for r in same):
            dropped += 1
            continue
        own = record
        if record.record_id is not None and same:
            own, renamed = replace(record, record_id=f"{record.record_id}#{len(same) + 1}"), renamed + 1
        same.append(own)
        order.append(own)
    said = (f"{dropped} records came twice, word for word; kept once",) if dropped else ()
    said += (f"{renamed} records share an id with another text; kept as ID#2, ID#3",) if renamed else ()
    return tuple(order), said


def _said(record: Record) -> tuple[str, tuple[str, ...]]:
    return record.title, tuple(b.text for b in record.blocks)
