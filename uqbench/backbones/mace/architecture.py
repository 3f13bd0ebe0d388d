"""What a ScaleShiftMACE of any make is built from, as plain data, and one built from that.

mace-torch keeps networks as pickled modules. Here such a module is taken apart into the arguments of its class, as text
and numbers, and its tensors by name, so that what is kept of it can be read without running code. Data on elements that
are not asked for are left out, which changes nothing for the others: it is smaller and faster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from uqbench.backbones.mace.model import PAIR_WEIGHT, Network, Normalisation
from uqbench.backbones.mace.quiet import building, mace_parts
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    import torch

READOUTS = ("LinearReadoutBlock", "NonLinearReadoutBlock")
RADIAL = {"BesselBasis": "bessel", "GaussianBasis": "gaussian", "ChebychevBasis": "chebyshev"}
TRANSFORMS = {"AgnesiTransform": "Agnesi", "SoftTransform": "Soft", "NoneType": "None"}
OPTIONS = {
    "use_reduced_cg": False,
    "use_so3": False,
    "use_edge_irreps_first": False,
    "use_agnostic_product": False,
    "use_last_readout_only": False,
    "apply_cutoff": True,
}
"""Of the constructor, and what holds where a file is older than they are."""


def describe(module: Network, name: str) -> dict[str, Any]:
    """The arguments. name: of the file, for messages. Raises UqbenchError for what is not known here."""
    if type(module).__name__ != "ScaleShiftMACE":
        raise _unknown(name, f"is a {type(module).__name__}, not a ScaleShiftMACE")
    heads = list(getattr(module, "heads", None) or ["Default"])
    if len(heads) > 1:
        raise UqbenchError(
            f"{name} has several heads ({', '.join(heads)}); write a file of one of them with mace_select_head."
        )
    if hasattr(module, "joint_embedding"):
        raise _unknown(name, "reads more of a structure than its atoms")
    kinds = [type(readout).__name__ for readout in module.readouts]
    if set(kinds) - set(READOUTS):
        raise _unknown(name, f"has a {sorted(set(kinds) - set(READOUTS))[0]}")
    radial = module.radial_embedding
    last = module.readouts[-1]
    perceptron = kinds[-1] == "NonLinearReadoutBlock"
    edges = getattr(module, "edge_irreps", None)
    return {
        "r_max": float(module.r_max),
        "num_bessel": len(radial.bessel_fn.bessel_weights),
        "num_polynomial_cutoff": int(radial.cutoff_fn.p),
        "radial_type": RADIAL.get(type(radial.bessel_fn).__name__, ""),
        "distance_transform": TRANSFORMS.get(type(getattr(radial, "distance_transform", None)).__name__, ""),
        "max_ell": int(module.spherical_harmonics._lmax),
        "interaction_cls": type(module.interactions[-1]).__name__,
        "interaction_cls_first": type(module.interactions[0]).__name__,
        "num_interactions": len(module.interactions),
        "hidden_irreps": str(module.products[0].linear.irreps_out),
        "edge_irreps": None if edges is None else str(edges),
        "MLP_irreps": str(last.hidden_irreps) if perceptron else "1x0e",
        "gate": _gate(last) if perceptron else None,
        "avg_num_neighbors": float(module.interactions[0].avg_num_neighbors),
        "correlation": [_correlation(product) for product in module.products],
        "radial_MLP": [int(n) for n in module.interactions[0].conv_tp_weights.hs[1:-1]],
        "pair_repulsion": hasattr(module, "pair_repulsion_fn"),
        **{option: bool(getattr(module, option, old)) for option, old in OPTIONS.items()},
    }


def build(architecture: Mapping[str, Any], elements: Sequence[str], normalisation: Normalisation) -> Network:
    """A network with random weights, float64, on the CPU."""
    parts = mace_parts()
    import torch
    from ase.data import atomic_numbers

    given = dict(architecture)
    for key in ("interaction_cls", "interaction_cls_first"):
        given[key] = getattr(parts.modules, given[key])
    for key in ("hidden_irreps", "MLP_irreps", "edge_irreps"):
        given[key] = None if given[key] is None else parts.o3.Irreps(given[key])
    gate = given.pop("gate")
    with building(0):
        network = parts.modules.ScaleShiftMACE(
            atomic_inter_scale=normalisation.scale,
            atomic_inter_shift=normalisation.shift,
            num_elements=len(elements),
            atomic_energies=np.zeros(len(elements)),
            atomic_numbers=[atomic_numbers[e] for e in elements],
            gate=torch.nn.functional.silu if gate is None else parts.modules.gate_dict[gate],
            **given,
        )
        if gate is None:
            inputs = network.products[-1].linear.irreps_out
            network.readouts[-1] = parts.modules.LinearReadoutBlock(inputs, parts.o3.Irreps("1x0e"))
        if given["pair_repulsion"]:
            network.register_parameter(PAIR_WEIGHT, torch.nn.Parameter(torch.ones(1)))
    return network


def tensors_of(
    module: Network, network: Network, picked: Sequence[int], name: str
) -> dict[str, NDArray[Any]]:
    """The module's tensors under the network's names. picked: which of the module's elements the network has.

    Raises UqbenchError naming a tensor that does not fit.
    """
    known = dict(module.named_modules())
    found: dict[str, NDArray[Any]] = {}
    for place, part in network.named_modules():
        own = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
        learnt = {key for key, _ in part.named_parameters(recurse=False)}
        theirs = _tensors(known[place]) if place in known else {}
        for key, tensor in own:
            full = f"{place}.{key}".removeprefix(".")
            if place in ("atomic_energies_fn", "scale_shift") or full == "atomic_numbers":
                continue
            if full == PAIR_WEIGHT and key not in theirs:
                found[full] = np.ones(1)
                continue
            if key not in theirs:
                if key in learnt:
                    raise _unknown(name, f"has no {full}")
                continue
            values = _picked(place, known[place], theirs[key], picked) if key in learnt else theirs[key]
            if values.shape == tensor.shape:
                found[full] = values.detach().cpu().numpy()
            elif key in learnt:
                raise _unknown(name, f"has a {full} of {tuple(values.shape)}, not {tuple(tensor.shape)}")
    return found


def _picked(place: str, part: Any, tensor: torch.Tensor, picked: Sequence[int]) -> torch.Tensor:
    """A weight without elements that are not picked. Products with one-hot vectors are normalised by their length."""
    import torch

    index = torch.as_tensor(picked)
    kind = type(part).__name__
    if ".symmetric_contractions." in place and tensor.numel():
        # Those that know no elements have one set of weights for all.
        return tensor if tensor.shape[0] == 1 else tensor[index]
    if kind == "Linear" and place.endswith(("node_embedding.linear", "source_embedding", "target_embedding")):
        n = part.irreps_in.dim
        return tensor.reshape(n, -1)[index].flatten() * (len(picked) / n) ** 0.5
    if kind == "FullyConnectedTensorProduct":
        n = part.irreps_in2.dim
        views = [view[:, index].flatten() for view in part.weight_views(tensor)]
        return torch.cat(views) * (len(picked) / n) ** 0.5
    return tensor


def _tensors(part: Any) -> dict[str, torch.Tensor]:
    return dict(part.named_parameters(recurse=False)) | dict(part.named_buffers(recurse=False))


def _gate(readout: Any) -> str:
    return readout.non_linearity.acts[0].f.__name__


def _correlation(product: Any) -> int:
    return len(product.symmetric_contractions.contractions[0].weights) + 1


def _unknown(name: str, what: str) -> UqbenchError:
    return UqbenchError(
        f"{name} {what}: an architecture that uqbench knows no last layer of. As one of --calculators it can be scored."
    )
