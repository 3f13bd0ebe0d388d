"""Laws of noise against the processes that they are laws of, and likelihoods against the dense Gaussian."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, special_ortho_group

from uqbench.backbones.noise_law import CorrelatedNoise, Nuggets, SiteNoise, WhiteNoise, neighbourhoods

N = 2
NUGGETS = Nuggets(0.03, 0.05)


def correlated(rng, n=N, nuggets=NUGGETS):
    return CorrelatedNoise(rng.uniform(0.2, 0.6), rng.standard_normal((n, 3)), 0.7, nuggets)


def by_site(rng, n=N, nuggets=NUGGETS):
    """Atom 0 sees atom 1 twice, as through a short cell; the last atom sees nothing."""
    edges = np.array([[0, 0, 1, 1], [1, 1, 0, 0]])
    return SiteNoise(
        rng.uniform(0.2, 0.6, n), rng.standard_normal((n, n, 3)), neighbourhoods(edges, n), 0.7, nuggets
    )


def drawn_globally(law, n_draws, rng):
    """E = s z and F = -∇(s z) with z = √2 cos(ω·x + b), whose covariance over ω and b is that of the RBF kernel."""
    omega = rng.standard_normal((n_draws, law.slopes.size)) / law.length
    phase = rng.uniform(0, 2 * np.pi, (n_draws, 1))
    z, slope = np.sqrt(2) * np.cos(phase), -np.sqrt(2) * omega * np.sin(phase)
    return law.scale * z, -(law.slopes.ravel() * z + law.scale * slope)


def drawn_by_site(law, n_draws, rng):
    """The same for each site, in the positions of its neighbours, images and all, less their mean."""
    n = len(law.scales)
    energies, forces = np.zeros((n_draws, 1)), np.zeros((n_draws, 3 * n))
    for i in range(n):
        atoms = np.repeat(np.arange(n), law.counts[i])
        positions = np.kron(np.eye(n)[atoms], np.eye(3))
        centred = (
            positions - np.kron(np.full((len(atoms), len(atoms)), 1 / len(atoms)), np.eye(3)) @ positions
        )
        omega = rng.standard_normal((n_draws, len(positions))) / law.length @ centred
        phase = rng.uniform(0, 2 * np.pi, (n_draws, 1))
        z, slope = np.sqrt(2) * np.cos(phase), -np.sqrt(2) * omega * np.sin(phase)
        energies += law.scales[i] * z
        forces -= law.slopes[i].ravel() * z + law.scales[i] * slope
    return energies, forces


@pytest.mark.parametrize(
    ("make", "draw"), [(correlated, drawn_globally), (by_site, drawn_by_site)], ids=["global", "site"]
)
def test_the_covariance_is_that_of_the_process(make, draw):
    """Second moments of 200 000 processes within three standard errors, entry by entry."""
    rng = np.random.default_rng(1)
    law = make(rng)
    values = np.concatenate(draw(law, 200_000, rng), axis=1)
    values[:, :1] += np.sqrt(NUGGETS.energy) * rng.standard_normal((len(values), 1))
    values[:, 1:] += np.sqrt(NUGGETS.forces) * rng.standard_normal((len(values), 3 * N))
    for i in range(values.shape[1]):
        products = values * values[:, i : i + 1]
        error = products.std(axis=0) / np.sqrt(len(values))
        assert np.all(np.abs(products.mean(axis=0) - law.covariance()[i]) < 3 * error + 1e-15)
    np.testing.assert_allclose(law.variances(), np.diag(law.covariance()), rtol=1e-12)


def test_among_mutual_neighbours_the_site_law_is_the_global_one_without_rigid_translations():
    rng = np.random.default_rng(2)
    n = 4
    scales, slopes = rng.uniform(0.2, 0.6, n), rng.standard_normal((n, n, 3))
    local = SiteNoise(scales, slopes, np.ones((n, n), dtype=int), 0.7)
    total = np.sqrt(np.sum(scales**2))
    whole = CorrelatedNoise(total, np.einsum("i,ijk->jk", scales, slopes) / total, 0.7)
    one, other = local.covariance(), whole.covariance()
    np.testing.assert_allclose(one[0], other[0], rtol=1e-12)
    own = slopes.reshape(n, -1)
    without = (total / 0.7) ** 2 * np.kron(np.eye(n) - 1 / n, np.eye(3))
    np.testing.assert_allclose(one[1:, 1:], own.T @ own + without, atol=1e-12)


def test_a_rigid_translation_has_a_variance_in_the_global_law_and_none_by_site():
    rng = np.random.default_rng(3)
    n = 5
    edges = rng.integers(0, n, (2, 20))
    edges = np.concatenate([edges, edges[::-1]], axis=1)
    free = rng.standard_normal((n, n, 3))
    free -= free.mean(axis=1, keepdims=True)  # a site's own scale does not change with a translation
    local = SiteNoise(rng.uniform(0.2, 0.6, n), free, neighbourhoods(edges, n), 0.7)
    whole = CorrelatedNoise(0.5, rng.standard_normal((n, 3)), 0.7)
    for axis in range(3):
        direction = np.concatenate([[0.0], np.tile(np.eye(3)[axis], n)])
        assert abs(direction @ local.covariance() @ direction) < 1e-12
        assert direction @ whole.covariance() @ direction > n * (0.5 / 0.7) ** 2 - 1e-9


def batch_of(sizes):
    torch = pytest.importorskip("torch")
    sizes = torch.tensor(sizes)
    structure = torch.repeat_interleave(torch.arange(len(sizes)), sizes)

    class Sized(SimpleNamespace):
        def __len__(self):
            return len(self.sizes)

    return Sized(sizes=sizes, structure=structure)


def dense_nll(values, covariance):
    """Less the constant that the O(N) formulas leave out; labels that are nan are left out."""
    here = np.isfinite(values)
    if not here.any():
        return 0.0
    density = multivariate_normal(cov=covariance[np.ix_(here, here)])
    return -density.logpdf(values[here]) - 0.5 * here.sum() * np.log(2 * np.pi)


@pytest.mark.parametrize("nuggets", [Nuggets(), Nuggets(0.03, 0.05), Nuggets(0.0, 0.05)])
def test_the_correlated_likelihood_is_the_dense_gaussian(nuggets):
    """All labels, energies or forces alone, some components without a label: to 1e-10."""
    torch = pytest.importorskip("torch")
    from uqbench.backbones.mace.noise_likelihood import Process, correlated_nll, energy_nll

    rng = np.random.default_rng(4)
    sizes = [1, 3, 4, 2, 5]
    laws = [correlated(rng, n, nuggets) for n in sizes]
    labels = [0.4 * rng.standard_normal(1 + 3 * n) for n in sizes]
    labels[1][0] = np.nan
    labels[2][1:] = np.nan
    labels[3][[2, 3, 6]] = np.nan
    e, f = (torch.as_tensor(np.concatenate(v)) for v in ([v[:1] for v in labels], [v[1:] for v in labels]))
    process = Process(
        torch.tensor([law.scale for law in laws], dtype=torch.float64),
        torch.as_tensor(np.concatenate([law.slopes for law in laws])),
        *(torch.tensor(v, dtype=torch.float64) for v in (0.7, nuggets.energy, nuggets.forces)),
    )
    found = correlated_nll(e, f.reshape(-1, 3), process, batch_of(sizes), 1.0).numpy()
    wanted = [dense_nll(v, law.covariance()) for v, law in zip(labels, laws, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)
    heavier = correlated_nll(e, f.reshape(-1, 3), process, batch_of(sizes), 3.0).numpy()
    own = energy_nll(torch.nan_to_num(e), process.scale**2 + nuggets.energy).numpy()
    np.testing.assert_allclose(heavier - found, np.where(np.isfinite(e), 2 * own, 0.0), atol=1e-10)


def test_the_white_likelihood_is_the_dense_gaussian():
    torch = pytest.importorskip("torch")
    from uqbench.backbones.mace.noise_likelihood import white_nll

    rng = np.random.default_rng(5)
    sizes = [2, 3]
    laws = [WhiteNoise(rng.uniform(0.1, 1), rng.uniform(0.1, 1, n)) for n in sizes]
    labels = [rng.standard_normal(1 + 3 * n) for n in sizes]
    labels[0][[0, 4]] = np.nan
    e, f = (torch.as_tensor(np.concatenate(v)) for v in ([v[:1] for v in labels], [v[1:] for v in labels]))
    found = white_nll(
        e,
        f.reshape(-1, 3),
        torch.tensor([law.energy for law in laws]),
        torch.as_tensor(np.concatenate([law.forces for law in laws])),
        batch_of(sizes),
        1.0,
    )
    wanted = [dense_nll(v, law.covariance()) for v, law in zip(labels, laws, strict=True)]
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-10)


def test_gradients_are_finite_where_labels_are_missing():
    """A nan label must not reach the weights."""
    torch = pytest.importorskip("torch")
    from uqbench.backbones.mace.noise_likelihood import Process, correlated_nll

    scale = torch.tensor([0.3, 0.4], dtype=torch.float64, requires_grad=True)
    slopes = torch.ones(3, 3, dtype=torch.float64, requires_grad=True)
    length = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    mean = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    e = torch.tensor([torch.nan, 0.1], dtype=torch.float64) - mean
    f = torch.full((3, 3), torch.nan, dtype=torch.float64)
    zero = torch.tensor(0.0, dtype=torch.float64)
    correlated_nll(e, f, Process(scale, slopes, length, zero, zero), batch_of([1, 2]), 1.0).sum().backward()
    for value in (scale, slopes, length, mean):
        assert torch.isfinite(value.grad).all()


def test_the_site_law_turns_with_the_structure():
    """Slopes turned by R give a covariance turned by R."""
    rng = np.random.default_rng(6)
    law = by_site(rng, 3)
    turn = special_ortho_group.rvs(3, random_state=7)
    whole = np.eye(10)
    whole[1:, 1:] = np.kron(np.eye(3), turn)
    turned = SiteNoise(law.scales, law.slopes @ turn.T, law.counts, law.length, law.nuggets)
    np.testing.assert_allclose(turned.covariance(), whole @ law.covariance() @ whole.T, atol=1e-12)
