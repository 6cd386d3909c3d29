"""hf: with small random models of the real classes, against transformers called by hand; and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    SiglipConfig,
    SiglipModel,
    SiglipVisionModel,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)

from app.cli import run_command
from encoders.errors import SettingsError, UnavailableError
from encoders.image_encoders import hub_folder
from encoders.image_encoders.card import Cut
from encoders.image_encoders.golden import check_golden, stored_golden
from encoders.image_encoders.hub_encoder import load_hub_encoder
from encoders.image_encoders.hub_folder import find_hub_folder, parse_hub_spec, stated_licence
from encoders.image_encoders.phantom import phantom
from encoders.image_encoders.registry import golden_key, load_image_encoder
from encoders.patient import ImagingModality, IntensityUnit

SMALL = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 28,
    "patch_size": 7,
}  # fmt: skip
GRAY = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_normalize": True}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "do_normalize": True}
SIGLIP = {"image_processor_type": "SiglipImageProcessor", "size": {"height": 28, "width": 28}, "resample": 3, **GRAY}
BIT = {
    "image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 32}, "resample": 3, "do_center_crop": True,
    "crop_size": {"height": 28, "width": 28}, **IMAGENET,
}  # fmt: skip
CLIP = {**BIT, "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 28}}
VIT = {"image_processor_type": "ViTImageProcessor", "size": {"height": 28, "width": 28}, "resample": 2, **GRAY}
CT, MR, PT = (phantom(m) for m in (ImagingModality.CT, ImagingModality.MR, ImagingModality.PT))


def siglip():
    text = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4}
    tokens = {"vocab_size": 50, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    return SiglipModel(SiglipConfig(vision_config=SMALL, text_config={**text, **tokens}))  # both towers, as MedSigLIP


MODELS = {
    "siglip": (siglip, SIGLIP, lambda f, x: SiglipVisionModel.from_pretrained(f)(x).pooler_output),
    "dinov2": (
        lambda: Dinov2Model(Dinov2Config(**{k: v for k, v in SMALL.items() if k != "intermediate_size"})),
        BIT,
        lambda f, x: Dinov2Model.from_pretrained(f)(x).last_hidden_state[:, 0],
    ),
    "clip": (
        lambda: CLIPVisionModel(CLIPVisionConfig(**SMALL)),
        CLIP,
        lambda f, x: CLIPVisionModel.from_pretrained(f)(x).pooler_output,
    ),
    "vit": (  # a classifier, as many checkpoints are: it has no pooler
        lambda: ViTForImageClassification(ViTConfig(**SMALL)),
        VIT,
        lambda f, x: ViTModel.from_pretrained(f, add_pooling_layer=False)(x).last_hidden_state[:, 0],
    ),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One folder per class, as the hub keeps them."""
    root = tmp_path_factory.mktemp("models")
    transformers.utils.logging.set_verbosity_error()
    for name, (make, processor, _) in MODELS.items():
        torch.manual_seed(5)
        make().eval().save_pretrained(root / name)
        (root / name / "preprocessor_config.json").write_text(json.dumps(processor))
    return root


def by_hand(folder, name, pictures):
    """Pixels without the processor: PIL resize, centre crop, rescale and normalise as its file says; then the class."""
    said = MODELS[name][1]
    rows = []
    for picture in pictures:
        side = said["size"].get("shortest_edge") or said["size"]["height"]
        resized = np.asarray(Image.fromarray(picture).resize((side, side), said["resample"]), np.float32)
        crop = (side - 28) // 2
        scaled = resized[crop : crop + 28, crop : crop + 28] / 255
        rows.append(((scaled - said["image_mean"]) / said["image_std"]).transpose(2, 0, 1))
    with torch.no_grad():
        return MODELS[name][2](folder, torch.tensor(np.stack(rows), dtype=torch.float32)).numpy()


@pytest.mark.parametrize("name", MODELS)
def test_each_class_gives_what_transformers_gives_by_hand(folders, name):
    encoder = load_image_encoder(f"hf:{folders / name}", device="cpu")
    found = encoder.encode_many([CT, MR, PT])
    assert found.shape == (3, encoder.card.width) == (3, 32) and found.dtype == np.float32
    for series, vector in zip((CT, MR, PT), found, strict=True):
        np.testing.assert_allclose(vector, by_hand(folders / name, name, encoder.pictures(series))[0], atol=2e-5)
    assert np.abs(found[0] - found[1]).max() > 0.01  # it looks at the picture
    assert np.array_equal(encoder.encode(CT), encoder.encode(CT))


