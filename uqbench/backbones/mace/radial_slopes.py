"""Radial networks as straight lines: for first derivatives alone, many of which are taken of the same structures.

What a radial network gives for an edge depends on the edge's length r alone. R(r) and R'(r) are computed once, in one
forward pass, and R + R'·(r - r₀) with constant R and R' has the same value and slope at r₀: going back through it is a
product, not a perceptron.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from uqbench.backbones.mace.model import Network

READ_ONCE = ("RealAgnosticInteractionBlock", "RealAgnosticResidualInteractionBlock")
"""Interactions that use radial functions as the input of their radial network, and nowhere else."""


@contextmanager
def straight_radials(network: Network) -> Iterator[None]:
    """Surroundings in which the network has right first derivatives and no others; unlike others it is left alone."""
    if any(type(interaction).__name__ not in READ_ONCE for interaction in network.interactions):
        yield
        return
    line = _Line()
    with ExitStack() as hooks:
        hooks.enter_context(network.radial_embedding.register_forward_hook(line.functions))
        for interaction in network.interactions:
            hooks.enter_context(interaction.conv_tp_weights.register_forward_hook(line.weights))
        yield


class _Line:
    """Lengths of edges (m, 1), and slopes of the radial functions (m, n) at them."""

    lengths: torch.Tensor
    slopes: torch.Tensor

    def functions(self, module: Any, given: tuple[Any, ...], found: Any) -> Any:
        """The radial functions without their slopes, which are noted."""
        import torch

        self.lengths, *others = given
        at = self.lengths.detach()
        line = torch.func.jvp(
            lambda lengths: module.forward(lengths, *others)[0], (at,), (torch.ones_like(at),)
        )
        self.slopes = line[1]
        return line[0], found[1]

    def weights(self, module: Any, given: tuple[torch.Tensor], found: torch.Tensor) -> torch.Tensor:
        """What a radial network makes of them, with its slope along the edge."""
        import torch

        slopes = torch.func.jvp(module.forward, given, (self.slopes,))[1]
        return found.detach() + slopes * (self.lengths - self.lengths.detach())
