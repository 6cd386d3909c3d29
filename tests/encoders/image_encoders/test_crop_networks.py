"""The shipped networks give, through the protocol, what prediction gives; what they cannot read is said."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from encoders import registry
from encoders.calibration import Calibration
from encoders.checkpoints import WEIGHTS_FILE, save_checkpoint
from encoders.errors import ContractError, InputError, UnavailableError
from encoders.fusion import FusionConfig, FusionModel
from encoders.image_encoders.encode import NO_IMAGING, PatientEncoding, encode_patient
from encoders.image_encoders.phantom import phantom
from encoders.image_encoders.registry import load_image_encoder
from encoders.models import load_models
from encoders.patient import ImagingModality, IntensityUnit, Patient
from encoders.predict import predict
from encoders.radiology import crop_lesion, to_crop_tensor

CT, MR, PT = (phantom(m) for m in (ImagingModality.CT, ImagingModality.MR, ImagingModality.PT))


@pytest.fixture(scope="module")
def cnn():
    return load_image_encoder("cnn3d")


def test_the_embeddings_are_those_of_the_prediction(cnn, cases):
    for case in (cases["DIFG"].patient, cases["LUAD"].patient):
        found = encode_patient(case, cnn)
        assert found.vectors.dtype == np.float32
        known = predict(case, explain=False).embeddings.modality["imaging"]
        np.testing.assert_allclose(found.vectors, known, atol=2e-5)
        assert len(found.series_uids) + len(found.skipped) == len(case.imaging)


def test_one_series_by_hand(cnn):
    crop = crop_lesion(MR)
    by_hand = load_models().model.image(to_crop_tensor(crop.image[None]), torch.tensor([crop.kind]))[0]
    np.testing.assert_allclose(cnn.encode(MR), by_hand.numpy(), atol=1e-6)


def test_the_same_series_gives_the_same_vector_alone_and_in_a_batch(cnn):
    together = cnn.encode_many([CT, MR, PT] * 4)  # more than one batch
    assert together.shape == (12, cnn.card.width)
    np.testing.assert_allclose(together[:3], together[9:], atol=1e-5)
    np.testing.assert_allclose(together[1], cnn.encode(MR), atol=1e-5)
    assert np.array_equal(cnn.encode(CT), cnn.encode(CT))


def test_a_unit_or_a_series_that_cannot_be_read_is_named(cnn):
    with pytest.raises(InputError, match="PT is read in SUVbw; series FDG-PET is in arbitrary"):
        cnn.encode(replace(PT, unit=IntensityUnit.ARBITRARY))
    with pytest.raises(InputError, match="no lesion segment in series CT"):
        cnn.encode(replace(CT, segments=()))


def test_skipped_series_keep_their_reasons(cnn):
    patient = Patient("p", imaging=(CT, replace(MR, segments=())))
    found = encode_patient(patient, cnn)
    assert found.series_uids == ("phantom-CT",) and found.modalities == ("CT",)
    assert found.vectors.shape == (1, cnn.card.width)
    assert set(found.skipped) == {"phantom-MR"} and "no lesion segment" in found.skipped["phantom-MR"]
    nothing = encode_patient(Patient("q", missing={"imaging": "no DICOM"}), cnn)
    assert nothing.vectors.shape == (0, cnn.card.width) and nothing.skipped == {NO_IMAGING: "no DICOM"}


def test_rows_and_vectors_must_agree():
    with pytest.raises(ContractError, match="2 vectors but 1 series UIDs"):
        PatientEncoding("p", ("a",), ("CT",), np.zeros((2, 3), np.float32), {})


def entry_at(monkeypatch, folder):
    moved = replace(registry.REGISTRY["fusion-vit3d"], folder=folder)
    monkeypatch.setattr(registry, "REGISTRY", {**registry.REGISTRY, "fusion-vit3d": moved})


def test_a_network_without_weights_names_the_training_command(monkeypatch, tmp_path):
    entry_at(monkeypatch, tmp_path / "nowhere")
    with pytest.raises(UnavailableError, match="`radomica train fusion --image vit3d`"):
        load_image_encoder("vit3d")


def test_the_vit_is_loaded_from_its_weights_and_a_changed_byte_is_refused(monkeypatch, tmp_path, tiny_models):
    torch.manual_seed(3)
    model = FusionModel(FusionConfig(width=16, image_encoder="vit3d", n_heads=2)).eval()
    tensors = {f"model.{n}": t for n, t in model.state_dict().items()}
    tensors |= {f"calibration.{n}": t for n, t in Calibration(16).state_dict().items()}
    tensors |= {f"scale.{n}": torch.from_numpy(v) for n, v in asdict(tiny_models.scale).items()}
    card = {"id": "t", "architecture": asdict(model.config), "inputs": {}, "training": {}, "metrics": {}, "limits": ""}
    save_checkpoint(tmp_path / "a", tensors, card)
    save_checkpoint(tmp_path / "b", tensors, card)
    entry_at(monkeypatch, tmp_path / "a")
    encoder = load_image_encoder("vit3d")
    crop = crop_lesion(CT)
    with torch.no_grad():
        by_hand = model.image(to_crop_tensor(crop.image[None]), torch.tensor([crop.kind]))[0].numpy()
    assert encoder.card.width == 16
    np.testing.assert_allclose(encoder.encode(CT), by_hand, atol=1e-5)
    file = tmp_path / "b" / WEIGHTS_FILE
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    entry_at(monkeypatch, tmp_path / "b")
    with pytest.raises(UnavailableError, match="the weights are refused"):
        load_image_encoder("vit3d")
