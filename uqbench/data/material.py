"""The material of a card: its crystal and its reference properties, for property tasks."""

from __future__ import annotations

from uqbench import api
from uqbench.data.card import Card, Crystal, ReferenceProperty


def material_of(card: Card | None, name: str) -> api.Material:
    """What property tasks know of a dataset.

    Raises NotApplicable: no card, several elements, or no lattice constant among the card's properties.
    """
    if card is None:
        raise api.NotApplicable(
            f"{name} has no card; a property needs a crystal and a reference: write a card (docs/your-data.md)."
        )
    if len(card.elements) != 1:
        raise api.NotApplicable(
            f"{name} holds {', '.join(card.elements)}; properties are those of one element."
        )
    found = {item.name: item for item in card.properties}
    if "lattice_constant" not in found or found["lattice_constant"].crystal is None:
        raise api.NotApplicable(
            f"the card of {name} has no property lattice_constant with a crystal; add it to say what the material is."
        )
    lattice = _lattice(found["lattice_constant"].crystal)
    references = {key: _reference(item) for key, item in found.items()}
    return api.Material(name, card.elements[0], lattice, references)


def _reference(item: ReferenceProperty) -> api.Reference:
    crystal = None if item.crystal is None else _lattice(item.crystal)
    return api.Reference(item.value, item.unit, item.error_estimate, item.protocol, crystal)


def _lattice(crystal: Crystal) -> api.Lattice:
    return api.Lattice(crystal.structure, crystal.a, crystal.c)
