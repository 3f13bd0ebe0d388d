"""Training: Adam with a warm-up and a cosine, averaged weights, the best epoch on clusters kept aside.

Cost: 0.8 ms an atom with 34 neighbours and epoch on one core (tiny, float32). On one thread of one machine the
same seed gives the same weights to the last bit, also if training was killed and resumed; CUDA adds in no fixed
order, so there they differ by rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from uqbench.api import Frame
from uqbench.backbones.mace.checkpoint import read_torch, training_key, write_torch
from uqbench.backbones.mace.config import MaceConfig
from uqbench.backbones.mace.early_stopping import carve_validation
from uqbench.backbones.mace.graphs import make_batch, make_graph, mean_neighbours
from uqbench.backbones.mace.model import Network, Normalisation, build_network, evaluate
from uqbench.backbones.mace.objective import Example, SquaredErrors, make_example
from uqbench.backbones.mace.pieces import Pieces
from uqbench.backbones.mace.quiet import full_precision, torch_device
from uqbench.backbones.mace.trained import TrainedMace
from uqbench.backbones.mace.training_run import Length, TrainingRun
from uqbench.errors import UqbenchError

FORMAT = "uqbench mace checkpoint 1"


def train_mace(
    frames: Sequence[Frame],
    elements: tuple[str, ...],
    references: Mapping[str, float],
    config: MaceConfig,
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> TrainedMace:
    """Train a network on frames, some of which are kept aside to decide when to stop.

    A frame may lack labels. references: energy (eV) of each element. checkpoint: file written after each epoch; if
    it is there, training goes on from it. say: told how each epoch went.
    Training is in float32. Where the loss stops being finite, the best weights so far are kept, and
    TrainedMace.stopped names the batch.

    Raises UqbenchError if frames are too few or have an element that is not in elements, for a checkpoint of
    another training, a device that is not there, too little memory, and a loss that is never finite.
    """
    target = torch_device(device)
    examples = make_examples(frames, elements, config.cutoff, references)
    learn, aside = carve_validation(frames, np.random.default_rng([seed, 0]))
    training = [examples[i] for i in learn]
    size = config.architecture
    key = training_key((config, size, elements, sorted(references.items()), seed, target.type), examples)
    network, normalisation = start_network(training, config, elements, references, seed)
    run = TrainingRun(
        SquaredErrors(network.float().to(target)),
        Length(config.n_epochs, size.batch_atoms, size.learning_rate),
        training,
        [examples[i] for i in aside],
        seed,
    )
    train_to_the_end(run, key, checkpoint, say)
    return TrainedMace(
        config,
        elements,
        dict(references),
        normalisation,
        {name: values.cpu().numpy() for name, values in run.best.items()},
        tuple(run.curve),
        run.stopped,
    )


def train_to_the_end(run: TrainingRun, key: str, checkpoint: Path | None, say: Callable[[str], None]) -> None:
    """Train, from the checkpoint if it is there, writing it after each epoch. key: of what is trained.

    Raises UqbenchError for a checkpoint of another training, and a loss that is never finite.
    """
    if checkpoint is not None and checkpoint.exists():
        run.resume(read_torch(checkpoint, FORMAT), key, checkpoint)
        say(f"goes on after epoch {run.epoch} of {run.length.epochs} from {checkpoint}")
    with full_precision():
        for text in run.epochs():
            say(text)
            if checkpoint is not None:
                write_torch(checkpoint, {"format": FORMAT, "key": key, **run.snapshot()})
    if run.stopped:
        say(run.stopped)
    if not run.best:
        raise UqbenchError(
            f"{run.stopped or 'the validation loss was never finite'}, before any epoch was done well. Look for atoms "
            "that almost touch or labels that are far off in these frames."
        )


def make_examples(
    frames: Sequence[Frame], elements: tuple[str, ...], cutoff: float, references: Mapping[str, float]
) -> list[Example]:
    """Frames as examples. Raises UqbenchError naming the frame that has no graph."""
    return [_example(frame, elements, cutoff, references) for frame in frames]


def _example(
    frame: Frame, elements: tuple[str, ...], cutoff: float, references: Mapping[str, float]
) -> Example:
    try:
        graph = make_graph(frame.atoms, elements, cutoff)
    except UqbenchError as error:
        raise UqbenchError(f"{frame.source}: {error}") from None
    total = sum(references[symbol] for symbol in frame.atoms.get_chemical_symbols())
    return make_example(frame, graph, total / len(graph))


def start_network(
    training: Sequence[Example],
    config: MaceConfig,
    elements: tuple[str, ...],
    references: Mapping[str, float],
    seed: int,
) -> tuple[Network, Normalisation]:
    """A network with features in units of the RMS force, shifted so that its first mean error of energies is zero."""
    import torch

    energies = np.array([example.labels[0][0] for example in training])
    forces = np.concatenate([example.labels[1] for example in training])
    labelled = np.isfinite(energies)
    scale = float(np.sqrt(np.mean(forces[np.isfinite(forces)] ** 2))) if np.isfinite(forces).any() else 0.0
    if scale < 1e-3:
        # No forces, or all zero by symmetry.
        scale = max(float(energies[labelled].std()) if labelled.any() else 0.0, 1e-3)
    graphs = [example.graph for example in training]
    unshifted = Normalisation(mean_neighbours(graphs), scale, 0.0)
    network = build_network(config, elements, references, unshifted, seed)
    if not labelled.any():
        return network, unshifted
    first = Pieces(config.architecture.batch_atoms).run(
        graphs,
        lambda piece: evaluate(network, make_batch(piece, len(elements), torch.float64)).energy.numpy(),
    )
    predicted = np.concatenate(list(first)) / np.array([len(graph) for graph in graphs])
    shift = float(np.mean((energies - predicted)[labelled]))
    network.scale_shift.shift.fill_(shift)
    return network, replace(unshifted, shift=shift)
