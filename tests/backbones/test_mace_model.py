"""The short forward against mace's own on mace's own data, against finite differences, and under torch.func."""

import numpy as np
import pytest
from ase import Atoms
from backbones.mace_toys import one_thread, structures, trained

from uqbench.backbones.mace.config import SIZES, MaceConfig
from uqbench.backbones.mace.graphs import make_batch, make_graph
from uqbench.backbones.mace.model import (
    Normalisation,
    atom_energies,
    build_network,
    coefficients,
    displaceable,
    evaluate,
    layer_features,
    n_last_layer,
)
from uqbench.backbones.mace.quiet import mace_parts
from uqbench.check.toy_backbone import VOIGT
from uqbench.errors import UqbenchError

ELEMENTS = ("Au", "Cu")
REFERENCES = {"Au": -3.1, "Cu": 0.4}


def network_of(size):
    one_thread()
    normalisation = Normalisation(neighbours=11.0, scale=0.7, shift=-0.3)
    return build_network(MaceConfig(size, cutoff=4.0), ELEMENTS, REFERENCES, normalisation, seed=3)


def maces_own(network, atoms, cutoff):
    """Energy, forces and stress by mace's own data structures and forward, in float64."""
    import torch
    from mace import data
    from mace.tools import AtomicNumberTable, torch_geometric

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        table = AtomicNumberTable(network.atomic_numbers.tolist())
        config = data.config_from_atoms(atoms)
        graph = data.AtomicData.from_config(config, z_table=table, cutoff=cutoff)
        (batch,) = torch_geometric.dataloader.DataLoader([graph], batch_size=1)
        found = network(batch.to_dict(), compute_stress=True)
    finally:
        torch.set_default_dtype(before)
    return [found[name].detach().numpy() for name in ("energy", "forces", "stress")]


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_the_forward_is_maces_own(size):
    """Energies, forces and stresses of all kinds of structures to 1e-10, evaluated as one batch."""
    import torch

    network = network_of(size)
    # Only structures with neighbours: mace's own forward has no gradient without.
    given = [a for a in structures() if make_graph(a, ELEMENTS, 4.0).edges.shape[1]]
    batch = make_batch([make_graph(a, ELEMENTS, 4.0) for a in given], 2, torch.float64)
    outputs = evaluate(network, batch)
    start = 0
    for b, atoms in enumerate(given):
        energy, forces, stress = maces_own(network, atoms, 4.0)
        ours = float(outputs.energy[b]) + sum(REFERENCES[s] for s in atoms.get_chemical_symbols())
        assert ours == pytest.approx(energy[0], abs=1e-10)
        np.testing.assert_allclose(outputs.forces[start : start + len(atoms)], forces, atol=1e-10)
        if atoms.pbc.all():
            expected = [stress[0][a, b] for a, b in VOIGT]
            np.testing.assert_allclose(outputs.stress[b], expected, atol=1e-10)
        else:
            assert not outputs.stress[b].any()
        start += len(atoms)


def test_energy_is_coefficients_times_features():
    import torch

    network = network_of("small")
    batch = make_batch([make_graph(structures()[0], ELEMENTS, 4.0)], 2, torch.float64)
    features = layer_features(network, batch, *displaceable(batch))
    size = SIZES["small"]
    assert [f.shape[1] for f in features] == [size.channels] * size.layers
    assert len(coefficients(network)) == 2 + n_last_layer(network) == 2 + size.channels * size.layers
    total = atom_energies(features, batch.node_attrs, coefficients(network)).sum()
    assert float(total.detach()) == pytest.approx(float(evaluate(network, batch).energy[0]), abs=1e-12)


