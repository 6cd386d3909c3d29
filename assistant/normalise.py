"""Normalise: a sentence -> tokens that compare equal when they mean the same.

Drugs become generics, genes become HGNC symbols, HGVS becomes one-letter form, numbers carry a unit in a base unit,
dates become ISO, words lose their ending. Evidence and claims pass the same function, so a form that is not
understood still compares with itself.

What this module does not know: what a token supports (grounding_evidence.py), which words are allowed
(grounding_words.py). Not handled: decimal commas ("12,4"), roman numerals outside stages, ambiguous dates
("03/04/2024" stays as written), numbers above twelve written as words.
"""

# ruff: noqa: E501  the tables below are easier to read unwrapped
from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from assistant.grounding_words import CANONICAL_WORDS, PHRASES, UNIT_WORDS
from retrieval.lexicon import canonical_drug, canonical_gene, drug_names


class TokenKind(StrEnum):
    """What a token is; only WORD tokens may be neutral."""

    WORD = "word"
    NUMBER = "number"
    DRUG = "drug"
    GENE = "gene"
    FUSION = "fusion"
    VARIANT = "variant"
    STAGE = "stage"
    DATE = "date"
    CODE = "code"  # PMID, NCT number
    BREAK = "break"  # clause boundary
    QUOTE = "quote"  # a field of the evidence, word for word


@dataclass(frozen=True)
class Number:
    """A number in its base unit ("mm", "mL", "month", "%", ...); ``decimals`` as written before conversion."""

    value: Decimal
    unit: str | None
    decimals: int
    factor: Decimal = Decimal(1)


@dataclass(frozen=True)
class Token:
    """``key`` is the normal form two tokens are compared by; ``surface`` what was written."""

    kind: TokenKind
    key: str
    surface: str
    number: Number | None = None


