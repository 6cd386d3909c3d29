"""Adapters for any LLM: pairs on disk, training in two stages, a folder that `hf:` and vLLM load."""