def test_the_forward_works_under_torch_func():
    """grad and jacrev, which mace's own forward does not survive, agree with autograd."""
    import torch

    network = network_of("tiny").requires_grad_(False)
    batch = make_batch([make_graph(structures()[0], ELEMENTS, 4.0)], 2, torch.float64)
    strain = torch.zeros(1, 3, 3, dtype=torch.float64)

    def per_layer(positions):
        return torch.stack([f.sum() for f in layer_features(network, batch, positions, strain)])

    jacobian = torch.func.jacrev(per_layer)(batch.positions)
    gradient = torch.func.grad(lambda x: per_layer(x).sum())(batch.positions)
    assert jacobian.shape == (2, *batch.positions.shape)
    torch.testing.assert_close(jacobian.sum(0), gradient, atol=1e-12, rtol=0)
    positions, _ = displaceable(batch)
    (expected,) = torch.autograd.grad(per_layer(positions).sum(), positions)
    torch.testing.assert_close(gradient, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("number", range(6))
def test_forces_and_stress_of_the_calculator_are_derivatives_of_its_energy(number):
    atoms = structures()[number]
    calculator = trained().calculator()

    def energy(changed):
        return calculator.get_potential_energy(changed)

    step = 1e-4
    forces, numerical = calculator.get_forces(atoms), np.zeros((len(atoms), 3))
    for i, axis in np.ndindex(numerical.shape):
        up, down = atoms.copy(), atoms.copy()
        up.positions[i, axis] += step
        down.positions[i, axis] -= step
        numerical[i, axis] = -(energy(up) - energy(down)) / (2 * step)
    np.testing.assert_allclose(forces, numerical, atol=1e-6)
    np.testing.assert_allclose(forces.sum(0), 0.0, atol=1e-10)
    if not atoms.pbc.all():
        assert "stress" not in calculator.results
        return
    stress = calculator.get_stress(atoms)
    for v, (a, b) in enumerate(VOIGT):
        slope = 0.0
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += 0.5 * sign * step
            strain[b, a] += 0.5 * sign * step
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            slope += sign * energy(strained) / (2 * step)
        assert stress[v] == pytest.approx(slope / atoms.get_volume(), abs=1e-7)


def test_atoms_out_of_reach_of_each_other_have_their_own_energies():
    """No neighbours: the energies of isolated atoms, and neither force nor stress."""
    pair = structures()[-1]
    gold, copper, both = trained().predict([Atoms("Au"), Atoms("Cu"), pair])
    assert both.energy == pytest.approx(gold.energy + copper.energy, abs=1e-12)
    assert not both.forces.any()
    assert both.stress is not None
    assert not both.stress.any()
    assert gold.stress is None


def test_batches_predict_what_single_calls_do():
    found = trained().predict(structures())
    calculator = trained().calculator()
    for atoms, properties in zip(structures(), found, strict=True):
        assert properties.energy == pytest.approx(calculator.get_potential_energy(atoms), abs=1e-11)
        np.testing.assert_allclose(properties.forces, calculator.get_forces(atoms), atol=1e-11)
        if properties.stress is not None:
            np.testing.assert_allclose(properties.stress, calculator.get_stress(atoms), atol=1e-11)
    assert trained().predict([]) == []


def test_an_unseen_element_is_an_error():
    with pytest.raises(UqbenchError, match="never seen"):
        trained().predict([Atoms("Cu"), Atoms("Ni")])
    with pytest.raises(UqbenchError, match="never seen"):
        trained().calculator().get_potential_energy(Atoms("Ni"))


def test_building_leaves_the_process_as_it_was(capfd):
    """Neither the random state, nor torch's default type, nor e3nn's options change, and nothing is printed."""
    import e3nn
    import torch

    one_thread()
    state, options = torch.random.get_rng_state(), e3nn.get_optimization_defaults()
    network_of("tiny")
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.get_default_dtype() == torch.float32
    assert e3nn.get_optimization_defaults() == options
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bad", [{"size": "huge"}, {"cutoff": 0.0}, {"cutoff": np.nan}, {"epochs": 0}])
def test_bad_configurations_are_named(bad):
    with pytest.raises(UqbenchError, match=f"MaceConfig.{next(iter(bad))}"):
        MaceConfig(**bad)


def test_the_last_readout_of_mace_is_replaced():
    """All readouts are linear, else there is no last layer."""
    kinds = {type(readout) for readout in network_of("tiny").readouts}
    assert kinds == {mace_parts().modules.LinearReadoutBlock}
