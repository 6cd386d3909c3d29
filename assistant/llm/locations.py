"""Where adapters for other LLMs lie on this machine.

Not known here: what they hold (assistant/llm/soft_tokens.py).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from platformdirs import user_data_path

SHIPPED_LM = Path(__file__).resolve().parents[1] / "weights" / "lm"
"""The embedded decoder's folder, loadable with ``hf:`` and vLLM too."""


def home_folder() -> Path:
    """RADOMICA_HOME, or the platform's user data folder."""
    set_by_user = os.environ.get("RADOMICA_HOME")
    return Path(set_by_user) if set_by_user else user_data_path("radomica", appauthor=False)


def adapter_folder(model_name: str) -> Path:
    """``RADOMICA_HOME/adapters/<model name made a file name>``."""
    return home_folder() / "adapters" / re.sub(r"[^A-Za-z0-9._-]+", "--", model_name).strip("-.")
