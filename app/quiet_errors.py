"""What reaches the log says where something happened, never a patient's text: no error's words, no tag's value."""

from __future__ import annotations

import logging
import traceback
import warnings
from pathlib import Path


def frames_of(error: BaseException | None) -> str:
    """Like "ValueError at folder.py:12 read_patient < workbench.py:80 _write": innermost first, no message."""
    if error is None:
        return "no error"
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    own = f"{type(error).__name__} at {places or 'no frame'}"
    return own if cause is None else f"{own}, after {frames_of(cause)}"


class _ByPlace(logging.Filter):
    """An error in a record becomes the place it came from."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            record.msg, record.args = f"{record.getMessage()}: {frames_of(record.exc_info[1])}", ()
            record.exc_info = record.exc_text = None
        return True


_BY_PLACE = _ByPlace()


def keep_values_out_of_logs() -> None:
    """Log errors by their place, here and in the web server; silence libraries that quote a file's values in warnings.

    Radomica's readers say themselves what is wrong with a file, to who gave it.
    """
    for name in ("radomica", "uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(_BY_PLACE)  # the same filter again changes nothing
    for name in ("pydicom", "highdicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module=rf"{name}(\.|$)")
