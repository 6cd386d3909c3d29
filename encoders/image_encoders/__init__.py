"""Image encoders with model cards: one protocol over networks, hub models, radiomics and precomputed tables."""

from encoders.image_encoders.card import Cut, EncoderCard, Paper, Recipe, Scaling, Window
from encoders.image_encoders.encode import PatientEncoding, SeriesEncoder, encode_patient
from encoders.image_encoders.golden import check_golden, record_golden
from encoders.image_encoders.registry import BUILT_IN, load_image_encoder

__all__ = [
    "BUILT_IN",
    "Cut",
    "EncoderCard",
    "Paper",
    "PatientEncoding",
    "Recipe",
    "Scaling",
    "SeriesEncoder",
    "Window",
    "check_golden",
    "encode_patient",
    "load_image_encoder",
    "record_golden",
]
