"""Write an ImagingSeries as DICOM: one file per slice (CT, MR or PET) and a DICOM SEG of its lesion.

CT is stored in HU through the rescale tags, MR as it is, PET in Bq/ml with the tags from which SUVbw is computed
back (decay-corrected to the series' start). Every UID depends on the patient and the slice only.
Does NOT know where the voxels come from; checks no clinical plausibility.

References
----------
DICOM PS3.3 C.8.2 (CT), C.8.3 (MR), C.8.9 (PET), C.8.20 (segmentation). Fluorine-18 half-life 109.77 min.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from encoders.patient import ImagingModality, ImagingSeries, Patient
from encoders.synthetic.imaging import make_uid

SCAN_TIME, INJECTION_TIME, DELAY_S = "093000", "083000", 3600.0
F18_HALF_LIFE_S = 109.77 * 60
DOSE_PER_KG_BQ = 3.7e6
SUV_STEP = 0.001
"""SUVbw of one stored PET unit."""
COMMENT = "SYNTHETIC: generated, not a real person"

_SOP_CLASS = {
    ImagingModality.CT: CTImageStorage,
    ImagingModality.MR: MRImageStorage,
    ImagingModality.PT: PositronEmissionTomographyImageStorage,
}


@dataclass(frozen=True)
class Person:
    """The patient-level tags of every DICOM file."""

    patient_id: str
    sex: str | None
    birth_date: str
    weight_kg: float

    @staticmethod
    def of(patient: Patient, birth_date: str, weight_kg: float) -> Person:
        """Tags of one synthetic patient."""
        return Person(patient.patient_id, patient.sex, birth_date, weight_kg)


def write_series(series: ImagingSeries, person: Person, folder: Path, number: int) -> None:
    """Write the slices to ``folder/<series.source.file>/`` and each segment's SEG to ``<...>_seg.dcm``."""
    target = folder / series.source.file
    target.mkdir(parents=True)
    slices = [_slice(series, person, number, k) for k in range(series.volume.shape[0])]
    for k, dataset in enumerate(slices):
        dataset.save_as(target / f"slice_{k + 1:03d}.dcm", enforce_file_format=True)
    if series.segments:
        seg = _segmentation(series, slices, person, number)
        seg.save_as(folder / series.segments[0].source.file)


def _slice(series: ImagingSeries, person: Person, number: int, k: int) -> Dataset:
    dataset = Dataset()
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = _SOP_CLASS[series.modality]
    meta.MediaStorageSOPInstanceUID = series.sop_instance_uids[k]
    dataset.file_meta = meta
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _patient_study(dataset, series, person)
    _series_level(dataset, series, person, number)
    _plane(dataset, series, k)
    _MODALITY[series.modality](dataset, series, person, k)
    return dataset


def _patient_study(dataset: Dataset, series: ImagingSeries, person: Person) -> None:
    day = (series.date or "").replace("-", "")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = f"SYNTHETIC^{person.patient_id}"
    dataset.PatientID = person.patient_id
    dataset.PatientBirthDate = person.birth_date.replace("-", "")
    dataset.PatientSex = {"female": "F", "male": "M"}.get(person.sex or "", "O")
    dataset.PatientWeight = f"{person.weight_kg:.1f}"
    dataset.StudyInstanceUID = make_uid(person.patient_id, "study")
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = day
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = SCAN_TIME
    dataset.StudyID = "1"
    dataset.StudyDescription = "SYNTHETIC oncology imaging"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.ImageComments = COMMENT


def _series_level(dataset: Dataset, series: ImagingSeries, person: Person, number: int) -> None:
    dataset.Modality = series.modality.value
    dataset.SeriesInstanceUID = series.series_uid
    dataset.SeriesNumber = number
    dataset.SeriesDescription = f"{series.role} SYNTHETIC"
    dataset.BodyPartExamined = series.body_part or ""
    dataset.PatientPosition = "HFS"
    dataset.Manufacturer = "Radomica synthetic cohort"
    dataset.ManufacturerModelName = "generator"
    dataset.SoftwareVersions = "1"
    dataset.DeviceSerialNumber = "0"
    dataset.FrameOfReferenceUID = make_uid(person.patient_id, "frame of reference")
    dataset.PositionReferenceIndicator = ""


def _plane(dataset: Dataset, series: ImagingSeries, k: int) -> None:
    affine = series.affine_lps
    position = affine @ np.array([0.0, 0.0, float(k), 1.0])
    dz, dy, dx = series.spacing_mm
    dataset.ImagePositionPatient = [f"{v:.6f}" for v in position[:3]]
    dataset.ImageOrientationPatient = [f"{v:.6f}" for v in (*(affine[:3, 0] / dx), *(affine[:3, 1] / dy))]
    dataset.PixelSpacing = [f"{dy:.6f}", f"{dx:.6f}"]
    dataset.SliceThickness = f"{dz:.6f}"
    dataset.SliceLocation = f"{position[2]:.6f}"
    dataset.InstanceNumber = k + 1
    dataset.AcquisitionNumber = 1
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = series.volume.shape[1:]
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15


