"""Every model a cohort run can fit, by name: the default, the baselines, the networks; and how a name is chosen.

What this module does not know: how any of them is fitted, files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from encoders.cohort_models.baselines import BASELINES
from encoders.cohort_models.label_baselines import LABEL_BASELINES
from encoders.cohort_networks.networks import NETWORKS
from encoders.cohort_networks.outcomes import COX, HAZARD
from encoders.cohort_networks.settings import (
    ATTENTION,
    GATED,
    GRAPH,
    HYBRID,
    PATHWAY,
    PATHWAY_TRANSFORMER,
    SNN,
    VAE,
    NetworkSettings,
)
from encoders.cohort_runs.tasks import TaskKind
from encoders.errors import InputError, SettingsError

DEFAULT_MODEL = "multi-kernel"
DEFAULT, BASELINE, NETWORK = "default", "baseline", "network"
GROUPS: tuple[str, ...] = ("networks", "baselines", "all")
"""Words that stand for several models."""
SURVIVAL_LOSSES: tuple[str, ...] = (COX, HAZARD)
_LABEL_KINDS = (TaskKind.LABEL, TaskKind.LABELS, TaskKind.RESPONSE)
_NETWORK_SOURCES = {
    SNN: "Klambauer et al., NeurIPS 2017 (self-normalising network)",
    PATHWAY: "Hao et al., BMC Bioinformatics 2018 (PASNet); Elmarakeby et al., Nature 2021 (P-NET)",
    VAE: "Kingma & Welling, ICLR 2014 (variational autoencoder)",
    GRAPH: "Kipf & Welling, ICLR 2017 (graph convolution)",
    PATHWAY_TRANSFORMER: "Jaume et al., CVPR 2024 (SurvPath)",
}
_BASELINE_SOURCES = {
    "ridge Cox": "Cox, J R Stat Soc B 1972; scikit-survival",
    "Coxnet": "Simon et al., J Stat Softw 2011; scikit-survival",
    "random survival forest": "Ishwaran et al., Ann Appl Stat 2008; scikit-survival",
    "ridge logistic": "Hoerl & Kennard, Technometrics 1970; scikit-learn",
    "elastic-net logistic": "Zou & Hastie, J R Stat Soc B 2005; scikit-learn",
    "random forest": "Breiman, Machine Learning 2001; scikit-learn",
}


@dataclass(frozen=True)
class ModelEntry:
    """One model. role : "default", "baseline" or "network"; fusion : how blocks come together; tasks it can do."""

    name: str
    role: str
    encoder: str
    fusion: str
    tasks: tuple[TaskKind, ...]
    source: str


@dataclass(frozen=True)
class FitOptions:
    """Choices of a run beside its models.

    loss : survival loss of networks; align : two blocks whose embeddings networks align by a contrastive loss
    weight_column : clinical number column of sample weights; epochs : most epochs of a network, None = its own
    explain : of the run's own network, explain the held-out patients of every fold; seed : of networks
    """

    loss: str = COX
    align: tuple[str, str] | None = None
    weight_column: str | None = None
    epochs: int | None = None
    explain: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.loss not in SURVIVAL_LOSSES:
            raise SettingsError(f"survival loss {self.loss!r}; allowed: {', '.join(SURVIVAL_LOSSES)}.")

    def changed(self) -> dict[str, object]:
        """The choices that are not the defaults, for a run's configuration, which tells the seed itself."""
        plain = FitOptions()
        found = {name: getattr(self, name) for name in ("loss", "align", "weight_column", "epochs", "explain")}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in found.items()
            if value != getattr(plain, name)
        }


