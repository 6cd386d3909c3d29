"""The one error tree of Radomica. Every error a user can cause or cure is one of these.

RadomicaError
|- InputError            bad patient file, table, folder or value           exit code 2
|- SettingsError         bad flag, environment variable or address          exit code 2
|- LLMUnreachableError   the configured LLM server does not answer          exit code 2
|- UnavailableError      a device, weight file or local program is missing  exit code 3
'- ContractError         a value breaks a contract between two stages       exit code 2

What this module does not know: how errors are printed (app/cli.py, app/api.py).
A message names the value found, the rule, what is allowed and the next step; it never holds a
patient's name or birth date.
"""

from __future__ import annotations

from typing import ClassVar


class RadomicaError(Exception):
    """Base of every error Radomica raises on purpose."""

    exit_code: ClassVar[int] = 2


class InputError(RadomicaError, ValueError):
    """A file or value given to Radomica cannot be used as it is."""


class SettingsError(RadomicaError, ValueError):
    """A flag, environment variable or address is not allowed."""


class LLMUnreachableError(RadomicaError, ConnectionError):
    """The LLM server named in the LLM spec does not answer, or answers something else."""


class UnavailableError(RadomicaError, RuntimeError):
    """Something local that this step needs (weights, device, program) is not there."""

    exit_code: ClassVar[int] = 3


class ContractError(RadomicaError, ValueError):
    """A value handed from one stage to the next breaks the contract between them."""
