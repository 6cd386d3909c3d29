"""``embedded``: the project's own small decoder, shipped in assistant/weights/lm, run by transformers on this machine.

It writes references instead of values and reads images and expression from soft tokens (DESIGN.md section 3).
Train it again with ``radomica train lm``. Not known here: how it was trained (assistant/lm_train.py).
"""

from __future__ import annotations

from pathlib import Path

from assistant.llm.huggingface import HuggingFaceModel
from assistant.llm.locations import SHIPPED_LM
from assistant.llm.soft_tokens import CARD_FILE
from encoders.errors import UnavailableError


class EmbeddedModel(HuggingFaceModel):
    """The shipped decoder; always on the CPU, where it is fast enough and gives the same tokens everywhere."""

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or SHIPPED_LM
        missing = [
            n for n in ("config.json", "model.safetensors", "tokenizer.json", CARD_FILE) if not (folder / n).is_file()
        ]
        if missing:
            raise UnavailableError(
                f"the embedded LLM's folder {folder.name} lacks {', '.join(missing)}; "
                "install the package again, or run `radomica train lm`."
            )
        super().__init__(folder, spec="embedded", name="radomica-lm", device="cpu")
