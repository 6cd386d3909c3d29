"""Number, size and side of lesions, and measurable disease: what a note says against what is outlined and measured.

Lesions change, so a note and a scan are compared only where both may be of one time: at most ``TIME_POINT_DAYS``
apart, or one of them undated. Outlines that software proposed are not compared, and neither are lesions of another
organ than the primary's. The side of an outlined lesion is taken only from a CT in Hounsfield units read from DICOM,
nearly axial, whose slice holds the body from side to side.

What this module does not know: whether every lesion was outlined (that is what a disagreement in number may mean),
which lesion of several a note means, sizes along the patient's axis (diameters are in the slice).

References
----------
Yoon et al., Eur J Cancer 2016, 10.1016/j.ejca.2015.10.014: two readers' diameters of one lesion differ by -22.1 to
+25.4 % (95 % limits of agreement; confidence interval of the upper one to 33.5 %). Eisenhauer et al., Eur J Cancer
2009, 10.1016/j.ejca.2008.10.026 (RECIST 1.1): a change counts from 5 mm on.
"""

# ruff: noqa: E501  a pattern reads better unwrapped
from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np

from assistant.contradictions_person import stated_side
from assistant.contradictions_scope import Case, Clause, Disagreement, placed, stated_on
from assistant.contradictions_tumour import of_another_organ
from encoders.body_region import find_region, overlapping, regions_in_words
from encoders.lesion_choice import lesions
from encoders.patient import ImagingSeries, IntensityUnit, Note
from encoders.prediction import Measurement
from encoders.series_choice import TIME_POINT_DAYS

RELATIVE_TOLERANCE = 0.335
"""Of the mean of two diameters: the upper confidence bound of two readers' limits of agreement (Yoon 2016)."""
LEAST_DIFFERENCE_MM = 5.0
"""RECIST 1.1 calls no smaller change one."""
LEAST_OFF_MIDLINE_MM = 25.0
LEAST_BODY_WIDTH_MM = 200.0
BODY_HU = -300.0
"""Above this is tissue; below, air and lung."""

