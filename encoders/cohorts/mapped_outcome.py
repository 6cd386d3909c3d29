"""A survival endpoint from the columns a mapping names: the direction is said, what is left out is counted.

What this module does not know: other endpoints, blocks, folds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from encoders.cohorts.cohort import DAYS_PER_MONTH, Endpoint, ImportNote
from encoders.cohorts.mapping import OutcomeMap, TableMap
from encoders.cohorts.raw_table import RawTable
from encoders.cohorts.table_cells import number_cells, refuse_cells, text_cells
from encoders.errors import InputError

MONTHS_PER = {"days": 1 / DAYS_PER_MONTH, "weeks": 7 / DAYS_PER_MONTH, "months": 1.0, "years": 12.0}


def mapped_endpoint(
    raw: RawTable, rule: OutcomeMap, ids: Sequence[str], table: TableMap
) -> tuple[Endpoint, list[ImportNote]]:
    """The patients with a known event and time; the others are counted with the reason."""
    status = text_cells(raw, rule.event, table)
    allowed = (*rule.event_values, *rule.censored_values, *rule.unknown_values)
    refuse_cells(raw, rule.event, status, status.notna() & ~status.isin(allowed), f"allowed: {', '.join(allowed)}")
    event = status.isin(rule.event_values).to_numpy(dtype=bool)
    known = (status.notna() & ~status.isin(rule.unknown_values)).to_numpy(dtype=bool)
    if rule.time is not None:
        time = number_cells(raw, rule.time, text_cells(raw, rule.time, table))
        how = rule.time
    else:
        of_event = number_cells(raw, rule.time_event, text_cells(raw, rule.time_event, table))
        time = np.where(
            event, of_event, number_cells(raw, rule.time_censored, text_cells(raw, rule.time_censored, table))
        )
        how = f"{rule.time_event} (event) or {rule.time_censored} (censored)"
    negative = known & (time < 0)
    where = f"{raw.where}, endpoint {rule.endpoint}"
    if negative.any() and rule.negative_time == "refuse":
        row = int(np.flatnonzero(negative)[0])
        raise InputError(
            f"{where}: patient {ids[row]} has {time[row]:g} {rule.time_unit} ({int(negative.sum())} below 0); "
            'it cannot be negative. Correct it, or say negative_time = "leave out" in the mapping.'
        )
    reasons = {
        "patients have no known status and were left out": ~known,
        "patients have no follow-up time and were left out": known & np.isnan(time),
        "patients have a negative follow-up time and were left out": negative,
    }
    notes = [
        ImportNote("skipped", where, what, int(m.sum()), tuple(p for p, x in zip(ids, m, strict=True) if x))
        for what, m in reasons.items()
        if m.any()
    ]
    notes += _doubtful_direction(rule, where, event)
    keep = known & np.isfinite(time) & ~negative
    if not keep.any():
        raise InputError(f"{where}: no patient has both a status and a follow-up time; check the columns and codes.")
    source = f"{how} in {rule.time_unit}; {rule.event}: event = {'/'.join(rule.event_values)}"
    kept = tuple(p for p, x in zip(ids, keep, strict=True) if x)
    return Endpoint(rule.endpoint, kept, time[keep] * MONTHS_PER[rule.time_unit], event[keep], source), notes


def _doubtful_direction(rule: OutcomeMap, where: str, event: np.ndarray) -> list[ImportNote]:
    """A column named after censoring whose 1 is read as the event, or after the event whose 0 is."""
    name = rule.event.lower()
    said = {value.removesuffix(".0") for value in rule.event_values}
    if not ("1" in said and "censor" in name) and not (
        "0" in said and any(word in name for word in ("dead", "death", "died", "event", "deceased"))
    ):
        return []
    what = (
        f"patients have the event by the mapping, though column {rule.event!r} sounds the other way "
        f"(event_values = {', '.join(rule.event_values)}); check the direction"
    )
    return [ImportNote("warning", where, what, int(event.sum()))]