def _store(dataset: Dataset, stored: np.ndarray, *, signed: bool) -> None:
    dataset.PixelRepresentation = int(signed)
    dataset.PixelData = np.ascontiguousarray(np.rint(stored), dtype="<i2" if signed else "<u2").tobytes()


def _ct(dataset: Dataset, series: ImagingSeries, _: Person, k: int) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.KVP = "120"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "-1024", "1", "HU"
    if series.body_part == "ABDOMEN":
        dataset.ContrastBolusAgent = "iodinated contrast (SYNTHETIC)"
    dataset.WindowCenter, dataset.WindowWidth = "40", "400"
    _store(dataset, series.volume[k] + 1024, signed=False)


def _mr(dataset: Dataset, series: ImagingSeries, _: Person, k: int) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    flair = series.role == "FLAIR"
    dataset.ScanningSequence = ["SE", "IR"] if flair else "GR"
    dataset.SequenceVariant = "SK" if flair else "SP"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "2D" if flair else "3D"
    dataset.RepetitionTime = dataset.EchoTime = dataset.EchoTrainLength = None
    if not flair:
        dataset.ContrastBolusAgent = "gadolinium-based contrast (SYNTHETIC)"
    _store(dataset, series.volume[k], signed=False)


def _pet(dataset: Dataset, series: ImagingSeries, person: Person, k: int) -> None:
    dose = round(DOSE_PER_KG_BQ * person.weight_kg / 1e6) * 1e6
    left = dose * 2.0 ** (-DELAY_S / F18_HALF_LIFE_S)
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.SeriesType = ["STATIC", "IMAGE"]
    dataset.Units = "BQML"
    dataset.CountsSource = "EMISSION"
    dataset.CorrectedImage = ["ATTN", "DECY", "SCAT", "RADL"]
    dataset.DecayCorrection = "START"
    dataset.NumberOfSlices = series.volume.shape[0]
    dataset.ImageIndex = k + 1
    dataset.FrameReferenceTime = "0"
    dataset.ActualFrameDuration = "120000"
    dataset.DecayFactor = "1"
    dataset.CollimatorType = "NONE"
    drug = Dataset()
    drug.Radiopharmaceutical = "Fluorodeoxyglucose F18"
    drug.RadiopharmaceuticalStartTime = INJECTION_TIME
    drug.RadiopharmaceuticalStartDateTime = (series.date or "").replace("-", "") + INJECTION_TIME
    drug.RadionuclideTotalDose = f"{dose:.0f}"
    drug.RadionuclideHalfLife = f"{F18_HALF_LIFE_S:.1f}"
    dataset.RadiopharmaceuticalInformationSequence = [drug]
    dataset.PatientOrientationCodeSequence = dataset.PatientGantryRelationshipCodeSequence = []
    dataset.RescaleIntercept = "0"
    dataset.RescaleSlope = f"{SUV_STEP * left / (person.weight_kg * 1000):.10g}"
    _store(dataset, series.volume[k] / SUV_STEP, signed=False)


_MODALITY: Mapping[ImagingModality, Callable[[Dataset, ImagingSeries, Person, int], None]] = {
    ImagingModality.CT: _ct,
    ImagingModality.MR: _mr,
    ImagingModality.PT: _pet,
}


def _segmentation(series: ImagingSeries, slices: list[Dataset], person: Person, number: int) -> hd.seg.Segmentation:
    """Binary SEG. The mask is the generator's own ground truth, which the algorithm name says."""
    algorithm = hd.AlgorithmIdentificationSequence(
        name="SYNTHETIC ground truth", version="1", family=codes.DCM.ArtificialIntelligence
    )
    described = [
        hd.seg.SegmentDescription(
            segment_number=i,
            segment_label=segment.label,
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Neoplasm,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
            algorithm_identification=algorithm,
        )
        for i, segment in enumerate(series.segments, start=1)
    ]
    seg = hd.seg.Segmentation(
        source_images=slices,
        pixel_array=np.stack([s.mask for s in series.segments], axis=-1).astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=described,
        series_instance_uid=make_uid(person.patient_id, series.source.file, "seg series"),
        series_number=100 + number,
        sop_instance_uid=make_uid(person.patient_id, series.source.file, "seg"),
        instance_number=1,
        manufacturer="Radomica synthetic cohort",
        manufacturer_model_name="generator",
        software_versions="1",
        device_serial_number="0",
        series_description=f"{series.role} lesion SYNTHETIC",
        content_description="SYNTHETIC ground truth",
    )
    seg.ImageComments = COMMENT
    day = (series.date or "").replace("-", "")
    seg.SeriesDate = seg.ContentDate = seg.InstanceCreationDate = day
    seg.SeriesTime = seg.ContentTime = seg.InstanceCreationTime = SCAN_TIME
    return seg
