"""Key slices reach a vision-language model as its card wants them; the check of what it says is the same."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assistant.chat import answer
from assistant.collect import collect_evidence
from assistant.key_slices import SliceReader, key_slice_parts, render_slice, with_key_slices
from assistant.llm.chat_model import ChatRequest, ImagePart, Message, TextPart
from assistant.llm.scripted import ScriptedModel
from assistant.llm.vision import ImageReading, parse_image_reading, read_image_reading
from assistant.pipeline import CaseContext
from encoders.errors import SettingsError


def picture(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_three_windows_become_red_green_and_blue(toy) -> None:
    series = toy.toy_patient().imaging[0]
    value = float(series.volume[0, 0, 0])
    assert (series.volume[0] == value).all()  # one value everywhere, so each channel is one grey
    windows = ((value - 1, value + 1), (value + 1, value + 2), (value - 2, value - 1))
    caption, uri = render_slice(series, 0, ImageReading({str(series.modality): windows}))
    rgb = picture(uri)
    assert [set(np.unique(rgb[..., c])) for c in range(3)] == [{127}, {0}, {255}]
    assert caption.startswith(f"{series.modality}, slice 1 of ") and "in red, green and blue" in caption


def test_a_picture_is_no_larger_than_the_card_allows(toy) -> None:
    series = toy.toy_patient().imaging[0]
    assert max(picture(render_slice(series, 0, ImageReading())[1]).shape[:2]) > 4
    assert max(picture(render_slice(series, 0, ImageReading(longest_side_px=4))[1]).shape[:2]) == 4


def test_the_measured_slice_is_shown_with_a_caption(toy) -> None:
    patient, prediction = toy.toy_patient(), toy.toy_prediction()
    parts = key_slice_parts(patient, prediction, ImageReading())
    assert [type(p) for p in parts[:2]] == [TextPart, ImagePart]
    measured = {m.series_uid: m.key_slice for m in prediction.measurements}
    for series, caption in zip(patient.imaging, parts[::2], strict=False):
        if series.series_uid in measured:
            assert f"slice {measured[series.series_uid] + 1} of" in caption.text


def test_only_requests_about_imaging_carry_pictures(toy) -> None:
    llm = ScriptedModel(["a", "b"])
    seeing = SliceReader(llm, (TextPart("CT:"), ImagePart("data:image/png;base64,AA")))
    system, user = Message("system", (TextPart("s"),)), Message("user", (TextPart("u"),))
    seeing.generate(ChatRequest((system, user), ("M1",)))
    seeing.generate(ChatRequest((system, user), ("M1", "I2")))
    plain, shown = llm.requests
    assert plain.messages == (system, user)
    assert shown.messages[0] == system and [type(p) for p in shown.messages[1].parts] == [TextPart, ImagePart, TextPart]


def test_the_chat_shows_the_key_slices_with_questions_about_imaging(toy) -> None:
    parts = toy.toy_patient(), replace(toy.toy_prediction(), embeddings=None), toy.toy_retrieved()
    context = CaseContext(*parts, collect_evidence(*parts))
    llm = ScriptedModel(['{"claims": []}'], repeat_last=True)
    list(answer("How large is the tumour?", context, llm))
    blind = [type(p) for r in llm.requests for m in r.messages for p in m.parts]
    llm.requests.clear()
    llm.images = ImageReading()
    list(answer("How large is the tumour?", context, llm))
    shown = [p for p in llm.requests[0].messages[-1].parts if isinstance(p, ImagePart)]
    assert any(i.startswith("I") for i in llm.requests[0].allowed_ids)
    assert blind and ImagePart not in blind and len(shown) == len(context.patient.imaging)


def test_a_model_that_reads_no_images_is_left_as_it_is(toy) -> None:
    llm = ScriptedModel([])
    assert with_key_slices(llm, toy.toy_patient(), toy.toy_prediction()) is llm


def test_the_card_decides_then_the_class(tmp_path: Path) -> None:
    assert read_image_reading(tmp_path) is None
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    assert read_image_reading(tmp_path) is None
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["Gemma3ForConditionalGeneration"]}))
    assert read_image_reading(tmp_path) == ImageReading()
    card = {"images": {"windows": {"CT": [[-160, 240]]}, "longest_side_px": 896}}
    (tmp_path / "card.json").write_text(json.dumps(card))
    assert read_image_reading(tmp_path) == ImageReading({"CT": ((-160.0, 240.0),)}, 896)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ({"windows": {"CT": [[0, 1], [2, 3]]}}, "one or three"),
        ({"windows": {"CT": [[5, 5]]}}, "one or three"),
        ({"windows": "CT"}, "cannot be read"),
        ({"longest_side_px": 3}, "32 or more"),
    ],
)
def test_a_card_of_another_form_is_refused(images: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        parse_image_reading(images, "card.json")
