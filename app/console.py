"""What the command line prints: progress and errors on stderr, results on stdout.

Not known here: what the commands do (app/cli.py).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from app.settings import Settings
from encoders.errors import SettingsError

IMAGES_OFF = "image functions are switched off by a setting; no image is read"
STDOUT = Console(highlight=False, soft_wrap=True)
STDERR = Console(stderr=True, highlight=False, soft_wrap=True)


class ProgressLine:
    """The progress callback: a spinner on a terminal, plain timed lines elsewhere. Repeats are dropped."""

    def __init__(self, status: Any | None) -> None:
        self._status, self._started, self._last = status, time.monotonic(), ""

    def __call__(self, text: str) -> None:
        """Show one step."""
        if text == self._last:
            return
        self._last = text
        if self._status is not None:
            self._status.update(text)
        else:
            sys.stderr.write(f"[{time.monotonic() - self._started:6.1f} s] {text}\n")
            sys.stderr.flush()


@contextmanager
def progress_line(first: str) -> Iterator[ProgressLine]:
    """Progress on stderr for the time of the block."""
    if STDERR.is_terminal:
        with STDERR.status(first) as status:
            yield ProgressLine(status)
    else:
        line = ProgressLine(None)
        line(first)
        yield line


def print_error(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"radomica: {' '.join(text.split())}\n")


def say_images_off(settings: Settings) -> None:
    """One line on stderr where the image functions are switched off."""
    if not settings.images:
        print_error(IMAGES_OFF)


def need_images(settings: Settings) -> None:
    """Refuse a command that is about images where they are switched off.

    Raises
    ------
    SettingsError: RADOMICA_NO_IMAGES=1.
    """
    if not settings.images:
        raise SettingsError(f"{IMAGES_OFF}; unset RADOMICA_NO_IMAGES to use this command.")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None) -> None:
    """A plain table on stdout; text is shown as it is, never as markup."""
    table = Table(title=title, box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    STDOUT.print(table)


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Label and value lines on stdout."""
    width = max(map(len, pairs), default=0)
    for label, value in pairs.items():
        STDOUT.print(f"{label:<{width}}  {value}", markup=False)


def _plain(cell: str) -> Any:
    from rich.text import Text  # noqa: PLC0415

    return Text(str(cell))


def print_json(found: dict[str, Any]) -> None:
    """One JSON object on one line."""
    sys.stdout.write(json.dumps(found, ensure_ascii=False, allow_nan=False) + "\n")
