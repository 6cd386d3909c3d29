"""Text -> sentences with the line each starts on, and windows of a sentence with its neighbours.

What this module does not know: patients, guidelines, file formats; tables and columns are read line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from llama_index.core.node_parser import SentenceWindowNodeParser
from llama_index.core.schema import Document

ABBREVIATIONS = frozenset(
    (
        *("approx", "ca", "cf", "dept", "dr", "e.g", "eg", "et", "al", "etc", "fig", "i.e", "ie", "incl", "m.d", "max"),
        *("min", "mr", "mrs", "ms", "no", "nr", "ph.d", "prof", "pt", "resp", "st", "vs"),
    )
)
"""Words after which a full stop ends no sentence (lower case, without their last stop)."""

_END = re.compile(
    r"[.!?][\"')\]]*(?:[ \t]?\[\d[\d,;\s–-]*\])*(?=\s)"  # a citation after the stop belongs to its sentence
    r"|(?<=[a-z)])\.\d{1,3}(?:[,–-]\d{1,3})*(?=\s+[A-Z])"  # "survival.12,13 Patients"
)
MAX_BRACKET = 200
"""A bracket open for longer than this many characters holds no sentence together."""

_LAST_WORD = re.compile(r"([A-Za-z][A-Za-z.]*)[.]$")
_OWN_LINE = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)]|[A-Z][A-Za-z /()-]{0,40}:)\s*")


@dataclass(frozen=True)
class Sentence:
    """One sentence, the 1-based line it starts on, and the window: itself between its neighbours."""

    text: str
    line: int
    window: str


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each sentence: ended by a stop, an empty line, or the next line being an item or a heading."""
    start = 0
    for end in sorted({m.end() for m in _END.finditer(text)} | {m.start() for m in re.finditer(r"\n", text)}):
        piece = text[start:end]
        if text[end : end + 1] == "\n":
            rest = text[end + 1 :].split("\n", 1)[0]
            whole_line = not rest.strip() or _OWN_LINE.match(rest) or _OWN_LINE.fullmatch(piece)
            if not (whole_line or _END.search(piece + " ") or piece.rstrip().endswith(":")):
                continue
        elif _is_abbreviation(piece) or _inside_brackets(text, start, end):
            continue
        yield start, end
        start = end
    yield start, len(text)


def _is_abbreviation(piece: str) -> bool:
    word = _LAST_WORD.search(piece)
    return word is not None and (word[1].lower() in ABBREVIATIONS or re.fullmatch(r"[A-Z]", word[1]) is not None)


def _inside_brackets(text: str, start: int, end: int) -> bool:
    """Whether a stop stands inside a citation such as "(Smith et al. J Clin Oncol. 2019)": open now, closed soon."""
    for left, right in ("()", "[]"):
        opened = text.rfind(left, start, end)
        if opened > text.rfind(right, start, end) and "\n" not in text[opened:end]:
            closed = text.find(right, end, opened + MAX_BRACKET)
            if closed > 0 and "\n" not in text[end:closed]:
                return True
    return False


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, in order, white space inside them made single; nothing but white space is lost."""
    pieces = (" ".join(text[a:b].split()) for a, b in _spans(text))
    return [p for p in pieces if p]


def _lines(text: str) -> list[int]:
    """The 1-based line on which each sentence of ``split_sentences`` starts."""
    found = []
    for start, end in _spans(text):
        piece = text[start:end]
        if piece.strip():
            found.append(text.count("\n", 0, start + len(piece) - len(piece.lstrip())) + 1)
    return found


def sentence_windows(text: str, *, neighbours: int = 1) -> tuple[Sentence, ...]:
    """Each sentence of ``text`` with ``neighbours`` sentences on either side, through LlamaIndex' window parser."""
    parser = SentenceWindowNodeParser.from_defaults(sentence_splitter=split_sentences, window_size=neighbours)
    nodes = parser.get_nodes_from_documents([Document(text=text)])
    kept = [node for node in nodes if node.get_content().strip()]
    pairs = zip(kept, _lines(text), strict=True)
    return tuple(Sentence(node.get_content(), line, str(node.metadata["window"])) for node, line in pairs)
