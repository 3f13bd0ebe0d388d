"""The contracts: all that the author of a method, task or backbone needs to read."""

from uqbench.api.backbone import Backbone, LinearBackbone, Origin
from uqbench.api.committee import (
    CalculatorBackbone,
    CommitteeMember,
    CommitteeMethod,
    CommitteeProblem,
    Potential,
)
from uqbench.api.ensemble import Ensemble, spread
from uqbench.api.frame import KINDS, UNITS, Frame, Kind, size_of
from uqbench.api.linear import LinearProblem, ParameterPosterior, RowBlock, Weights
from uqbench.api.material import Lattice, Material, Reference
from uqbench.api.members import train_members
from uqbench.api.method import LinearMethod, Method
from uqbench.api.network import (
    CommitteeNetwork,
    NetworkBackbone,
    NetworkMethod,
    NetworkProblem,
    NetworkRequest,
    Noise,
    NoisyNetwork,
    Properties,
    TrainedNetwork,
)
from uqbench.api.noisy import NoisyPotential
from uqbench.api.posterior import HasJointNoise, HasMembers, HasParameters, Posterior
from uqbench.api.prediction import Array, Interval, Prediction, Predictions
from uqbench.api.quantity import Propagator, Quantity, Resampled, Status
from uqbench.api.task import FrameTask, NotApplicable, PropertyTask, Table, Task
from uqbench.api.variant import NoiseHead, Readouts, Variant

__all__ = [
    "KINDS",
    "UNITS",
    "Array",
    "Backbone",
    "CalculatorBackbone",
    "CommitteeMember",
    "CommitteeMethod",
    "CommitteeNetwork",
    "CommitteeProblem",
    "Ensemble",
    "Frame",
    "FrameTask",
    "HasJointNoise",
    "HasMembers",
    "HasParameters",
    "Interval",
    "Kind",
    "Lattice",
    "LinearBackbone",
    "LinearMethod",
    "LinearProblem",
    "Material",
    "Method",
    "NetworkBackbone",
    "NetworkMethod",
    "NetworkProblem",
    "NetworkRequest",
    "Noise",
    "NoiseHead",
    "NoisyNetwork",
    "NoisyPotential",
    "NotApplicable",
    "Origin",
    "ParameterPosterior",
    "Posterior",
    "Potential",
    "Prediction",
    "Predictions",
    "Propagator",
    "Properties",
    "PropertyTask",
    "Quantity",
    "Readouts",
    "Reference",
    "Resampled",
    "RowBlock",
    "Status",
    "Table",
    "Task",
    "TrainedNetwork",
    "Variant",
    "Weights",
    "size_of",
    "spread",
    "train_members",
]
