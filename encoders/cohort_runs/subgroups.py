"""Does a model serve every group of patients alike: concordance and calibration by sex, age band, ancestry, stage.

Concordance counts pairs of patients of the same fold, so that scores of different fits are never compared. Intervals
draw patients anew, the group's and the rest's apart. What this module does not know: models. Not checked: several
groups are looked at, so that one gap in twenty lies outside its interval by chance alone.

References
----------
Harrell et al., Stat Med 1996, 10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4 (pairs); Mitchell et
al., Model Cards, FAT* 2019, arXiv 1810.03993 (figures by group).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from encoders.cohort_models.kernels import Array
from encoders.cohorts.cohort import Cohort, ColumnType
from encoders.errors import SettingsError

AGE_BANDS: tuple[tuple[float, str], ...] = ((50, "under 50"), (65, "50-64"), (75, "65-74"), (np.inf, "75 and over"))
"""Upper end in years, not included, and name."""
LEAST_EVENTS = 10
"""A group with fewer events (of a label: fewer of the rarer class) gets no figure."""
MOST_WORDS = 12
"""A column of more words is no grouping."""
REPEATS = 400
TIED = 1e-8
NAMES: Mapping[str, re.Pattern[str]] = {
    "sex": re.compile(r"(^|[._ ])(sex|gender)($|[._ ])", re.IGNORECASE),
    "ancestry": re.compile(r"(^|[._ ])(race|ancestry|ethnicity|ethnic)($|[._ ])", re.IGNORECASE),
    "stage": re.compile(r"(^|[._ ])stage($|[._ ])", re.IGNORECASE),
}
_AGE = re.compile(r"(^|[._ ])age($|[._ ])", re.IGNORECASE)
_STAGE = re.compile(r"^(?:stage\s*)?(0|IV|I{1,3})(?:[ABC]\d?)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Grouping:
    """Words of the patients by one column; column : where they stand; patients without a word are in no group."""

    name: str
    column: str
    words: pd.Series


@dataclass(frozen=True)
class HeldOut:
    """Held-out predictions to be looked at by group, one row a patient and fold; all (N,).

    expected : cumulative hazard at the last follow-up, or the probability of the label; None = not known
    """

    patient_id: NDArray[np.str_]
    fold: NDArray[np.str_]
    score: Array
    months: Array
    event: NDArray[np.bool_]
    expected: Array | None
    is_survival: bool


@dataclass(frozen=True)
class SubgroupRow:
    """One group; figure is C-index or AUC, gap : the group's less the rest's; None with ``why`` = not estimated."""

    grouping: str
    column: str
    word: str
    n: int
    events: int
    figure: float | None = None
    interval: tuple[float, float] | None = None
    observed_over_expected: float | None = None
    observed_over_expected_interval: tuple[float, float] | None = None
    gap: float | None = None
    gap_interval: tuple[float, float] | None = None
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def groupings_of(cohort: Cohort, extra: Sequence[str] = ()) -> tuple[tuple[Grouping, ...], tuple[str, ...]]:
    """Columns that group the patients, found by name among clinical columns and labels; and what was passed over, why.

    extra : further columns, asked for by name

    Raises
    ------
    SettingsError: a column of ``extra`` that is not there or holds too many words.
    """
    columns = {**{c: cohort.clinical[c] for c in cohort.columns}, **{str(c): cohort.labels[c] for c in cohort.labels}}
    found, passed = [], []
    for column, values in columns.items():
        spec = cohort.columns.get(column)
        if _AGE.search(column) and spec is not None and spec.type is ColumnType.NUMBER:
            if spec.unit == "years":
                found.append(Grouping("age band", column, _age_band(values)))
            else:
                passed.append(f"{column}: its unit is {spec.unit or 'not stated'}, years are needed")
            continue
        for name, pattern in NAMES.items():
            if column not in extra and pattern.search(column):
                words = values.dropna().astype(str)
                words = _stage_group(words) if name == "stage" else words
                if 2 <= words.nunique() <= MOST_WORDS:
                    found.append(Grouping(name, column, words))
                else:
                    passed.append(f"{column}: {words.nunique()} different words; 2 to {MOST_WORDS} are a grouping")
    for column in extra:
        if column not in columns:
            raise SettingsError(f"no column {column!r} to group by; the cohort has {', '.join(columns) or 'none'}.")
        words = columns[column].dropna().astype(str)
        if words.nunique() > MOST_WORDS:
            raise SettingsError(
                f"column {column} has {words.nunique()} different values; at most {MOST_WORDS} can group."
            )
        found.append(Grouping(column, column, words))
    return tuple(found), tuple(passed)


def _age_band(years: pd.Series) -> pd.Series:
    known = pd.to_numeric(years, errors="coerce").dropna()
    ends = [-np.inf, *(end for end, _ in AGE_BANDS)]
    return pd.cut(known, ends, right=False, labels=[name for _, name in AGE_BANDS]).astype(str)


def _rank(word: str) -> tuple[int, str]:
    """Age bands by age, other words by letter."""
    bands = [name for _, name in AGE_BANDS]
    return (bands.index(word) if word in bands else len(bands), word)


def _stage_group(words: pd.Series) -> pd.Series:
    """Stage IIA -> II; any other word stays."""
    return words.map(lambda w: m.group(1).upper() if (m := _STAGE.match(w.strip())) else w.strip())


def subgroup_table(held: HeldOut, groupings: Sequence[Grouping], *, seed: int = 0) -> tuple[SubgroupRow, ...]:
    """One row a group, in the order of the words."""
    pairs = _Pairs(held)
    rows = []
    for grouping in groupings:
        word = pd.Series(held.patient_id).map(grouping.words).to_numpy(object)
        known = np.array([isinstance(w, str) for w in word])
        for one in sorted(set(word[known]), key=_rank):
            inside = known & (word == one)
            rows.append(_row(held, pairs, grouping, str(one), inside, known & ~inside, seed))
    return tuple(rows)


class _Pairs:
    """Comparable pairs of each fold and whether their scores stand in the right order (1, tied 0.5, else 0)."""

    def __init__(self, held: HeldOut) -> None:
        self.folds = [np.flatnonzero(held.fold == fold) for fold in dict.fromkeys(held.fold)]
        self._tables = []
        for index in self.folds:
            t, e, s = held.months[index], held.event[index], held.score[index]
            if held.is_survival:
                later = (t[:, None] < t[None, :]) | ((t[:, None] == t[None, :]) & ~e[None, :])
                comparable = e[:, None] & later
            else:
                comparable = e[:, None] & ~e[None, :]
            gap = s[:, None] - s[None, :]
            right = np.where(np.abs(gap) <= TIED, 0.5, gap > 0)
            self._tables.append((comparable.astype(np.float32), (comparable * right).astype(np.float32)))

    def figure(self, times: Array) -> float:
        """Share of pairs in the right order when every row counts ``times`` (N,) often; NaN without a pair."""
        total = good = 0.0
        for index, (comparable, right) in zip(self.folds, self._tables, strict=True):
            w = times[index].astype(np.float32)
            total, good = total + float(w @ comparable @ w), good + float(w @ right @ w)
        return good / total if total else float("nan")


def _row(
    held: HeldOut,
    pairs: _Pairs,
    grouping: Grouping,
    word: str,
    inside: NDArray[np.bool_],
    rest: NDArray[np.bool_],
    seed: int,
) -> SubgroupRow:
    ids, first = np.unique(held.patient_id[inside], return_index=True)
    events = int(held.event[inside][first].sum())
    row = SubgroupRow(grouping.name, grouping.column, word, len(ids), events)
    if _fewest(held, inside) < LEAST_EVENTS:
        return _with(row, why=f"too few: under {LEAST_EVENTS} {'events' if held.is_survival else 'of the rarer class'}")
    rng = np.random.default_rng(seed)
    draws = [(_drawn(held, inside, rng), _drawn(held, rest, rng)) for _ in range(REPEATS)]
    figure = pairs.figure(inside.astype(np.float64))
    if not np.isfinite(figure):
        return _with(row, why="no two patients of one fold can be compared")
    own = np.array([pairs.figure(a) for a, _ in draws])
    row = _with(row, figure=figure, interval=_interval(own))
    if held.expected is not None:
        ratios = np.array([_ratio(held, a) for a, _ in draws])
        row = _with(
            row,
            observed_over_expected=_ratio(held, inside.astype(np.float64)),
            observed_over_expected_interval=_interval(ratios),
        )
    if _fewest(held, rest) < LEAST_EVENTS:
        return _with(row, why="the rest is too few for a gap")
    others = np.array([pairs.figure(b) for _, b in draws])
    gap = figure - pairs.figure(rest.astype(np.float64))
    return _with(row, gap=gap, gap_interval=_interval(own - others))


def _with(row: SubgroupRow, **changes: Any) -> SubgroupRow:
    return SubgroupRow(**{**asdict(row), **changes})


def _fewest(held: HeldOut, members: NDArray[np.bool_]) -> int:
    _, first = np.unique(held.patient_id[members], return_index=True)
    event = held.event[members][first]
    return int(event.sum()) if held.is_survival else int(min(event.sum(), (~event).sum()))


def _drawn(held: HeldOut, members: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """(N,) how often each row counts when the patients among ``members`` are drawn anew; all folds of one together."""
    ids, of = np.unique(held.patient_id[members], return_inverse=True)
    times = np.zeros(len(held.patient_id))
    if len(ids):
        times[members] = rng.multinomial(len(ids), np.full(len(ids), 1 / len(ids)))[of]
    return times


def _ratio(held: HeldOut, times: Array) -> float:
    expected = float(times @ held.expected) if held.expected is not None else 0.0
    return float(times @ held.event) / expected if expected > 0 else float("nan")


def _interval(values: Array) -> tuple[float, float] | None:
    """95 % of the draws that gave a figure; None where fewer than nine in ten did."""
    told = values[np.isfinite(values)]
    if len(told) < 0.9 * len(values):
        return None
    low, high = np.quantile(told, [0.025, 0.975])
    return float(low), float(high)
