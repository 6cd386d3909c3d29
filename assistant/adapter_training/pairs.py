"""Training pairs on disk, a form that any site can add its own to.

A folder of three files:

``pairs.jsonl``
    One object a line. ``id`` (unique), ``case`` (pairs of one case are trained on or held out together), ``stage``
    ("align" or "instruct"), ``messages`` ([{"role": "user", "content": [{"text": ...}, {"soft": "imaging"}, ...]}];
    content parts are joined by one line break), ``answer``, ``embeddings`` ({"imaging": ID}, one for each soft part).
    Optional: ``told`` (words of the answer that only soft tokens can tell), ``findings`` ({"imaging": {"margin":
    "smooth"}}, what those tokens hold).
``embeddings.safetensors``
    ID -> (K, D) float, K >= 1 rows; D is one width for each modality.
``card.json``
    ``form`` 1, ``encoder_hash`` of the encoder that made the embeddings, how the pairs were made.

Not checked: whether an answer is true, or whether the embeddings really come from the encoder the card names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from assistant.llm.huggingface import SOFT_MARK
from assistant.llm.soft_tokens import file_sha256
from encoders.atomic_write import write_atomically
from encoders.errors import InputError

PAIRS_FILE, EMBEDDINGS_FILE, CARD_FILE = "pairs.jsonl", "embeddings.safetensors", "card.json"
FORM = 1
STAGES = ("align", "instruct")
HELD_OUT_SHARE = 0.1
_SHOWN = 5


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str | None = None
    soft: str | None = None


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "user", "assistant"]
    content: list[_Part] = Field(min_length=1)


class _Row(BaseModel):
    """The form of one line; what needs the embeddings is checked in ``_checked``."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(min_length=1)
    case: str = Field(min_length=1)
    stage: Literal["align", "instruct"]
    messages: list[_Message] = Field(min_length=1)
    answer: str = Field(min_length=1)
    embeddings: dict[str, str]
    told: list[str] = []
    findings: dict[str, dict[str, str]] = {}


@dataclass(frozen=True)
class TrainingPair:
    """One line of ``pairs.jsonl``. messages : (role, parts), a part being ("text", words) or ("soft", modality)."""

    id: str
    case: str
    stage: str
    messages: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    answer: str
    embeddings: Mapping[str, str]
    told: tuple[str, ...] = ()
    findings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def modalities(self) -> tuple[str, ...]:
        """Modality of each soft part, in order."""
        return tuple(value for _, parts in self.messages for kind, value in parts if kind == "soft")

    def turns(self) -> list[tuple[str, str]]:
        """(role, text) with SOFT_MARK where soft tokens stand, as ``HuggingFaceModel.render`` writes them."""
        return [
            (role, "\n".join(SOFT_MARK if kind == "soft" else value for kind, value in parts))
            for role, parts in self.messages
        ]


@dataclass(frozen=True)
class PairSet:
    """All pairs of a folder. rows : embedding id -> (K, D) float32; widths : modality -> D; hash : of both files."""

    pairs: tuple[TrainingPair, ...]
    rows: Mapping[str, NDArray[np.float32]]
    widths: Mapping[str, int]
    encoder_hash: str
    hash: str

    def of_stage(self, stage: str, *, held_out: bool) -> tuple[TrainingPair, ...]:
        """Pairs of one stage; a case is held out by its name alone, so that adding pairs moves none."""
        return tuple(p for p in self.pairs if p.stage == stage and is_held_out(p.case) == held_out)


def is_held_out(case: str) -> bool:
    """Whether a case is kept from training: its name's SHA-256 falls in the first ``HELD_OUT_SHARE``."""
    return int(hashlib.sha256(case.encode()).hexdigest()[:8], 16) / 0x1_0000_0000 < HELD_OUT_SHARE


# ---- writing ------------------------------------------------------------------------------------------------------


