"""One DICOM dataset: which attributes say who somebody is, and the dataset without them (app/deidentify_tags.py).

Not known here: files and folders (app/deidentify.py), what the pixels show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom import DataElement, Dataset, FileDataset
from pydicom.uid import generate_uid

from app import deidentify_tags as tags
from encoders.read.dicom_tags import BROKEN, text, value

METHOD = "Radomica, PS3.15 Basic Profile"


@dataclass(frozen=True)
class TagCounts:
    """How many elements with a value say something about a person. Never the values."""

    identifying: int
    names: int
    dates: int
    other: int
    private: int
    burned_in: str
    """"" or why the pixels may hold text."""


@dataclass(frozen=True)
class Options:
    """Options of PS3.15 Annex E; both off is the plain Basic Profile."""

    keep_dates: bool = False
    keep_characteristics: bool = False


class Pseudonyms:
    """Replacement ids and UIDs of one folder: the same for the same, and not to be computed without ``secret``."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def uid(self, uid: str) -> str:
        """Another UID; one of the standard itself stays."""
        return (
            uid if not uid or uid.startswith(tags.WELL_KNOWN) else str(generate_uid(entropy_srcs=[self._secret, uid]))
        )

    def patient(self, patient_id: str) -> str:
        """ "ANON-1a2b3c4d5e"; upper or lower case and spaces around make no difference."""
        digest = hashlib.sha256(f"{self._secret}/{patient_id.strip().lower()}".encode()).hexdigest()
        return f"ANON-{digest[:10]}"


def count_tags(dataset: Dataset) -> TagCounts:
    """Count what the Basic Profile would change in a dataset, sequences included; UIDs are not counted."""
    found = {"identifying": 0, "names": 0, "dates": 0, "other": 0, "private": 0}
    for element in _elements(dataset):
        kind = _counted_as(element)
        if kind and not _is_empty(element):
            found[kind] += 1
    return TagCounts(**found, burned_in=burned_in(dataset))


def burned_in(dataset: Dataset) -> str:
    """Why the pixels may hold a name, or "". What the file says of itself is believed only when it says YES."""
    if text(dataset, "BurnedInAnnotation").upper() == "YES":
        return "the file says that text is burned in"
    if text(dataset, "SOPClassUID").startswith(tags.SECONDARY_CAPTURE):
        return "a secondary capture: a picture of a screen"
    modality = text(dataset, "Modality")
    if modality in tags.BURNED_IN_KINDS:
        return f"{modality} images often show the patient's name"
    if text(dataset, "ConversionType") in ("DF", "DV", "SD", "SI", "WSD"):
        return "digitised or captured from a screen"
    return ""


def clean(dataset: FileDataset, pseudonyms: Pseudonyms, options: Options) -> int:
    """De-identify a dataset in place; returns how many elements were removed, emptied or replaced."""
    changed = _clean(dataset, pseudonyms, options)
    patient_id = text(dataset, "PatientID")
    dataset.PatientID = pseudonyms.patient(patient_id or "none")
    dataset.PatientName = dataset.PatientID
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = METHOD
    dataset.DeidentificationMethodCodeSequence = [_code(*c) for c in _codes(options)]
    dataset.LongitudinalTemporalInformationModified = "UNMODIFIED" if options.keep_dates else "REMOVED"
    dataset.preamble = b"\0" * 128
    meta = dataset.file_meta
    for keyword in [e.keyword for e in meta if e.keyword not in _META_KEPT]:
        delattr(meta, keyword)
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return changed


_META_KEPT = ("FileMetaInformationGroupLength", "FileMetaInformationVersion", "MediaStorageSOPClassUID",
              "MediaStorageSOPInstanceUID", "TransferSyntaxUID", "ImplementationClassUID")  # fmt: skip


def _clean(dataset: Dataset, pseudonyms: Pseudonyms, options: Options) -> int:
    changed = 0
    for tag in list(dataset.keys()):
        element = dataset[tag]
        action = _action(element, options)
        if action == "X":
            del dataset[tag]
        elif action == "Z":
            element.value = [] if element.VR == "SQ" else None
        elif action == "D":
            element.value = "REMOVED"
        elif action == "U":
            many = element.value if isinstance(element.value, list) or element.VM > 1 else [element.value]
            fresh = [pseudonyms.uid(str(u)) for u in many]
            element.value = fresh if element.VM > 1 else fresh[0]
        elif element.VR == "SQ":
            changed += sum(_clean(item, pseudonyms, options) for item in element.value)
        changed += action != ""
    return changed


def _action(element: DataElement, options: Options) -> str:
    """X remove, Z empty, D replace, U replace a UID, P pseudonym, "" keep."""
    keyword, kind, group = element.keyword, str(element.VR), element.tag.group
    overlay = group in range(0x6000, 0x6100) and element.tag.element in (0x3000, 0x4000)
    if element.tag.is_private or group in range(0x5000, 0x5100) or overlay:
        return "X"
    is_date = kind in tags.DATE_KINDS and keyword not in ("PatientBirthDate", "PatientBirthTime")
    is_characteristic = keyword in tags.PATIENT_CHARACTERISTICS
    if (options.keep_dates and is_date) or (options.keep_characteristics and is_characteristic):
        return ""
    if keyword in tags.ACTIONS:
        return tags.ACTIONS[keyword]
    if kind in tags.REMOVED_KINDS or kind == "PN":
        return "P" if keyword == "PatientName" else "X"
    return "U" if kind == "UI" and not _is_empty(element) else ""


def _counted_as(element: DataElement) -> str:
    """Which count an element belongs to, "" for none."""
    if element.tag.is_private:
        return "private"
    if element.keyword in tags.IDENTIFYING:
        return "identifying"
    if element.VR == "PN":
        return "names"
    action = _action(element, Options())
    if action in ("", "U"):
        return ""
    return "dates" if element.VR in tags.DATE_KINDS else "other"


def _elements(dataset: Dataset) -> Iterator[DataElement]:
    for tag in list(dataset.keys()):
        found = value_element(dataset, tag)
        if found is None:
            continue
        yield found
        if found.VR == "SQ" and not found.tag.is_private:
            for item in found.value or ():
                yield from _elements(item)


def value_element(dataset: Dataset, tag: object) -> DataElement | None:
    """An element, or None where its bytes cannot be read as what they say they are."""
    try:
        return dataset[tag]
    except BROKEN:
        return None


def _is_empty(element: DataElement) -> bool:
    return element.value is None or str(element.value).strip() in ("", "[]")


def identities(dataset: Dataset) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """(names, ids, date of birth as YYYYMMDD) that a dataset gives of its patient; "" and () where it gives none."""
    names = [str(value(dataset, k) or "") for k in ("PatientName", "OtherPatientNames", "PatientBirthName")]
    names += [str(value(dataset, k) or "") for k in ("ReferringPhysicianName", "PerformingPhysicianName")]
    ids = (text(dataset, "PatientID"), *text(dataset, "OtherPatientIDs").split("\\"))
    return tuple(n for n in names if n), tuple(i for i in ids if i), text(dataset, "PatientBirthDate")


def _codes(options: Options) -> list[tuple[str, str]]:
    found = [("113100", "Basic Application Confidentiality Profile")]
    if options.keep_dates:
        found.append(("113106", "Retain Longitudinal Temporal Information Full Dates Option"))
    if options.keep_characteristics:
        found.append(("113108", "Retain Patient Characteristics Option"))
    return found


def _code(code: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", meaning
    return item
