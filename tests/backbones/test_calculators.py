"""A user's calculators one by one: zeros of energy, names in errors, where they come from, what is trusted."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from numpy.random import default_rng
from scipy.stats import t as student

from uqbench.api import CommitteeProblem, NotApplicable
from uqbench.backbones.calculators.member import Known, Member
from uqbench.backbones.calculators.plugin import Calculators
from uqbench.backbones.calculators.sources import origin_of
from uqbench.check.toy_data import ELEMENTS, toy_frames, unseen_structures
from uqbench.errors import UqbenchError
from uqbench.registry import discover
from uqbench.spec import parse_spec
from uqbench.suite.plan import require_trust
from uqbench_methods.external import External

CELL = unseen_structures()[0]


class Zeroed(EMT):
    """EMT with its forces scaled, and energies (eV) added for each atom of an element."""

    def __init__(self, zeros, scale=1.0):
        super().__init__()
        self.zeros, self.scale = zeros, scale

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        shift = sum(self.zeros[s] for s in self.atoms.get_chemical_symbols())
        self.results["energy"] = self.scale * self.results["energy"] + shift
        for kind in {"forces", "stress"} & set(self.results):
            self.results[kind] = self.scale * self.results[kind]


def fitted(*calculators, frames=None):
    members = [Member(f"calculator {i}", c) for i, c in enumerate(calculators)]
    return External().fit(CommitteeProblem(frames or toy_frames(), ELEMENTS, members), default_rng(0))


def test_zeros_of_energy_are_found_to_the_last_digits():
    """Labels are EMT's: whatever constants an element has been given are taken off again."""
    posterior = fitted(Zeroed({"Cu": 0.0, "Au": 0.0}), Zeroed({"Cu": 1234.5, "Au": -77.0}))
    found = posterior.predict(unseen_structures())
    truth = []
    for atoms in unseen_structures():
        copy = atoms.copy()
        copy.calc = EMT()
        truth.append(copy.get_potential_energy() / len(copy))
    assert found.energy.mean == pytest.approx(truth, abs=1e-9)
    assert found.energy.std.max() < 1e-9
    assert found.forces.std.max() == 0.0
    assert posterior.facts["member_1_offset_Cu"] == pytest.approx(-1234.5, abs=1e-8)


def test_differences_of_energy_at_one_composition_are_the_calculators_own():
    """Formation energies do not see the zeros: members' differences are those of the calculators as they came."""
    plain = [Zeroed({"Cu": 3.0, "Au": 900.0}, s) for s in (1.0, 1.1, 0.8)]
    moved = CELL.copy()
    moved.positions[0] += 0.2
    for member, own in zip(fitted(*plain).members(), plain, strict=True):
        energies = []
        for calculator in (member, own):
            pair = [CELL.copy(), moved.copy()]
            for atoms in pair:
                atoms.calc = calculator
            energies.append(pair[1].get_potential_energy() - pair[0].get_potential_energy())
        assert energies[0] == pytest.approx(energies[1], abs=1e-9)


def test_intervals_are_students_with_the_spread_of_a_new_member():
    scales = np.array([1.0, 1.1, 0.8])
    found = fitted(*(Zeroed({"Cu": 0.0, "Au": 0.0}, s) for s in scales)).predict([CELL]).forces
    copy = CELL.copy()
    copy.calc = EMT()
    forces = copy.get_forces().ravel()
    assert found.mean == pytest.approx(scales.mean() * forces, abs=1e-12)
    half = student.ppf(0.975, df=2) * scales.std(ddof=1) * np.sqrt(1 + 1 / 3) * np.abs(forces)
    interval = found.interval(0.95)
    assert interval.rule == "student"
    assert interval.upper - found.mean == pytest.approx(half, abs=1e-12)


def test_a_member_is_its_calculator_and_its_forces_are_the_slope_of_its_energy():
    offsets = {"Cu": 2.0, "Au": -5.0}
    atoms, own = CELL.copy(), CELL.copy()
    atoms.calc, own.calc = Member("m", EMT()).aligned(offsets).calculator(), EMT()
    shift = sum(offsets[s] for s in atoms.get_chemical_symbols())
    assert atoms.get_potential_energy() == pytest.approx(own.get_potential_energy() + shift, abs=1e-12)
    assert np.array_equal(atoms.get_forces(), own.get_forces())
    assert np.array_equal(atoms.get_stress(), own.get_stress())
    energies = []
    for step in (1e-4, -1e-4):
        atoms.positions[1, 2] = CELL.positions[1, 2] + step
        energies.append(atoms.get_potential_energy())
    assert (energies[1] - energies[0]) / 2e-4 == pytest.approx(own.get_forces()[1, 2], abs=1e-6)


def test_constraints_of_a_structure_do_not_hide_forces():
    from ase.constraints import FixAtoms

    atoms = CELL.copy()
    atoms.set_constraint(FixAtoms([0, 1, 2, 3]))
    (found,) = Member("m", EMT()).predict([atoms])
    assert np.abs(found.forces).max() > 0.1


class Counting(EMT):
    calls = 0

    def calculate(self, *args, **options):
        type(self).calls += 1
        super().calculate(*args, **options)