def write_pairs(
    folder: Path,
    pairs: Iterable[TrainingPair],
    rows: Mapping[str, NDArray[np.float32]],
    encoder_hash: str,
    card: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the three files, the card last; returns the card."""
    listed = list(pairs)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / PAIRS_FILE, "".join(json.dumps(_line(p), ensure_ascii=False) + "\n" for p in listed))
    write_atomically(folder / EMBEDDINGS_FILE, save({k: np.ascontiguousarray(v) for k, v in rows.items()}))
    counts = {stage: sum(p.stage == stage for p in listed) for stage in STAGES}
    full = {"form": FORM, "encoder_hash": encoder_hash, "pairs": counts, **(card or {})}
    write_atomically(folder / CARD_FILE, json.dumps(full, indent=1) + "\n")
    return full


def _line(pair: TrainingPair) -> dict[str, Any]:
    messages = [{"role": role, "content": [{kind: value} for kind, value in parts]} for role, parts in pair.messages]
    return {**asdict(pair), "messages": messages, "told": list(pair.told)}


# ---- reading ------------------------------------------------------------------------------------------------------


def read_pairs(folder: Path) -> PairSet:
    """Read and check a folder of pairs.

    Raises
    ------
    InputError: a file is missing or is not what it should be, or rows are bad; the first of them are named by line
    and id, with what is wrong and how many there are.
    """
    for name in (PAIRS_FILE, EMBEDDINGS_FILE, CARD_FILE):
        if not (folder / name).is_file():
            raise InputError(f"{folder.name} has no {name}; write pairs with `radomica train pairs --out DIR`.")
    card = _read_card(folder / CARD_FILE)
    try:
        rows = {k: np.asarray(v, np.float32) for k, v in load_file(folder / EMBEDDINGS_FILE).items()}
    except SafetensorError as error:
        raise InputError(f"{EMBEDDINGS_FILE} in {folder.name} is not a safetensors file: {error}.") from error
    pairs, wrong, widths, seen = [], [], {}, set()
    for number, text in enumerate((folder / PAIRS_FILE).read_text(encoding="utf-8").splitlines(), 1):
        if not text.strip():
            continue
        try:
            pair = _checked(_Row.model_validate_json(text), rows, widths)
            if pair.id in seen:
                raise InputError(f"the id {pair.id!r} is used twice; ids are unique")
        except (ValidationError, InputError) as error:
            wrong.append(f"line {number}: {_reason(error)}")
            continue
        seen.add(pair.id)
        pairs.append(pair)
    if wrong:
        more = f"; {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise InputError(f"{PAIRS_FILE} in {folder.name} has {len(wrong)} bad rows: {'; '.join(wrong[:_SHOWN])}{more}.")
    if not pairs:
        raise InputError(f"{PAIRS_FILE} in {folder.name} holds no pair; write some with `radomica train pairs`.")
    both = file_sha256(folder / PAIRS_FILE) + file_sha256(folder / EMBEDDINGS_FILE)
    digest = hashlib.sha256(both.encode()).hexdigest()
    return PairSet(tuple(pairs), rows, widths, card["encoder_hash"], digest)


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{CARD_FILE} of the pairs is not JSON: {error}.") from error
    if not isinstance(card, dict) or card.get("form") != FORM or not isinstance(card.get("encoder_hash"), str):
        form = card.get("form") if isinstance(card, dict) else None
        raise InputError(f"{CARD_FILE} of the pairs has form {form!r}; it needs form {FORM} and an encoder_hash.")
    return card


def _reason(error: ValidationError | InputError) -> str:
    if isinstance(error, InputError):
        return str(error)
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(str(p) for p in first['loc']) or 'row'}: {first['msg']}"


def _checked(row: _Row, rows: Mapping[str, NDArray[np.float32]], widths: dict[str, int]) -> TrainingPair:
    messages = tuple((m.role, tuple(_part(row.id, p) for p in m.content)) for m in row.messages)
    if row.messages[-1].role != "user":
        raise InputError(f"{row.id} ends with a {row.messages[-1].role} message; the last one must be the user's")
    pair = TrainingPair(
        row.id, row.case, row.stage, messages, row.answer, row.embeddings, tuple(row.told), row.findings
    )
    soft = pair.modalities()
    if sorted(soft) != sorted(row.embeddings):
        raise InputError(f"{row.id} has soft parts {sorted(soft)} and embeddings {sorted(row.embeddings)}; they differ")
    for modality, key in row.embeddings.items():
        _check_rows(row.id, modality, key, rows.get(key), widths)
    absent = [word for word in row.told if word.lower() not in row.answer.lower()]
    if absent:
        raise InputError(f"{row.id} says its answer is told {absent}, which it does not hold")
    return pair


def _part(row_id: str, part: _Part) -> tuple[str, str]:
    if (part.text is None) == (part.soft is None):
        raise InputError(f'{row_id} has a content part that is not either {{"text": ...}} or {{"soft": ...}}')
    if part.soft is not None:
        return "soft", part.soft
    if SOFT_MARK in str(part.text):
        raise InputError(f"{row_id} holds the character U+E000, which marks soft tokens; take it out")
    return "text", str(part.text)


def _check_rows(
    row_id: str, modality: str, key: str, found: NDArray[np.float32] | None, widths: dict[str, int]
) -> None:
    if found is None:
        raise InputError(f"{row_id} names the embedding {key!r}, which {EMBEDDINGS_FILE} does not hold")
    if found.ndim != 2 or not len(found) or not np.isfinite(found).all():
        raise InputError(f"{row_id}: embedding {key!r} has shape {found.shape}; the rule is (K >= 1, D), all finite")
    width = widths.setdefault(modality, found.shape[1])
    if found.shape[1] != width:
        raise InputError(f"{row_id}: embedding {key!r} has width {found.shape[1]}, others of {modality} have {width}")


def sample_order(pairs: Sequence[TrainingPair], seed: int, epoch: int) -> list[int]:
    """A permutation that depends on nothing but its arguments, so that a resumed run draws what it would have drawn."""
    key = np.random.SeedSequence([seed, epoch, len(pairs)])
    return np.random.default_rng(key).permutation(len(pairs)).tolist()
