"""The contracts: all that the author of a method, task or backbone needs to read."""

from uqbench.api.backbone import Backbone, LinearBackbone
from uqbench.api.frame import KINDS, UNITS, Frame, Kind, size_of
from uqbench.api.linear import LinearProblem, ParameterPosterior, RowBlock
from uqbench.api.method import LinearMethod, Method
from uqbench.api.posterior import HasJointNoise, HasMembers, HasParameters, Posterior
from uqbench.api.prediction import Array, Interval, Prediction, Predictions
from uqbench.api.task import NotApplicable, Table, Task

__all__ = [
    "KINDS",
    "UNITS",
    "Array",
    "Backbone",
    "Frame",
    "HasJointNoise",
    "HasMembers",
    "HasParameters",
    "Interval",
    "Kind",
    "LinearBackbone",
    "LinearMethod",
    "LinearProblem",
    "Method",
    "NotApplicable",
    "ParameterPosterior",
    "Posterior",
    "Prediction",
    "Predictions",
    "RowBlock",
    "Table",
    "Task",
    "size_of",
]