def test_the_network_sees_the_field_of_view_after_the_processor_crops(folders):
    """RAD-DINO's kind of processor: 32 pixels, the middle 28 kept; the cut is wider so that 128 mm are left."""
    recipe = load_image_encoder(f"hf:{folders / 'dinov2'}", device="cpu").card.recipe
    assert (recipe.field_of_view_mm, recipe.size) == (128.0, (28, 28))
    assert recipe.mean == (0.485, 0.456, 0.406) and dict(recipe.settings)["processor_backend"] == "pil"
    wide = load_image_encoder(f"hf:{folders / 'dinov2'}?field_of_view_mm=64", device="cpu")
    assert wide.card.recipe.version != recipe.version
    assert wide.pictures(CT).shape == (1, 32, 32, 3)


def test_three_planes_are_averaged(folders):
    spec = f"hf:{folders / 'siglip'}"
    three = load_image_encoder(f"{spec}?planes=orthogonal", device="cpu")
    assert three.card.pooling.endswith("mean over 3 planes")
    known = by_hand(folders / "siglip", "siglip", three.pictures(MR)).mean(0)
    np.testing.assert_allclose(three.encode(MR), known, atol=2e-5)
    one = load_image_encoder(spec, device="cpu")
    assert np.array_equal(one.pictures(MR)[0], three.pictures(MR)[0])  # the axial one


def test_intensities_without_their_unit_are_refused(folders):
    encoder = load_image_encoder(f"hf:{folders / 'vit'}", device="cpu")
    with pytest.raises(ValueError, match="PT is read in SUVbw"):
        encoder.encode(replace(PT, unit=IntensityUnit.ARBITRARY))


# ---- what is refused ----


def copy_of(folders, name, tmp_path):
    return shutil.copytree(folders / name, tmp_path / name)


def test_weights_that_are_not_in_the_file_are_refused_not_made_up(folders, tmp_path):
    folder = copy_of(folders, "siglip", tmp_path)
    tensors = load_file(folder / "model.safetensors")
    gone = {k: v for k, v in tensors.items() if "vision_model.head" not in k}
    save_file(gone, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UnavailableError, match=r"lack \d+ tensors of SiglipVisionModel, first 'head\."):
        load_hub_encoder(f"hf:{folder}")


def test_pickled_weights_are_refused(folders, tmp_path):
    folder = copy_of(folders, "vit", tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(UnavailableError, match="no safetensors weights, and pickled ones are never loaded"):
        load_hub_encoder(f"hf:{folder}")


def test_open_clip_folders_and_biomedclip_are_refused_with_the_way_round(tmp_path):
    (tmp_path / "open_clip_config.json").write_text("{}")
    with pytest.raises(UnavailableError, match=r"OpenCLIP's form.*transformers folder"):
        load_hub_encoder(f"hf:{tmp_path}")
    with pytest.raises(UnavailableError, match=r"OpenCLIP's form.*give hf:FOLDER"):
        load_hub_encoder("hf:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224")


def test_code_of_the_hub_is_never_run(folders, tmp_path):
    folder = copy_of(folders, "vit", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "unheard_of", "auto_map": {"AutoConfig": "own.C", "AutoModel": "own.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UnavailableError, match="Code from the hub is never run"):
        load_hub_encoder(f"hf:{folder}")
    assert not (tmp_path / "ran").exists()


def test_a_text_model_and_a_missing_processor_are_refused(folders, tmp_path):
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=20
    )
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    with pytest.raises(SettingsError, match="reads input_ids, not pictures"):
        load_hub_encoder(f"hf:{tmp_path / 'bert'}")
    folder = copy_of(folders, "vit", tmp_path)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(UnavailableError, match=r"no preprocessor_config\.json"):
        load_hub_encoder(f"hf:{folder}")


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        ("hf:", "names no model"),
        ("hf:a/b?planes=oblique", "planes is 'oblique'; allowed: axial, orthogonal"),
        ("hf:a/b?field_of_view_mm=4", "a number from 16 to 600"),
        ("hf:a/b?fov=64", "options after"),
        ("hf:a/b?planes=axial&planes=orthogonal", "each once"),
        ("hf:@main", "both parts filled"),
    ],
)
def test_specs_that_say_nothing_known_are_refused(spec, match):
    with pytest.raises(SettingsError, match=match):
        parse_hub_spec(spec)


def test_a_spec_is_read(tmp_path):
    found = parse_hub_spec("hf:a/b@v1?planes=orthogonal&field_of_view_mm=96.5")
    assert (found.name, found.revision, found.cut, found.field_of_view_mm) == ("a/b", "v1", Cut.ORTHOGONAL_SLICES, 96.5)
    folder = tmp_path / "x@y"
    folder.mkdir()
    assert parse_hub_spec(f"hf:{folder}").revision is None