_NOUN = r"(lesions?|nodules?|mass(?:es)?|metastas[ei]s|tumou?rs?|foci)"
_COUNTS = {
    w: n for n, w in enumerate(("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), start=2)
}
_SINGLE = ("solitary", "single", "only one", "isolated", "one single")
_SEVERAL = ("multiple", "several", "numerous", "innumerable", "many")
_NUMBER = re.compile(
    rf"(?i)(?<![\w.])({'|'.join((*_COUNTS, *_SINGLE, *_SEVERAL))}|[2-9]|1\d)\s+(?!(?:mm|cm|x|%)\b)"
    rf"((?:(?!mm\b|cm\b)[a-z-]+\s+){{0,3}}?){_NOUN}\b"
)
_PART = re.compile(
    r"(?i)\b(?:target|index|new|additional|further|other|more|largest|larger|dominant|benign|cystic|skin|calcified)\b"
)
_LENGTH = r"\d+(?:\.\d+)?"
_SIZE = re.compile(
    rf"(?i)\b(?:lesion|mass|tumou?r|nodule)\b[^.;]{{0,30}}?\b((?:{_LENGTH}\s?(?:mm|cm)?\s?(?:x|×|by)\s?){{0,2}}{_LENGTH})\s?(mm|cm)\b"
)
_SIZED = re.compile(
    rf"(?i)(?<![\w.])((?:{_LENGTH}\s?(?:mm|cm)?\s?(?:x|×|by)\s?){{0,2}}{_LENGTH})[\s-]?(mm|cm)\s+(?:[a-z-]+\s+){{0,4}}?(?:lesion|mass|tumou?r|nodule)\b"
)
_NO_DIAMETER = re.compile(
    r"(?i)margin|distance|from the|away|depth|deep|invasi|slice|thick|interval|node\b|nodal|cyst|thromb|\bby \d|resect|"
    r"biops|fragment|incision|short axis|increase of|decrease of"
)
_UNMEASURABLE = re.compile(
    r"(?i)\b(?:no measurable (?:disease|lesions?)|non-?measurable disease|"
    r"(?:no|without)(?: any)?(?: \w+)? evidence of (?:[a-z]+ or |residual |active )*(?:measurable )?disease|without measurable disease|disease[- ]free|(?-i:NED)|complete (?:remission|response))\b"
    r"(?!\s+(?:progress|recur))"
)


def same_time(one: str | None, other: str | None) -> bool:
    """Whether two ISO dates may be of one time point; True where either is unknown or no full date."""
    try:
        days = (datetime.date.fromisoformat(one or "") - datetime.date.fromisoformat(other or "")).days
    except ValueError:
        return True
    return abs(days) <= TIME_POINT_DAYS


def _comparable(case: Case, clause: Clause, note: Note) -> tuple[tuple[Measurement, ImagingSeries], ...]:
    """The confirmed lesions of no superseded study that may be of the clause's time and place."""
    if of_another_organ(clause.text, case.patient):
        return ()
    stated, wanted = stated_on(clause, note), regions_in_words(clause.text)
    by_uid = {s.series_uid: s for s in case.patient.imaging}
    found = []
    for measured in case.prediction.measurements:
        series = by_uid.get(measured.series_uid)
        if series is None or measured.prior or measured.proposed or not same_time(stated, measured.date):
            continue
        shown = find_region(series).regions
        if not wanted or not shown or overlapping(wanted, shown):
            found.append((measured, series))
    return tuple(found)


def find_number(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """Another number of lesions than are outlined in every comparable series."""
    match = _NUMBER.search(clause.text)
    if match is None or not clause.is_stated or clause.denied:
        return
    if _PART.search(match[0]) or _PART.search(clause.text[max(0, match.start() - 12) : match.start()]):
        return
    known = _comparable(case, clause, note)
    counts = Counter(measured.series_uid for measured, _ in known)
    if not counts or _number_holds(match[1].lower(), match[3].lower(), tuple(counts.values())):
        return
    series = next(s for _, s in known if s.series_uid == max(counts, key=lambda uid: counts[uid]))
    outlined = counts[series.series_uid]
    other = f"{_named(series)} has {outlined} outlined lesion{'s' * (outlined > 1)}"
    yield Disagreement(
        "lesion_number",
        "the number of lesions",
        f"{match[1].lower()} {match[3].lower()}",
        other,
        series.source,
        "images",
    )


def _number_holds(word: str, noun: str, counts: tuple[int, ...]) -> bool:
    if word in _SINGLE:
        return noun.startswith("metasta") or 1 in counts  # a single metastasis stands beside its primary
    if word in _SEVERAL:
        return max(counts) > 1
    said = _COUNTS.get(word) or int(word)
    return max(counts) > said if noun.startswith("metasta") else said in counts


def _named(series: ImagingSeries) -> str:
    role = series.role or series.modality.value
    return placed(f"the {role}" + (f" of {series.date}" if series.date else ""), series.source)


def find_size(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """A lesion's size that is no measured lesion's, by more than two readers differ."""
    match = _SIZED.search(clause.text) or _SIZE.search(clause.text)
    if match is None or not clause.is_stated or clause.denied or _NO_DIAMETER.search(clause.text):
        return
    factor = 10 if match[2].lower() == "cm" else 1
    said_mm = max(float(n) for n in re.findall(_LENGTH, match[1])) * factor
    known = _comparable(case, clause, note)
    if known and all(differ(said_mm, m.longest_axial_diameter_mm) for m, _ in known):
        first = known[0][1]
        measured = ", ".join(dict.fromkeys(f"{m.longest_axial_diameter_mm:.0f} mm" for m, _ in known))
        other = f"{_named(first)} measures {measured}"
        yield Disagreement("lesion", "the lesion size", f"{match[1]} {match[2].lower()}", other, first.source, "images")


def differ(one_mm: float, other_mm: float) -> bool:
    """Whether two diameters differ by more than two readers' do."""
    gap = abs(one_mm - other_mm)
    return gap > LEAST_DIFFERENCE_MM and gap > RELATIVE_TOLERANCE * (one_mm + other_mm) / 2


def find_measurable(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """ "No measurable disease" where a lesion that RECIST 1.1 calls measurable is outlined."""
    match = _UNMEASURABLE.search(clause.text)
    if match is None or not clause.is_stated:
        return
    measurable = [(m, s) for m, s in _comparable(case, clause, note) if m.not_measurable is None]
    if measurable:
        measured, series = measurable[0]
        other = f"{_named(series)} has a measurable lesion of {measured.longest_axial_diameter_mm:.0f} mm"
        said = " ".join(match[0].lower().split())
        yield Disagreement("measurable_disease", "measurable disease", said, other, series.source, "images")


def find_image_side(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """The primary on the other side than the outlined lesion; a record that names a side is compared elsewhere."""
    said = stated_side(clause, case.patient)
    if said is None:
        return
    for _, series in _comparable(case, clause, note)[:1]:
        seen = lesion_side(series)
        if seen is not None and seen != said[0]:
            other = f"the lesion outlined on {_named(series)} lies on the {seen}"
            yield Disagreement("laterality", "the side", f"{said[0]} {said[1]}", other, series.source, "images")


def lesion_side(series: ImagingSeries) -> str | None:
    """ "left" or "right" of the body's midline, of the one outlined lesion of a CT; None where it is not certain.

    The midline is the middle of the body's width on the slice of the lesion's centroid, since the origin of patient
    coordinates is anywhere (DICOM PS3.3 C.7.6.2.1.1: x grows to the patient's left).
    """
    found = [s for s in lesions(series) if not s.proposed]
    along_x = series.affine_lps[0, 0] / max(np.linalg.norm(series.affine_lps[:3, 0]), 1e-9)
    if series.unit is not IntensityUnit.HU or not series.sop_instance_uids or len(found) != 1 or abs(along_x) < 0.9:
        return None
    z, _, x = (round(float(c.mean())) for c in np.nonzero(found[0].mask))
    columns = np.nonzero((series.volume[z] > BODY_HU).mean(axis=0) > 0.1)[
        0
    ]  # the couch is a thin line: no column's tenth
    if columns.size == 0 or columns[0] == 0 or columns[-1] == series.volume.shape[2] - 1:
        return None  # cut by the field of view: where its middle lies is not known
    if (columns[-1] - columns[0]) * series.spacing_mm[2] < LEAST_BODY_WIDTH_MM:
        return None
    off_mm = (x - (columns[0] + columns[-1]) / 2) * series.spacing_mm[2] * float(np.sign(along_x))
    if abs(off_mm) < LEAST_OFF_MIDLINE_MM:
        return None
    return "left" if off_mm > 0 else "right"
