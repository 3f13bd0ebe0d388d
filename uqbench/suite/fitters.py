"""How a method meets a backbone: on stored rows, on a network or its last layer, on finished potentials."""

from __future__ import annotations

from uqbench.api import CalculatorBackbone, LinearBackbone, LinearMethod, NotApplicable
from uqbench.api.network import Say
from uqbench.registry import Registry
from uqbench.suite.committee import CommitteeFitter
from uqbench.suite.fitter import Fitter
from uqbench.suite.job import Job
from uqbench.suite.network_fitters import LastLayerFitter, NetworkFitter
from uqbench.suite.plan import mismatch, require_trust
from uqbench.suite.row_fitter import RowFitter


def make_fitter(job: Job, registry: Registry, say: Say) -> Fitter:
    """The fitter of a job; raises NotApplicable if its method does not run on its backbone."""
    backbone = job.fit.backbone.build(registry, "backbones")
    method = job.fit.method.build(registry, "methods")
    if reason := mismatch(job.fit.method, job.fit.backbone, registry):
        raise NotApplicable(reason)
    require_trust(backbone, job.trust)
    if isinstance(backbone, CalculatorBackbone):
        return CommitteeFitter(job, say, backbone, method)
    if isinstance(backbone, LinearBackbone):
        return RowFitter(job, say, backbone, method)
    if isinstance(method, LinearMethod):
        return LastLayerFitter(job, say, backbone, method)
    return NetworkFitter(job, say, backbone, method)
