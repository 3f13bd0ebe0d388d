"""Training of a network with a noise head: by likelihood from the start, from a plain network, or the head alone.

Cost: an epoch of all weights takes 1.7 times one of a plain network, an epoch of the head alone about as much as one.
Reproducible, stopped early and resumed as plain training is, with the same clusters kept aside.
"""

from __future__ import annotations

from uqbench.api import NetworkRequest, NoiseHead
from uqbench.backbones.mace.config import GivenConfig, MaceConfig
from uqbench.backbones.mace.model import n_last_layer
from uqbench.backbones.mace.noise_head import UNKNOWN, Head, moments_of, start_head
from uqbench.backbones.mace.noise_objective import Likelihood, free_labels, residuals
from uqbench.backbones.mace.noisy import NoisyMace
from uqbench.backbones.mace.preparation import Preparation, best_weights
from uqbench.backbones.mace.train import start_network
from uqbench.backbones.mace.trained import TrainedMace

EPOCHS = {"joint": 1.0, "warm_start": 0.25, "frozen_mean": 0.5}
"""Of those of a plain network."""
RATE = {"joint": 1.0, "warm_start": 0.05, "frozen_mean": 1.0}
"""Highest rate of learning, in that of a plain network."""


def train_noise(
    request: NetworkRequest, variant: NoiseHead, start: TrainedMace | None, config: MaceConfig
) -> NoisyMace:
    """Train a network with a noise head on frames; see uqbench.backbones.mace.train.

    start: the plain network; None for the schedule "joint". config: of networks that are trained from random weights.
    Labels that symmetry makes zero teach no noise.
    """
    # What a file gave describes itself.
    described = start.config if start and isinstance(start.config, GivenConfig) else config
    ready = Preparation.of(request, described)
    if start is None:
        network, normalisation = start_network(ready, config)
        left = ready.examples
    else:
        network, normalisation = start.own_network(), start.normalisation
        left = residuals(ready.examples, request.frames, start, request.device)
    left, examples = (
        [free_labels(example, frame) for example, frame in zip(given, request.frames, strict=True)]
        for given in (left, ready.examples)
    )
    frozen = variant.schedule == "frozen_mean"
    moments = UNKNOWN if start is None else moments_of([left[i] for i in ready.learn], normalisation.scale)
    head = start_head(n_last_layer(network), variant, moments, request.seed)
    head = {name: weight.float().to(ready.device).requires_grad_(True) for name, weight in head.items()}
    network = network.float().to(ready.device).requires_grad_(not frozen)
    run = ready.run(
        Likelihood(network, Head(head, normalisation.scale), variant),
        described.length.times(EPOCHS[variant.schedule], RATE[variant.schedule]),
        left if frozen else examples,
    )
    best = best_weights(run)
    own = {name: values for name, values in best.items() if not name.startswith("head.")}
    return NoisyMace(
        described,
        request.elements,
        dict(request.references),
        normalisation,
        own if start is None else {**start.state, **own},
        tuple(run.curve),
        run.stopped,
        variant,
        {name.removeprefix("head."): v for name, v in best.items() if name.startswith("head.")},
    )
