"""A real vLLM server of the shipped decoder: the tokens of transformers, grammar, schema, streaming, many at once.

Needs a vLLM environment (RADOMICA_VLLM_PYTHON, or .venv-vllm from `make vllm-env`); skips saying so without one.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
import openai
import pytest
import torch

from assistant.llm.chat_model import ChatRequest, Message, SoftTokensPart, TextPart
from assistant.llm.check_server import check_llm
from assistant.llm.embedded import EmbeddedModel
from assistant.llm.serve import find_environment
from assistant.llm.vllm import VLLMModel
from assistant.pipeline import run
from assistant.prompt import claims_schema, parse_claims
from encoders.errors import SettingsError, UnavailableError
from encoders.synthetic.cohort import sample_case
from eval.llm_parity import parity_rows, soft_requests
from eval.smoke_reports import context_without_explanations
from eval.vllm_process import running_server

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1500)]
SEED = 91_000


@pytest.fixture(scope="module")
def environment():
    try:
        return find_environment()
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def server(environment) -> Iterator[VLLMModel]:
    with running_server(environment) as spec:
        yield VLLMModel(spec.removeprefix("vllm:"))


@pytest.fixture(scope="module")
def requests() -> list[ChatRequest]:
    return soft_requests(EmbeddedModel(), n=6, seed=SEED)


def test_every_capability_works(server: VLLMModel) -> None:
    assert [c for c in check_llm(server) if c.ok is False] == []
    assert server.weights_verified and server.takes_soft_tokens and not server.grammar_refused


def test_the_tokens_are_those_of_transformers(server: VLLMModel) -> None:
    rows = {r.id: r for r in parity_rows(server, n=6, seed=SEED)}
    assert rows["hf_vllm_parity.unexplained"].value == 0, rows["hf_vllm_parity"].note


def test_many_at_once_answer_as_the_embedded_model_does_and_are_counted(server: VLLMModel, requests) -> None:
    before = server.tokens
    assert server.generate_many(requests) == [EmbeddedModel().generate(r) for r in requests]
    after = server.tokens
    assert (after.requests - before.requests, after.uncounted) == (len(requests), 0)
    assert after.completion > before.completion


def test_streamed_pieces_join_to_the_generated_answer(server: VLLMModel, requests) -> None:
    pieces = list(server.stream(requests[0]))
    assert len(pieces) > 1 and "".join(pieces) == server.generate(requests[0])


def test_the_schema_limits_citations_to_the_ids(server: VLLMModel) -> None:
    # the grammar of brackets is for answers that may cite; this one is asked as a general model is
    schema = claims_schema(("M1", "G2"))
    schema["properties"]["claims"].update(minItems=1, maxItems=1)
    schema["properties"]["claims"]["items"]["properties"]["citations"]["maxItems"] = 2
    text = {"type": "string", "maxLength": 40}
    schema["properties"]["claims"]["items"]["properties"]["text"] = text
    answer = server.generate(ChatRequest((Message("user", (TextPart("section: summary"),)),), (), schema, 200))
    (claim,) = parse_claims(answer, type(server.style).INSTRUCT)
    assert claim.citations and set(claim.citations) <= {"M1", "G2"}


def test_a_budget_larger_than_the_model_reads_is_no_error(server: VLLMModel) -> None:
    long = "section: summary\n" + "M1 variant gene\n" * 60
    assert server.generate(ChatRequest((Message("user", (TextPart(long),)),), ("M1",), None, 2000))


def test_the_engine_survives_a_tensor_of_another_width(server: VLLMModel) -> None:
    buffer = io.BytesIO()
    torch.save(torch.zeros(2, 100), buffer)
    part = {"type": "prompt_embeds", "data": base64.b64encode(buffer.getvalue()).decode()}
    client = openai.OpenAI(base_url=server.address.base_url, api_key="none", max_retries=0)
    with pytest.raises(openai.BadRequestError, match="hidden_size 100"):
        client.chat.completions.create(model=server.model, messages=[{"role": "user", "content": [part]}])
    assert server.generate(ChatRequest((Message("user", (TextPart("section: summary"),)),)))


def test_a_report_has_the_claims_of_the_embedded_model(server: VLLMModel) -> None:
    context = context_without_explanations(sample_case(0, SEED).patient)
    here, there = run(context, EmbeddedModel()), run(context, server)
    assert [[c.text for c in s.claims] for s in there.sections] == [[c.text for c in s.claims] for s in here.sections]


def test_a_server_without_the_flag_is_named_with_the_command(environment) -> None:
    with running_server(environment, drop=("--enable-prompt-embeds",)) as spec:
        model = VLLMModel(spec.removeprefix("vllm:"))
        part = SoftTokensPart(np.zeros((1, 192), np.float32), "imaging")
        with pytest.raises(SettingsError, match=r"without --enable-prompt-embeds.*radomica llm serve"):
            model.generate(ChatRequest((Message("user", (TextPart("x"), part)),)))