def test_what_is_known_is_not_computed_again_unless_it_is_set_aside():
    Counting.calls = 0
    known = Known()
    member = Member("m", Counting(), known)
    member.compute(CELL, "here")
    after = Counting.calls
    member.aligned({"Cu": 0.0, "Au": 0.0}).predict([CELL, CELL])
    assert Counting.calls == after
    moved = CELL.copy()
    moved.positions[0, 0] += 1e-9
    member.predict([moved])
    assert Counting.calls > after
    after = Counting.calls
    with known.set_aside():
        member.predict([CELL])
    assert Counting.calls > after
    after = Counting.calls
    member.predict([moved])  # ASE calculators know their last structure
    member.calculator().calculate(CELL)
    assert Counting.calls == after + 2


class NoForces(Calculator):
    implemented_properties = ["energy"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": 1.0}


class Wild(NoForces):
    implemented_properties = ["energy", "forces"]  # noqa: RUF012
    forces = np.full((4, 3), np.nan)

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        self.results["forces"] = self.forces


class Short(Wild):
    forces = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("calculator", "words"),
    [
        (
            EMT(),
            r"train.xyz, frame 3 \(Fe4\): calculator 1 fails: NotImplementedError: No EMT-potential for Fe",
        ),
        (
            NoForces(),
            "calculator 1 does not give .*forces.*energies and forces of every calculator are needed",
        ),
        (Wild(), "calculator 1 gives forces that is not finite"),
        (Short(), r"calculator 1 gives forces of shape \(2, 3\); \(4, 3\) is needed"),
    ],
)
def test_what_goes_wrong_names_structure_calculator_and_error(calculator, words):
    with pytest.raises(UqbenchError, match=words):
        Member("calculator 1", calculator).compute(bulk("Fe", "fcc", a=3.6, cubic=True), "train.xyz, frame 3")


def test_an_element_without_a_zero_is_an_error():
    atoms = CELL.copy()
    atoms.symbols[0] = "Ni"
    with pytest.raises(
        UqbenchError, match=r"structure 0 holds Ni, .*energy zero of calculator 0 is not known"
    ):
        fitted(EMT(), EMT()).predict([atoms])


class Stressless(LennardJones):
    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        self.results = {k: self.results[k] for k in ("energy", "forces")}


def test_without_a_stress_none_is_predicted_and_what_needs_one_is_not_applicable():
    posterior = fitted(Stressless(), Stressless(sigma=1.1))
    found = posterior.predict(unseen_structures())
    assert found.stress is None
    assert len(found.forces) == 3 * sum(map(len, unseen_structures()))
    atoms = CELL.copy()
    atoms.calc = posterior.members()[0]
    atoms.get_forces()
    with pytest.raises(NotApplicable, match="calculator 0 gives no stress"):
        atoms.get_stress()


def test_frames_without_energies_leave_the_zeros_alone():
    frames = tuple(replace(f, energy=None) for f in toy_frames())
    posterior = fitted(EMT(), Zeroed({"Cu": 1.0, "Au": 1.0}), frames=frames)
    assert posterior.facts["member_1_offset_Cu"] == 0.0


def test_fewer_than_two_members_are_refused():
    with pytest.raises(UqbenchError, match="1 members; a spread needs at least 2"):
        fitted(EMT())


def test_sources_are_text_lists_and_text_again(tmp_path):
    registry = discover()
    spec = parse_spec("calculators:source=ase.build:bulk+json.tool:main", registry, "backbones")
    assert spec.parameters == (("source", ("ase.build:bulk", "json.tool:main")),)
    assert parse_spec(str(spec), registry, "backbones") == spec
    assert spec.text({"ase.build:bulk": "x"}) == "calculators:source=x+json.tool:main"


def test_origins_tell_files_of_one_name_and_changed_modules_apart(tmp_path):
    found = []
    for folder, content in (("one", b"1"), ("two", b"2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.model").write_bytes(content)
        found.append(origin_of(str(tmp_path / folder / "a.model")))
    assert all(o.pickled and o.known_as.startswith("a.model@") for o in found)
    assert found[0].known_as != found[1].known_as
    module = tmp_path / "mine.py"
    module.write_text("def f(): pass")
    before = origin_of(f"{module}:f")
    module.write_text("def f(): return 1")
    after = origin_of(f"{module}:f")
    assert before.known_as == after.known_as == "mine.py:f"
    assert before.sha256 != after.sha256
    assert not before.pickled
    assert origin_of("ase.build:bulk").sha256


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ((), "name them with --calculators"),
        (("nowhere.py:f",), "there is no file nowhere.py"),
        (("a.model",), "there is no file a.model"),
        (("committee.py",), r"name the function that returns them, committee.py:FUNCTION"),
        (("no_such_module_:f",), "there is no module 'no_such_module_' on Python's path"),
        (("no_such_package_.inner:f",), "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_what_is_not_there_is_said_before_anything_runs(source, words):
    with pytest.raises(UqbenchError, match=words):
        require_trust(Calculators(source), trust=True)


def test_a_pickled_file_is_not_opened_without_trust(tmp_path):
    path = tmp_path / "a.model"
    path.write_bytes(b"")
    with pytest.raises(UqbenchError, match=r"reading it runs whatever code is in it.* add --trust"):
        require_trust(Calculators((str(path),)), trust=False)
    require_trust(Calculators((str(path),)), trust=True)
    require_trust(Calculators(("ase.build:bulk",)), trust=False)


def test_a_function_cannot_be_moved_to_another_device():
    with pytest.raises(NotApplicable, match="use --device cpu"):
        Calculators(("ase.build:bulk",)).calculators("cuda")


def test_a_potential_is_not_named_twice():
    source = ("ase.calculators.emt:EMT", "ase.calculators.emt:EMT")
    with pytest.raises(UqbenchError, match="EMT is named twice"):
        Calculators(source).calculators("cpu")