# ---- hub ids ----


def fake_hub(monkeypatch, tmp_path, folders, commits):
    """snapshot_download that keeps each commit in a folder of its name, as the cache does; returns what it is asked."""
    import huggingface_hub  # noqa: PLC0415

    asked = []

    def download(name, *, revision=None, allow_patterns, local_files_only):
        asked.append((name, revision, local_files_only))
        assert not any("bin" in p or p.endswith(".py") for p in allow_patterns)
        commit = commits.get(revision, revision)
        target = tmp_path / "snapshots" / commit
        if not target.exists():
            shutil.copytree(folders / "vit", target)
        return str(target)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


def test_the_first_use_pins_the_revision_and_a_later_difference_is_reported(monkeypatch, tmp_path, folders, capsys):
    monkeypatch.setenv("RADOMICA_HOME", str(tmp_path / "home"))
    commits = {None: "c0ffee", "v2": "decade"}
    asked = fake_hub(monkeypatch, tmp_path, folders, commits)
    encoder = load_image_encoder("hf:owner/model", device="cpu")
    assert encoder.card.revision == "c0ffee" and encoder.card.golden_digest is None
    assert check_golden(encoder).recorded_now
    commits[None] = "decade"  # the hub moves on
    again = load_image_encoder("hf:owner/model", device="cpu")
    assert again.card.revision == "c0ffee" and asked[-1] == ("owner/model", "c0ffee", True)
    assert again.card.golden_digest == stored_golden("hf:owner/model").digest and check_golden(again).ok
    assert load_image_encoder("hf:owner/model@v2", device="cpu").card.revision == "decade"  # asked for by name
    weights = tmp_path / "snapshots/c0ffee/model.safetensors"
    tensors = {k: v * 1.05 for k, v in load_file(weights).items()}
    save_file(tensors, weights, metadata={"format": "pt"})
    assert run_command(["encoders", "check", "hf:owner/model", "--device", "cpu"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "weights_sha256 was" in said and "outputs of" in said


def test_offline_nothing_is_fetched(monkeypatch, tmp_path, folders):
    asked = fake_hub(monkeypatch, tmp_path, folders, {None: "c0ffee"})
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    find_hub_folder(parse_hub_spec("hf:owner/model"))
    monkeypatch.setenv("RADOMICA_OFFLINE", "1")
    find_hub_folder(parse_hub_spec("hf:owner/model"))
    assert [offline for _, _, offline in asked] == [False, True]


def test_a_model_that_is_not_here_names_the_next_step(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("RADOMICA_OFFLINE", "1")
    with pytest.raises(UnavailableError, match="could not be fetched; unset RADOMICA_OFFLINE"):
        load_hub_encoder("hf:nobody/nothing-of-this-name")
    with pytest.raises(SettingsError, match="neither a folder here nor a hub id"):
        load_hub_encoder("hf:not/a/hub/id")


def test_known_models_bring_their_licence_and_others_only_what_their_readme_says(monkeypatch, tmp_path, folders):
    fake_hub(monkeypatch, tmp_path, folders, {None: "c0ffee"})
    known = load_hub_encoder("hf:microsoft/rad-dino", device="cpu").card
    assert known.licence == "MIT" and str(known.papers[0]) == "Pérez-García et al., 2025, 10.1038/s42256-024-00965-w"
    other = load_hub_encoder("hf:owner/model", device="cpu").card
    assert other.licence is None and other.papers == () and other.trained_on is None
    readme = tmp_path / "snapshots/c0ffee/README.md"
    readme.write_text("---\nlicense: other\nlicense_name: some-terms\n---\n# Model\nlicense: mit\n")
    assert stated_licence(hub_folder.HubFolder(readme.parent, None)) == "some-terms"
    readme.write_text("no front matter, license: mit\n")
    assert stated_licence(hub_folder.HubFolder(readme.parent, None)) is None


def test_a_relative_folder_is_kept_under_its_whole_path(monkeypatch, folders):
    monkeypatch.chdir(folders)
    assert golden_key("hf:vit?planes=axial") == f"hf:{(folders / 'vit').resolve()}?planes=axial"
    assert golden_key("hf:owner/model") == "hf:owner/model" and golden_key("cnn3d") == "cnn3d"


def test_several_weight_files_have_one_hash(tmp_path):
    for name in ("a", "b"):
        save_file({name: torch.zeros(2)}, tmp_path / f"model-{name}.safetensors")
    both = hub_folder.HubFolder(tmp_path, None).weights_sha256()
    (tmp_path / "model-b.safetensors").rename(tmp_path / "model-c.safetensors")
    assert hub_folder.HubFolder(tmp_path, None).weights_sha256() != both
