"""Pictures of an item reach a backend that reads images, and a missing one is counted, not skipped in silence."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from assistant.llm.chat_model import ChatRequest, ImagePart, TextPart
from encoders.errors import ContractError
from eval.suites.ask import System
from eval.suites.item import Item
from eval.suites.pictures import LONGEST_SIDE_PX, WithPictures, picture_part
from eval.suites.read import read_suite
from eval.suites.run import RunConfig, run_suite


@pytest.fixture
def vqa(tmp_path: Path) -> Path:
    Image.new("L", (1800, 900), 77).save(tmp_path / "chest.jpg")
    rows = [
        {"qid": 1, "image_name": "chest.jpg", "question": "Is there a mass?", "answer": "Yes"},
        {"qid": 2, "image_name": "lost.jpg", "question": "Is there an effusion?", "answer": "No"},
    ]
    (tmp_path / "vqa.json").write_text(json.dumps(rows), encoding="utf-8")
    return tmp_path / "vqa.json"


def test_each_picture_stands_before_its_question_and_a_lost_one_is_no_answer(vqa: Path, tmp_path: Path) -> None:
    seen: list[ChatRequest] = []

    def reads(item: Item, request: ChatRequest) -> str:
        seen.append(request)
        return '{"answer_choice": "A", "confidence": 0.9}'

    suite = read_suite("vqa", vqa)
    config = RunConfig("vqa", vqa.name, suite.sha256, System.LLM, "stub")
    metrics = run_suite(config, suite, WithPictures(reads, tmp_path, shown=True), tmp_path / "run")
    (request,) = seen
    picture, words = request.messages[-1].parts
    assert isinstance(picture, ImagePart) and isinstance(words, TextPart) and "Is there a mass?" in words.text
    shown = Image.open(io.BytesIO(base64.b64decode(picture.data_uri.partition(",")[2])))
    assert shown.size == (LONGEST_SIDE_PX, LONGEST_SIDE_PX // 2) and shown.getpixel((10, 10)) == pytest.approx(
        (77,) * 3, abs=2
    )
    assert (metrics["all_items"]["right"], metrics["all_items"]["no_answer"]) == (1, 1)
    assert metrics["llm_versions"]["pictures"] == "shown"


def test_a_backend_that_reads_none_is_asked_in_words_and_the_run_says_so(vqa: Path, tmp_path: Path) -> None:
    def blind(item: Item, request: ChatRequest) -> str:
        assert not any(isinstance(p, ImagePart) for m in request.messages for p in m.parts)
        return '{"answer_choice": "B"}'

    suite = read_suite("vqa", vqa)
    config = RunConfig("vqa", vqa.name, suite.sha256, System.LLM, "stub")
    metrics = run_suite(config, suite, WithPictures(blind, tmp_path, shown=False), tmp_path / "run")
    assert metrics["all_items"]["right"] == 1 and "not shown" in metrics["llm_versions"]["pictures"]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "no.png", "text.png"])
def test_nothing_outside_the_folder_and_nothing_that_is_no_picture_is_read(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "secret.png")
    (folder / "text.png").write_text("not a picture", encoding="utf-8")
    with pytest.raises(ContractError, match="picture"):
        picture_part(folder, name)