def model_entries() -> tuple[ModelEntry, ...]:
    """Every model, the default first, then baselines, then networks."""
    every = tuple(TaskKind)
    found = [
        ModelEntry(
            DEFAULT_MODEL, DEFAULT, "linear and Gaussian kernel a block", "late, stacked", every,
            "Rasmussen & Williams 2006 (evidence); Breiman, Machine Learning 1996 (stacking)",
        )
    ]  # fmt: skip
    for names, tasks in ((BASELINES, (TaskKind.SURVIVAL,)), (LABEL_BASELINES, _LABEL_KINDS)):
        found += [
            ModelEntry(name, BASELINE, "columns as they are", "early", tasks, _BASELINE_SOURCES[name]) for name in names
        ]
    found += [
        ModelEntry(name, NETWORK, settings.encoder, settings.fusion, every, _NETWORK_SOURCES[settings.encoder])
        for name, settings in NETWORKS.items()
    ]
    return tuple(found)


def baselines_of(kind: TaskKind) -> tuple[str, ...]:
    """Names of the baselines for a kind of task; they are reported beside every run."""
    return tuple(BASELINES) if kind is TaskKind.SURVIVAL else tuple(LABEL_BASELINES)


def choose_models(asked: Sequence[str], kind: TaskKind, *, baselines: bool = True) -> tuple[str, ...]:
    """The models of a run, the run's own one first: the first asked for by name if that is a network, else the default.

    asked : names, upper or lower case, or groups ("networks", "baselines", "all"); baselines : always beside them

    Raises
    ------
    InputError: a name that is not known, or one that cannot do this kind of task; all names are listed.
    """
    can = {e.name: e for e in model_entries() if kind in e.tasks}
    by_lower = {name.lower(): name for name in can}
    groups = {
        "networks": tuple(n for n, e in can.items() if e.role == NETWORK),
        "baselines": baselines_of(kind),
        "all": tuple(can),
    }
    found: list[str] = []
    for text in asked:
        word = " ".join(text.lower().split())
        if word in groups:
            found += groups[word]
        elif word in by_lower:
            found.append(by_lower[word])
        else:
            raise InputError(
                f"no model {text!r} for this task ({kind.value}); allowed: {'; '.join(can)}; or a group: "
                f"{', '.join(GROUPS)}."
            )
    own = []
    if asked and " ".join(asked[0].lower().split()) not in groups and can[found[0]].role == NETWORK:
        own = [found[0]]
    beside = baselines_of(kind) if baselines else ()
    return tuple(dict.fromkeys((*own, DEFAULT_MODEL, *beside, *found)))


def own_model(models: Sequence[str]) -> str:
    """The model that a run is about: its first."""
    return models[0] if models else DEFAULT_MODEL


def network_settings(name: str, options: FitOptions) -> NetworkSettings:
    """Settings of a named network under the run's options.

    Raises
    ------
    SettingsError: an alignment with a fusion that has no embeddings of two blocks side by side.
    """
    settings = NETWORKS[name]
    if options.align is not None and settings.fusion not in (ATTENTION, GATED, HYBRID):
        raise SettingsError(
            f"network {name!r} cannot align two blocks: {settings.fusion} fusion has no embeddings of them side by "
            f"side; choose networks of {ATTENTION}, {GATED} or {HYBRID} fusion."
        )
    training = replace(settings.training, seed=options.seed)
    if options.epochs is not None:
        training = replace(training, epochs=options.epochs)
    return replace(settings, align=options.align, training=training)


def check_options(models: Sequence[str], kind: TaskKind, options: FitOptions) -> None:
    """Refuse options that no model, or not every network, of a run could follow, before anything is fitted.

    Raises
    ------
    SettingsError: an option of networks without a network, a survival loss for another task, an impossible alignment.
    """
    networks = [name for name in models if name in NETWORKS]
    asked = {"loss": options.loss != COX, "align": options.align is not None, "epochs": options.epochs is not None}
    idle = [name for name, used in asked.items() if used and not networks]
    if idle:
        raise SettingsError(f"{', '.join(idle)} is for networks and none was chosen; name one: {'; '.join(NETWORKS)}.")
    if options.loss != COX and kind is not TaskKind.SURVIVAL:
        raise SettingsError(f"survival loss {options.loss!r} for a {kind.value} task; leave --loss out.")
    for name in networks:
        network_settings(name, options)