ALLOWED_SYMBOLS = set("–—−·×≥≤±μ°’‘“”‐‑≈…‹›→²³")
_ZERO_WIDTH = re.compile("[\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_DASHES = str.maketrans(dict.fromkeys("–—−‐‑", "-") | dict.fromkeys("’‘", "'") | dict.fromkeys("“”", '"') | {"·": "."})


def hidden_characters(text: str) -> str | None:
    """Why ``text`` cannot be compared safely: invisible characters or letters of another script; None when clean."""
    if found := _ZERO_WIDTH.search(text):
        return f"holds an invisible character (U+{ord(found[0]):04X})"
    for char in unicodedata.normalize("NFKC", text):
        if ord(char) < 128 or char in ALLOWED_SYMBOLS or char.isspace():
            if ord(char) < 32 and char not in "\n\t\r":
                return f"holds a control character (U+{ord(char):04X})"
            continue
        if not unicodedata.name(char, "").startswith("LATIN "):
            return f"holds the character {char!r} (U+{ord(char):04X}), which could imitate another"
        if "WITH" not in unicodedata.name(char, ""):
            return f"holds the letter {char!r} (U+{ord(char):04X}), which could imitate another"
    return None


def clean(text: str) -> str:
    """NFKC, plain dashes and quotes, single blanks; for comparing and for printing."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_DASHES).split())


_AA3 = {
    "Ala": "A", "Arg": "R", "Asn": "N", "Asp": "D", "Cys": "C", "Gln": "Q", "Glu": "E", "Gly": "G", "His": "H", "Ile": "I",
    "Leu": "L", "Lys": "K", "Met": "M", "Phe": "F", "Pro": "P", "Ser": "S", "Thr": "T", "Trp": "W", "Tyr": "Y", "Val": "V",
    "Ter": "*",
}  # fmt: skip
_AA = rf"(?:{'|'.join(_AA3)}|[ACDEFGHIKLMNPQRSTVWY])"
_END = (
    rf"(?:delins(?:{_AA})+|del(?:{_AA})*|ins(?:{_AA})+|dup|fs(?:\*|Ter|X)?\d*|(?:{_AA}|\*|X)(?:fs(?:\*|Ter|X)?\d*)?|=)"
)
_VARIANT = (
    rf"(?:p\.\s?\(?)?{_AA}\d+(?:_{_AA}\d+)?{_END}\)?(?![A-Za-z0-9])|p\.\S*[A-Za-z0-9*=]|[cgn]\.[\d*+\-][\w*+\->]*"
)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH = "(?:" + "|".join(f"{m}|{m[:3]}\\.?" if m != "may" else m for m in _MONTHS) + "|sept\\.?)"
_UNIT = "|".join(sorted((re.escape(u) for u in UNIT_WORDS), key=len, reverse=True))
_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_TOKEN = re.compile(
    rf"(?P<iso>\b\d{{4}}-\d{{2}}-\d{{2}}\b)"
    rf"|(?P<dmy>(?i:\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH},?\s+\d{{4}}\b))"
    rf"|(?P<mdy>(?i:\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}\b))"
    rf"|(?P<my>(?i:\b{_MONTH},?\s+\d{{4}}\b))"
    rf"|(?P<code>(?i:\bPMID:?\s*\d+\b)|\bNCT\d+\b)"
    rf"|(?P<stage>(?i:\bstages?)[\s-]+(?:I{{1,3}}V?|IV|i{{1,3}}v?|iv|[0-4]|one\b|two\b|three\b|four\b)[A-Da-d]?\d?(?![A-Za-z0-9]))"
    rf"|(?P<variant>(?<![A-Za-z0-9._]){_VARIANT})"
    r"|(?P<ident>(?<![\w-])(?!(?:ECOG|AJCC|WHO|UICC)-)[A-Z]{2,}[A-Z0-9]*(?:-[A-Z0-9]+)*-[A-Z]*\d[A-Z0-9]*(?![\w-]))"
    rf"|(?P<number>(?<![A-Za-z0-9.])(?:(?<!-)[-+])?{_NUMBER}(?:(?:st|nd|rd|th)(?![A-Za-z]))?"
    rf"(?:[\s-]?(?P<unit>(?i:{_UNIT}))(?![A-Za-z0-9/]))?)"
    rf"|(?P<break>[;:(),]|\.(?=\s|$)|!|\?|\s-+\s|\.{{3}})"
    rf"|(?P<op>[<>=≥≤±~≈×/+&*@#$^|\\→])"
    rf"|(?P<word>[^\W_]+(?:'[^\W\d_]+)?)",
)
_SPELLED = {w: str(i) for i, w in enumerate(
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"])}  # fmt: skip
_ORDINALS = {w: str(i) for i, w in enumerate(
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"], start=1)}  # fmt: skip
_ROMAN = {"0": "0", "1": "I", "2": "II", "3": "III", "4": "IV", "one": "I", "two": "II", "three": "III", "four": "IV"}


def one_letter_variant(text: str) -> str:
    """ "p.Leu858Arg", "Leu858Arg", "p.(L858R)" -> "L858R"; coding changes stay as written."""
    if re.match(r"[cgn]\.", text):
        return text
    bare = re.sub(r"^p\.\s?", "", text).strip("()")
    bare = re.sub("|".join(_AA3), lambda m: _AA3[m[0]], bare)
    bare = re.sub(r"(?<=\d)X\b", "*", bare)
    return re.sub(r"fs(?:\*|X)\d*$", "fs", bare)


def stem(word: str) -> str:
    """A crude English stem: plural, -ing, -ed, -ly and a final e go, doubled consonants become one."""
    if len(word) <= 4 or not word.isalpha():
        return word
    for ending, put in (
        ("ies", "y"),
        ("ied", "y"),
        ("sses", "ss"),
        ("ing", ""),
        ("edly", ""),
        ("ed", ""),
        ("ly", ""),
        ("s", ""),
    ):
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= 3
            and not (ending == "s" and word.endswith(("ss", "us", "is")))
        ):
            word = word[: len(word) - len(ending)] + put
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiousl":
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def word_key(word: str) -> str:
    """The normal form of one plain word."""
    lower = word.lower()
    lower = lower.removesuffix("'s").removesuffix("'")
    lower = CANONICAL_WORDS.get(lower, lower)
    return stem(lower)


@lru_cache(maxsize=4096)
def tokenise(text: str) -> tuple[Token, ...]:
    """Tokens of a cleaned text, clause breaks included."""
    text = _phrases(clean(text))
    tokens: list[Token] = []
    position = 0
    for start, end, drug in _drug_spans(text):
        tokens += _plain_tokens(text, position, start)
        tokens.append(Token(TokenKind.DRUG, f"drug:{drug}", text[start:end]))
        position = end
    tokens += _plain_tokens(text, position, len(text))
    return tuple(_with_shared_units(tokens))


def _phrases(text: str) -> str:
    for pattern, put in PHRASES:
        text = pattern.sub(put, text)
    return text


@lru_cache(maxsize=1)
def _drug_pattern() -> re.Pattern[str]:
    names = sorted((n for n in drug_names() if len(n) >= 3), key=len, reverse=True)
    return re.compile(rf"(?i)(?<![\w-])(?:{'|'.join(map(re.escape, names))})(?:'s)?(?![\w])")


def _drug_spans(text: str) -> list[tuple[int, int, str]]:
    return [
        (m.start(), m.end(), canonical_drug(m[0].removesuffix("'s")) or m[0]) for m in _drug_pattern().finditer(text)
    ]


_FUSION = re.compile(r"(?<![\w-])([A-Z0-9a-z]{2,12})\s?(?:-|::|/)\s?([A-Z0-9a-z]{2,12})(?![\w])")


def _plain_tokens(text: str, start: int, end: int) -> list[Token]:
    tokens: list[Token] = []
    position = start
    for match in _FUSION.finditer(text, start, end):
        first, second = canonical_gene(match[1]), canonical_gene(match[2])
        if not (first and second and match[1].isupper() and match[2].isupper()):
            continue
        tokens += _scan(text, position, match.start())
        tokens.append(Token(TokenKind.FUSION, f"fusion:{first}-{second}", match[0]))
        position = match.end()
    return tokens + _scan(text, position, end)


def _scan(text: str, start: int, end: int) -> list[Token]:
    return [token for match in _TOKEN.finditer(text, start, end) if (token := _token(match)) is not None]


def _token(match: re.Match[str]) -> Token | None:  # noqa: PLR0911  one return a kind
    kind, text = match.lastgroup, match[0]
    if match["number"] is not None:
        return _number(text, match["unit"])
    if kind == "break":
        return Token(TokenKind.BREAK, text.strip()[:1], text)
    if kind in ("iso", "dmy", "mdy", "my"):
        return Token(TokenKind.DATE, f"date:{_iso(kind, text)}", text)
    if kind == "code":
        return Token(TokenKind.CODE, re.sub(r"[\s:]", "", text).upper(), text)
    if kind == "stage":
        return Token(TokenKind.STAGE, f"stage:{_stage(text)}", text)
    if kind == "variant":
        return Token(TokenKind.VARIANT, f"variant:{one_letter_variant(text)}", text)
    if kind == "op":
        return Token(TokenKind.WORD, f"op:{text}", text)
    if kind == "ident":
        return _identifier(text)
    return _word(text)


def _identifier(text: str) -> Token:
    gene = canonical_gene(text)
    return Token(TokenKind.GENE, f"gene:{gene}", text) if gene else Token(TokenKind.WORD, text.lower(), text)


def _word(text: str) -> Token:
    lower = text.lower()
    if lower in _SPELLED:
        return _number(_SPELLED[lower], None, surface=text)
    if lower in _ORDINALS:
        return _number(_ORDINALS[lower] + "th", None, surface=text)
    if (text.isupper() or any(c.isdigit() for c in text)) and (gene := canonical_gene(text)):
        return Token(TokenKind.GENE, f"gene:{gene}", text)
    return Token(TokenKind.WORD, word_key(text), text)


def _number(text: str, unit: str | None, *, surface: str | None = None) -> Token:
    ordinal = re.search(r"\d(?:st|nd|rd|th)\b", text) is not None
    digits = re.match(rf"[-+]?{_NUMBER}", text)
    plain = (digits[0] if digits else text).replace(",", "")
    if unit is None and re.fullmatch(r"0\d+", plain):  # "CheckMate 025" names a trial, it counts nothing
        return Token(TokenKind.WORD, plain, text)
    decimals = len(plain.partition(".")[2])
    value = Decimal(plain)
    base, factor = UNIT_WORDS[unit.lower()] if unit else (None, "1")
    if ordinal and base is None:
        base = "ordinal"
    number = Number(value * Decimal(factor), base, decimals, Decimal(factor))
    key = f"number:{(value * Decimal(factor)).normalize()}:{base or ''}"
    return Token(TokenKind.NUMBER, key, surface or text, number)


def _iso(kind: str, text: str) -> str:
    if kind == "iso":
        return text
    parts = re.findall(r"[A-Za-z]+|\d+", re.sub(r"(?i)(\d)(st|nd|rd|th)\b|\bof\b", r"\1", text))
    name = next(p for p in parts if p.isalpha())
    month = next(i for i, m in enumerate(_MONTHS, start=1) if m.startswith(name.lower()[:3]))
    digits = [p for p in parts if p.isdigit()]
    if kind == "my":
        return f"{digits[0]}-{month:02d}"
    day, year = digits
    return f"{year}-{month:02d}-{int(day):02d}"


def _stage(text: str) -> str:
    body = re.sub(r"(?i)^stages?[\s-]+", "", text).lower()
    for word in ("one", "two", "three", "four"):
        if body.startswith(word):
            return _ROMAN[word] + body[len(word) :].upper()
    return (_ROMAN[body[0]] + body[1:] if body[0].isdigit() else body).upper()


def _with_shared_units(tokens: list[Token]) -> list[Token]:
    """ "61 to 83 %": the first number takes the unit of the second, as a reader does."""
    joins = {"to", "and", "x", "or", "by", "op:×", "op:/"}
    for i in range(len(tokens) - 3, -1, -1):
        first, middle, last = tokens[i : i + 3]
        if first.number is None or last.number is None or first.number.unit or not last.number.unit:
            continue
        if middle.key in joins and last.number.unit not in ("ordinal",):
            shared = last.number
            number = Number(first.number.value * shared.factor, shared.unit, first.number.decimals, shared.factor)
            key = f"number:{number.value.normalize()}:{number.unit}"
            tokens[i] = Token(TokenKind.NUMBER, key, first.surface, number)
    return tokens
