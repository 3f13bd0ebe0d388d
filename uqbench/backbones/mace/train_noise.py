"""Training of a network with a noise head: by likelihood from the start, from a plain network, or the head alone.

Cost: an epoch of all weights takes 1.7 times one of a plain network, an epoch of the head alone about as much as one.
Reproducible, stopped early and resumed as plain training is, with the same clusters kept aside.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Frame, NoiseHead
from uqbench.backbones.mace.checkpoint import training_key
from uqbench.backbones.mace.config import MaceConfig
from uqbench.backbones.mace.early_stopping import carve_validation
from uqbench.backbones.mace.noise_head import UNKNOWN, Head, moments_of, start_head
from uqbench.backbones.mace.noise_objective import Likelihood, free_labels, residuals
from uqbench.backbones.mace.noisy import NoisyMace
from uqbench.backbones.mace.quiet import torch_device
from uqbench.backbones.mace.train import make_examples, start_network, train_to_the_end
from uqbench.backbones.mace.training_run import Length, TrainingRun

if TYPE_CHECKING:
    from uqbench.backbones.mace.trained import TrainedMace

EPOCHS = {"joint": 1.0, "warm_start": 0.25, "frozen_mean": 0.5}
"""Of those of a plain network."""
RATE = {"joint": 1.0, "warm_start": 0.05, "frozen_mean": 1.0}
"""Highest rate of learning, in that of a plain network."""


def train_noise(
    variant: NoiseHead,
    start: TrainedMace | None,
    frames: Sequence[Frame],
    elements: tuple[str, ...],
    references: Mapping[str, float],
    config: MaceConfig,
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> NoisyMace:
    """Train a network with a noise head on frames; see uqbench.backbones.mace.train.

    start: the plain network trained on the same with the same seed; None for the schedule "joint". Labels that
    symmetry makes zero teach no noise.
    """
    began = time.perf_counter(), time.process_time()
    target = torch_device(device)
    examples = make_examples(frames, elements, config.cutoff, references)
    learn, aside = carve_validation(frames, np.random.default_rng([seed, 0]))
    size = config.architecture
    key = training_key(
        (variant, config, size, elements, sorted(references.items()), seed, target.type), examples
    )
    if start is None:
        network, normalisation = start_network(
            [examples[i] for i in learn], config, elements, references, seed
        )
    else:
        network, normalisation = start.own_network(), start.normalisation
    left = examples if start is None else residuals(examples, frames, start)
    left, examples = (
        [free_labels(example, frame) for example, frame in zip(given, frames, strict=True)]
        for given in (left, examples)
    )
    moments = UNKNOWN if start is None else moments_of([left[i] for i in learn], normalisation.scale)
    examples = left if variant.schedule == "frozen_mean" else examples
    head = start_head(size.n_last_layer, variant, moments, seed)
    head = {name: weight.float().to(target).requires_grad_(True) for name, weight in head.items()}
    network = network.float().to(target).requires_grad_(variant.schedule != "frozen_mean")
    run = TrainingRun(
        Likelihood(network, Head(head, normalisation.scale), variant),
        Length(
            math.ceil(EPOCHS[variant.schedule] * config.n_epochs),
            size.batch_atoms,
            RATE[variant.schedule] * size.learning_rate,
        ),
        [examples[i] for i in learn],
        [examples[i] for i in aside],
        seed,
        (time.perf_counter() - began[0], time.process_time() - began[1]),
    )
    train_to_the_end(run, key, checkpoint, say)
    best = {name: values.cpu().numpy() for name, values in run.best.items()}
    own = {name: values for name, values in best.items() if not name.startswith("head.")}
    return NoisyMace(
        config,
        elements,
        dict(references),
        normalisation,
        start.state if start is not None and variant.schedule == "frozen_mean" else own,
        tuple(run.curve),
        run.stopped,
        variant,
        {name.removeprefix("head."): v for name, v in best.items() if name.startswith("head.")},
    )
