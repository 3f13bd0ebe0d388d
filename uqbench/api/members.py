"""The members of an ensemble of networks, some of which may fail to train."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from uqbench.api.network import TrainedNetwork
from uqbench.errors import UqbenchError

Member = TypeVar("Member", bound=TrainedNetwork)


def train_members(
    method: str, count: int, train: Callable[[int], Member]
) -> tuple[tuple[Member, ...], dict[str, float | str]]:
    """Networks 0 to count - 1, and facts that say of which there are none, or that stopped early, and why.

    method: for messages. Raises UqbenchError if fewer than two come of it.
    """
    networks: list[Member] = []
    facts: dict[str, float | str] = {}
    for member in range(count):
        try:
            networks.append(train(member))
        except (UqbenchError, RuntimeError) as error:  # torch raises the latter
            facts[f"member_{member}_failed"] = str(error)
            continue
        if networks[-1].stopped:
            facts[f"member_{member}_stopped"] = networks[-1].stopped
    if len(networks) < 2:
        raise UqbenchError(
            f"{method}: {count - len(networks)} of {count} members failed to train, and a spread needs 2: "
            f"{next(iter(facts.values()))}"
        )
    return tuple(networks), {"members_trained": float(len(networks)), **facts}
