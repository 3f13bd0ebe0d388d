"""References of a card beside what tasks compute: wrong units are refused, unknown names are named."""

from dataclasses import dataclass, replace

import pytest
from pydantic import JsonValue

from uqbench.api import FrameTask, NotApplicable, PropertyTask
from uqbench.cli import main
from uqbench.data.card import Card, Crystal, ReferenceProperty
from uqbench.data.dataset import Dataset
from uqbench.data.references import check_references
from uqbench.errors import UqbenchError
from uqbench.registry import discover

TASKS = discover().tasks
FCC = Crystal(structure="fcc", a=3.6)
SUPERCELL: dict[str, JsonValue] = {"supercell": [2, 2, 2]}


def dataset(*properties, **fields):
    """A dataset without frames, of copper, with a card of the properties (name, unit)."""
    card = Card.model_validate(
        {
            "name": "mine",
            "description": "d",
            "elements": ["Cu"],
            "licence": "l",
            "citation": "c",
            "files": [{"name": "a.xyz", "sha256": "0" * 64, "bytes": 1}],
            "dft": {},
            "groups": {},
            "properties": [
                ReferenceProperty(
                    name=name, value=1.0, unit=unit, method="m", crystal=FCC, protocol=SUPERCELL
                )
                for name, unit in properties
            ],
            **fields,
        }
    )
    return Dataset("mine", card.elements, (), card, "", ())


LATTICE = ("lattice_constant", "Å")


@pytest.mark.parametrize(
    ("name", "unit", "task", "right"),
    [
        ("C11", "kbar", "elastic", "GPa"),
        ("bulk_modulus", "eV/Å³", "elastic", "GPa"),
        ("vacancy_formation_energy", "meV", "vacancy", "eV"),
        ("energy_bcc_minus_fcc", "meV/atom", "phases", "eV/atom"),
    ],
)
def test_a_reference_in_another_unit_is_refused(name, unit, task, right):
    assert check_references(dataset(LATTICE, (name, right)), TASKS) == []
    with pytest.raises(
        UqbenchError, match=f"mine: the reference {name} .* {unit}, the task {task} .* {right}"
    ):
        check_references(dataset(LATTICE, (name, unit)), TASKS)


def test_one_unit_in_several_spellings_of_unicode():
    assert check_references(dataset(("lattice_constant", "\u212b"), ("C11", "GPa")), TASKS) == []
    with pytest.raises(UqbenchError, match="lattice_constant has the unit nm"):
        check_references(dataset(("lattice_constant", "nm")), TASKS)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("c11", "C11"),
        ("bulk_mod", "bulk_modulus"),
        ("vacancy_energy", "vacancy_formation_energy"),
        ("vacancy_formation_enery_unrelaxed", "vacancy_formation_energy_unrelaxed"),
    ],
)
def test_a_misspelt_name_gets_a_hint(name, meant):
    (line,) = check_references(dataset(LATTICE, (name, "GPa")), TASKS)
    assert line.startswith("  warning: ")
    assert name in line
    assert line.endswith(f"Did you mean {meant}?")


def test_names_that_nothing_resembles_are_listed_in_one_line():
    (line,) = check_references(dataset(LATTICE, ("C11", "GPa"), ("gb_energy", "J/m²"), ("E0", "eV")), TASKS)
    assert line == "  references that no task uses: E0, gb_energy"


def test_a_card_whose_properties_cannot_be_used_says_why():
    why, hint = check_references(dataset(("latice_constant", "Å"), ("C11", "GPa")), TASKS)
    assert "not used" in why
    assert "no property lattice_constant with a crystal" in why
    assert hint.endswith("Did you mean lattice_constant?")
    (why,) = check_references(dataset(LATTICE, elements=["Cu", "Ni"]), TASKS)
    assert "holds Cu, Ni" in why


def test_there_is_nothing_to_say_without_a_card_or_properties():
    assert check_references(replace(dataset(), card=None), TASKS) == []
    assert check_references(dataset(), TASKS) == []


def test_a_task_that_breaks_is_left_to_its_run():
    @dataclass(frozen=True)
    class Broken(PropertyTask):
        def quantities(self, material):
            raise RuntimeError("no disk")

    @dataclass(frozen=True)
    class No(PropertyTask):
        def quantities(self, material):
            raise NotApplicable("not today")

    assert not issubclass(TASKS["forces"], PropertyTask)
    assert issubclass(TASKS["forces"], FrameTask)
    lines = check_references(dataset(LATTICE), {"broken": Broken, "no": No, "forces": TASKS["forces"]})
    assert lines == ["  references that no task uses: lattice_constant"]


def test_the_embedded_card_is_in_the_units_of_the_tasks_and_check_says_what_is_not_used(capsys):
    assert main(["data", "check", "al"]) == 0
    out = capsys.readouterr().out
    assert out.endswith("  references that no task uses: energy_per_atom\n")
    assert "Did you mean" not in out
