"""Finding plugins: broken ones take nothing down, unknown names get the nearest, files are loaded by path."""

import sys
from importlib.metadata import EntryPoint

import pytest

from uqbench import registry as module
from uqbench.check.run import run_check
from uqbench.errors import UqbenchError
from uqbench.registry import discover, source_file

METHOD = '''"""One."""
from dataclasses import dataclass
from uqbench.api import LinearMethod

@dataclass(frozen=True)
class {name}(LinearMethod):
    """Two."""
    def fit(self, problem, rng):
        """Three."""
        raise NotImplementedError
'''


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes files importable and offers them as entry points of uqbench.methods."""
    monkeypatch.syspath_prepend(tmp_path)

    def offer(**sources):
        for name, text in sources.items():
            (tmp_path / f"{name}.py").write_text(text)
            monkeypatch.delitem(sys.modules, name, raising=False)
        points = [EntryPoint(n, f"{n}:Anything", "uqbench.methods") for n in sources]
        monkeypatch.setattr(
            module, "entry_points", lambda group: points if group == "uqbench.methods" else []
        )

    return offer


def test_an_entry_point_is_found(installed):
    installed(third_party_uq=METHOD.format(name="ThirdParty"))
    cls = discover().find("methods", "third_party_uq")
    assert cls.__name__ == "ThirdParty"
    assert source_file(cls).name == "third_party_uq.py"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import a_module_that_is_not_there", "ModuleNotFoundError: No module named 'a_module_that"),
        ("def f(:", "SyntaxError"),
        ("1/0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        (
            METHOD.format(name="Plain").replace("@dataclass(frozen=True)", ""),
            r"Plain is not a dataclass; decorate it with @dataclass\(frozen=True\)",
        ),
    ],
    ids=["import", "syntax", "error", "exit", "plain class"],
)
def test_a_broken_plugin_is_listed_and_takes_nothing_down(installed, text, reason):
    installed(bad_uq=text, good_uq=METHOD.format(name="Good"))
    registry = discover()
    assert {"good_uq", "constant", "pops"} <= set(registry.methods)
    assert "bad_uq" in registry.broken
    assert "bad_uq" not in registry.methods
    with pytest.raises(UqbenchError, match=f"method 'bad_uq' is broken: bad_uq: .*{reason}"):
        registry.find("methods", "bad_uq")
    lines = []
    assert run_check(["bad_uq"], registry, lines.append) == 1


def test_unknown_names_get_the_nearest():
    registry = discover()
    with pytest.raises(
        UqbenchError, match=r"no method is called 'bayesian_linera'\. Did you mean bayesian_linear"
    ):
        registry.find("methods", "bayesian_linera")
    with pytest.raises(UqbenchError, match=r"no task is called 'xyz'\. There are: .*forces"):
        registry.find("tasks", "xyz")


def test_a_name_with_a_file_beside_gets_the_option_that_reads_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_method.py").write_text("")
    with pytest.raises(UqbenchError, match=r"Is it in my_method.py\? Add --plugin my_method.py\."):
        discover().find("methods", "my_method")


def test_a_file_is_loaded_by_its_path_and_named_after_it(tmp_path):
    path = tmp_path / "own_uq.py"
    path.write_text(METHOD.format(name="Own"))
    registry = discover([path])
    cls = registry.find("methods", "own_uq")
    assert source_file(cls) == path
    assert sys.modules[cls.__module__].Own is cls
    assert "own_uq" not in discover().methods


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "plugin file .*own.py does not exist"),
        ("x = 1", "own.py defines no method, task or backbone; subclass one of"),
        ("from uqbench.api import *\nfrom uqbench_methods.pops import Pops", "own.py defines no method"),
        ("1/0", "own.py fails to import: ZeroDivisionError"),
        ("raise SystemExit('gone')", "own.py fails to import: SystemExit: gone"),
    ],
)
def test_a_file_that_was_asked_for_and_fails_is_an_error(tmp_path, text, words):
    path = tmp_path / "own.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UqbenchError, match=words):
        discover([path])
