"""``hf:NAME[@REVISION][?planes=...&field_of_view_mm=...]``: what the spec says, and the folder it means.

Only safetensors weights and JSON settings are fetched; never pickled weights, never code. With RADOMICA_OFFLINE=1 (or
HF_HUB_OFFLINE=1) nothing is fetched. What this module does not know: networks.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from encoders.errors import SettingsError, UnavailableError
from encoders.image_encoders.card import Cut
from encoders.image_encoders.known_models import KNOWN_MODELS

PREFIX = "hf:"
FIELD_OF_VIEW_MM = 128.0
"""Default side of a slice: twice the lesion cube's, so that a picture network sees what surrounds the lesion. Chosen,
not tuned."""
_PLANES = {"axial": Cut.AXIAL_SLICE, "orthogonal": Cut.ORTHOGONAL_SLICES}
_PATTERNS = ("config.json", "preprocessor_config.json", "README.md", "*.safetensors", "*.safetensors.index.json")
_OPEN_CLIP = "open_clip_config.json"


@dataclass(frozen=True)
class HubSpec:
    """A parsed spec. name : hub id or folder; revision : branch, tag or commit asked for."""

    spec: str
    name: str
    revision: str | None = None
    cut: Cut = Cut.AXIAL_SLICE
    field_of_view_mm: float = FIELD_OF_VIEW_MM


@dataclass(frozen=True)
class HubFolder:
    """Files of one model. revision : commit they came from; None for a folder of the user's own."""

    path: Path
    revision: str | None

    def weight_files(self) -> tuple[Path, ...]:
        """The safetensors files, sorted by name."""
        return tuple(sorted(self.path.glob("*.safetensors")))

    def weights_sha256(self) -> str:
        """SHA-256 of the weight file; of several, the SHA-256 over the lines "name:sha256"."""
        each = []
        for file in self.weight_files():
            with file.open("rb") as stream:
                each.append((file.name, hashlib.file_digest(stream, "sha256").hexdigest()))
        if len(each) == 1:
            return each[0][1]
        return hashlib.sha256("\n".join(f"{name}:{digest}" for name, digest in each).encode()).hexdigest()


def parse_hub_spec(spec: str) -> HubSpec:
    """Read ``hf:NAME[@REVISION][?planes=axial|orthogonal&field_of_view_mm=MM]``.

    Raises
    ------
    SettingsError: an empty name, an unknown option, or a value that is not allowed
    """
    name, _, query = spec.removeprefix(PREFIX).strip().partition("?")
    if not name:
        raise SettingsError(f"{spec!r} names no model; write hf:owner/name or hf:FOLDER.")
    revision = None
    if not Path(name).expanduser().is_dir() and "@" in name:
        name, _, revision = name.rpartition("@")
        if not name or not revision:
            raise SettingsError(f"{spec!r}: write hf:owner/name@REVISION, both parts filled.")
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    unknown = sorted(options.keys() - {"planes", "field_of_view_mm"})
    if unknown or len(options) != len(pairs) or (query and not pairs):
        raise SettingsError(f"{spec!r}: options after ? are planes and field_of_view_mm, each once; found {query!r}.")
    planes = options.get("planes", "axial")
    if planes not in _PLANES:
        raise SettingsError(f"planes is {planes!r}; allowed: {', '.join(_PLANES)}.")
    return HubSpec(spec, name, revision, _PLANES[planes], _field(options.get("field_of_view_mm")))


def _field(text: str | None) -> float:
    if text is None:
        return FIELD_OF_VIEW_MM
    if not re.fullmatch(r"\d+(\.\d+)?", text) or not 16 <= float(text) <= 600:
        raise SettingsError(f"field_of_view_mm is {text!r}; allowed: a number from 16 to 600.")
    return float(text)


def find_hub_folder(wanted: HubSpec, *, pinned: str | None = None) -> HubFolder:
    """The folder, fetched from the hub where it is a hub id not yet on this machine.

    Parameters
    ----------
    pinned : commit used when the spec names no revision (that of the first use)

    Raises
    ------
    SettingsError: a folder that is no transformers model, or neither a folder nor a hub id
    UnavailableError: the model cannot be had, is in OpenCLIP's form, or has no safetensors weights
    """
    path = Path(wanted.name).expanduser()
    known = KNOWN_MODELS.get(wanted.name)
    if path.is_dir():
        found = HubFolder(path, None)
    elif known is not None and known.refused is not None:
        raise UnavailableError(f"{wanted.name}: {known.refused}.")
    else:
        found = _fetched(wanted, pinned)
    if (found.path / _OPEN_CLIP).is_file() and not (found.path / "config.json").is_file():
        raise UnavailableError(
            f"{wanted.name} is in OpenCLIP's form ({_OPEN_CLIP}), not transformers'. Save its image tower as a "
            "transformers folder (config.json, model.safetensors, preprocessor_config.json) and give hf:FOLDER."
        )
    if not (found.path / "config.json").is_file():
        raise SettingsError(f"{wanted.name} has no config.json; give a transformers model folder or a hub id.")
    if not found.weight_files():
        raise UnavailableError(
            f"{wanted.name} has no safetensors weights, and pickled ones are never loaded: reading them can run code. "
            "Save it once with save_pretrained and give hf:FOLDER."
        )
    return found


def _fetched(wanted: HubSpec, pinned: str | None) -> HubFolder:
    from huggingface_hub import snapshot_download  # noqa: PLC0415  (only this spec needs it)
    from huggingface_hub.errors import (  # noqa: PLC0415
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    offline = os.environ.get("RADOMICA_OFFLINE") == "1" or os.environ.get("HF_HUB_OFFLINE") == "1"
    revision = wanted.revision or pinned
    try:
        path = Path(
            snapshot_download(wanted.name, revision=revision, allow_patterns=list(_PATTERNS), local_files_only=offline)
        )
    except HFValidationError as error:
        raise SettingsError(f"hf:{wanted.name} is neither a folder here nor a hub id (owner/name).") from error
    except GatedRepoError as error:
        raise UnavailableError(
            f"{wanted.name} asks for its terms to be accepted: accept them on its hub page and sign in with "
            "`hf auth login`."
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        step = "unset RADOMICA_OFFLINE to fetch it" if offline else "check the id, the revision and the network"
        raise UnavailableError(f"{wanted.name} is not on this machine and could not be fetched; {step}.") from error
    return HubFolder(path, path.name)  # the cache keeps each commit in a folder of that name


def stated_licence(folder: HubFolder) -> str | None:
    """The licence in the front matter of the model's README.md; None where it states none."""
    readme = folder.path / "README.md"
    if not readme.is_file():
        return None
    front = re.match(r"---\n(.*?)\n---", readme.read_text(encoding="utf-8", errors="replace"), re.S)
    if front is None:
        return None
    said = dict(re.findall(r"^(license(?:_name)?):[ \t]*(\S[^\n]*?)[ \t]*$", front[1], re.M))
    return said.get("license_name") or said.get("license")
