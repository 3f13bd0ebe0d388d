"""The contracts: all that the author of a method, task or backbone needs to read."""

from uqbench.api.backbone import Backbone, LinearBackbone
from uqbench.api.frame import KINDS, UNITS, Frame, Kind, size_of
from uqbench.api.linear import LinearProblem, ParameterPosterior, RowBlock
from uqbench.api.material import Lattice, Material, Reference
from uqbench.api.method import LinearMethod, Method
from uqbench.api.network import (
    NetworkBackbone,
    NetworkMethod,
    NetworkProblem,
    Properties,
    TrainedNetwork,
)
from uqbench.api.posterior import HasJointNoise, HasMembers, HasParameters, Posterior
from uqbench.api.prediction import Array, Interval, Prediction, Predictions
from uqbench.api.quantity import Propagator, Quantity, Resampled, Status
from uqbench.api.task import FrameTask, NotApplicable, PropertyTask, Table, Task

__all__ = [
    "KINDS",
    "UNITS",
    "Array",
    "Backbone",
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
    "NotApplicable",
    "ParameterPosterior",
    "Posterior",
    "Prediction",
    "Predictions",
    "Properties",
    "PropertyTask",
    "Propagator",
    "Quantity",
    "Reference",
    "Resampled",
    "RowBlock",
    "Status",
    "Table",
    "Task",
    "TrainedNetwork",
    "size_of",
]
