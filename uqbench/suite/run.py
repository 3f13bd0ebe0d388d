"""From a suite to records: datasets, backbones' suggested parameters, devices, plan, execution."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uqbench.api import CalculatorBackbone, CommitteeMethod, LinearMethod, NetworkBackbone, PropertyTask
from uqbench.data.card import read_card
from uqbench.data.catalog import dataset_names, load_card
from uqbench.data.dataset import Dataset
from uqbench.data.split import make_split
from uqbench.errors import UqbenchError
from uqbench.registry import Registry
from uqbench.suite.config import Suite
from uqbench.suite.datasets import card_or_name
from uqbench.suite.display import LiveDisplay, PlainDisplay
from uqbench.suite.execute import Crew, Display, Settings, execute
from uqbench.suite.plan import Fit, make_plan, mismatch, missing_packages
from uqbench.suite.recognise import RecordFiles
from uqbench.suite.server import start_server

if TYPE_CHECKING:
    from rich.console import Console

US_PER_ATOM = 400.0
"""Time of one atom's design rows on one core, for the estimate of a run that has not been made yet."""
SECONDS_PER_FIT, SECONDS_PER_PROPERTY, FIT_US_PER_ATOM = 3.0, 7.0, 1000.0
"""Of a fit and its scores, and of each property task more; fits of the embedded set took 1 to 80 s, 30 on average."""
TRAINING_US_PER_ATOM = 200e3
"""Of a network of size tiny: 29 s of a core for each of the three folds of the embedded dataset."""


def available_devices() -> tuple[str, ...]:
    """The CPU, and a GPU where there is a driver for one and a torch that can use it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        usable = "+cpu" not in version("torch") and Path("/dev/nvidia0").exists()
    except PackageNotFoundError:
        usable = False
    return ("cpu", "cuda") if usable else ("cpu",)


def unheard(text: str) -> None:
    """For what is said where nobody listens."""


def plan_suite(suite: Suite, registry: Registry, say: Callable[[str], None] = unheard) -> list[Fit]:
    """The fits of a suite; where it names no backbones, those that are used by default and are installed.

    Devices that it leaves open are those that are there. say: told about datasets that have to be made for it.
    """
    installed = (
        name
        for name, cls in sorted(registry.backbones.items())
        if cls.by_default and not missing_packages(cls)
    )
    backbones = suite.backbones or tuple(installed)
    suite = suite.model_copy(update={"backbones": backbones})

    def suggested(dataset: str) -> Mapping[str, Mapping[str, Any]]:
        place = f"dataset {suite.datasets.index(dataset) + 1} of {len(suite.datasets)}"
        dataset = card_or_name(dataset, default_cache(), lambda text: say(f"{text}, {place}"))
        is_card = dataset.endswith((".yaml", ".yml"))
        if not is_card and dataset not in dataset_names():
            return {}
        return (read_card(Path(dataset)) if is_card else load_card(dataset)).suggested

    plan = make_plan(suite, registry, suite.devices or available_devices(), suggested)
    for fit in plan:
        if issubclass(registry.methods[fit.method.name], CommitteeMethod) and not any(
            issubclass(registry.backbones[other.backbone.name], CalculatorBackbone) for other in plan
        ):
            raise UqbenchError(mismatch(fit.method, fit.backbone, registry))
    if not plan:
        needed = {name: missing_packages(cls) for name, cls in registry.backbones.items()}
        advice = [f"{name}: pip install 'uqbench[{name}]'" for name, packages in needed.items() if packages]
        raise UqbenchError(
            "there is nothing to run: the suite has no dataset, backbone, method or task."
            + (f" Backbones whose packages are missing: {'; '.join(advice)}." if advice else "")
        )
    return plan


def usable(
    plan: Sequence[Fit], load: Callable[[str], Dataset], held_out: Sequence[str] | None
) -> tuple[list[Fit], list[str]]:
    """The fits whose datasets can be loaded and split, and a sentence for each dataset that cannot."""
    reasons: dict[str, str] = {}
    for name, seed, size in dict.fromkeys((fit.dataset, fit.seed, fit.train_size) for fit in plan):
        if name in reasons:
            continue
        try:
            make_split(load(name), seed, size, held_out)
        except UqbenchError as error:
            reasons[name] = _naming(name, str(error))
    return [fit for fit in plan if fit.dataset not in reasons], list(reasons.values())


def _naming(dataset: str, reason: str) -> str:
    """The reason, with the dataset before it if it does not speak of it."""
    said = re.search(rf"(?<!\w){re.escape(Path(dataset).name)}(?!\w)", reason)
    return reason if said else f"{dataset}: {reason}"


def estimate_seconds(
    plan: Sequence[Fit], registry: Registry, load: Callable[[str], Dataset], workers: int, jobs: int
) -> float:
    """Time of a run from scratch, of the right order. The first dataset stands for the others.

    workers: processes for design rows. jobs: fits at a time.
    """
    atoms = sum(len(frame.atoms) for frame in load(plan[0].dataset).frames)
    rows, networks, seconds = set(), set(), 0.0
    for fit in plan:
        backbone = registry.backbones[fit.backbone.name]
        properties = sum(issubclass(registry.tasks[task], PropertyTask) for task in fit.tasks)
        seconds += SECONDS_PER_FIT + SECONDS_PER_PROPERTY * properties + 1e-6 * FIT_US_PER_ATOM * atoms
        if issubclass(backbone, NetworkBackbone):
            # Linear methods share one; what else the others train is not known here.
            own = "" if issubclass(registry.methods[fit.method.name], LinearMethod) else fit.method
            networks.add((fit.dataset, fit.backbone, fit.seed, fit.train_size, own))
        else:
            rows.add((fit.dataset, fit.backbone))
    seconds += 1e-6 * TRAINING_US_PER_ATOM * atoms * len(networks)
    return seconds / jobs + 1e-6 * US_PER_ATOM * atoms * len(rows) / workers


def default_cache() -> Path:
    """Folder of design rows: UQBENCH_CACHE, or the system's cache folder."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("UQBENCH_CACHE") or user_cache_dir("uqbench")) / "rows"


def run_plan(
    plan: list[Fit],
    settings: Settings,
    registry: Registry,
    load: Callable[[str], Dataset],
    console: Console,
    hire: Callable[[Settings, Display], AbstractContextManager[Crew | None]] = lambda *_: nullcontext(),
) -> RecordFiles:
    """What execute gives, with a live bar on a terminal, plain lines elsewhere. hire: gives execute's crew."""
    seen = console.is_terminal and not console.quiet
    display = LiveDisplay(console, len(plan)) if seen else PlainDisplay(console)
    live = display if isinstance(display, LiveDisplay) else nullcontext()
    with live, hire(settings, display) as crew:
        if crew is None:
            start_server()
        return execute(plan, settings, registry, load, display, crew)
