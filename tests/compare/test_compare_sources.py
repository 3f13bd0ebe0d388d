"""What can be compared: folders, bundles, git revisions; and what is refused, in words."""

import json
import shutil
import subprocess

import pytest
from toy_comparison import record, tables, vacancy, write

from uqbench.cli import main
from uqbench.compare.side import read_side
from uqbench.compare.sources import opened
from uqbench.errors import UqbenchError
from uqbench.suite.bundle import write_bundle

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(name="repository")
def _repository(tmp_path, monkeypatch):
    """A repository whose first commit has a record, changed since."""
    root = tmp_path / "repository"
    folder = root / "board" / "records"
    folder.mkdir(parents=True)
    write(folder, record(), tables())
    (root / "bench.json").write_text("{}")
    monkeypatch.chdir(root)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *command], check=True)
    write(folder, record(), tables(widened=1.3))
    return root


@needs_git
def test_a_revision_is_what_was_committed(repository):
    with opened("main:board/records") as folder:
        assert read_side(folder).entries["toy/line/pops/forces/train=1/seed=0/cpu"].tables()
        kept = folder
    assert not kept.exists()
    with opened("HEAD:bench.json") as file:
        assert file.read_text() == "{}"


@needs_git
@pytest.mark.parametrize("inside", ["board", "elsewhere"])
def test_a_revision_is_the_same_from_any_folder_of_the_repository(repository, monkeypatch, inside):
    (repository / inside).mkdir(exist_ok=True)
    monkeypatch.chdir(repository / inside)
    with opened("main:board/records") as folder:
        assert len(read_side(folder).entries) == 1
    with opened("HEAD:bench.json") as file:
        assert file.read_text() == "{}"


@needs_git
def test_a_revision_without_records_is_named_and_not_its_copy(repository, capsys):
    assert main(["compare", "HEAD:board", "board/records"]) == 2
    assert capsys.readouterr().err.startswith("uqbench: HEAD:board holds no records")


@needs_git
def test_the_command_compares_a_revision_with_the_working_tree(repository, capsys):
    assert main(["compare", "main:board/records", "board/records"]) == 1
    assert "width of stated bounds" in capsys.readouterr().out
    assert main(["compare", "board/records", "board/records"]) == 0


@needs_git
@pytest.mark.parametrize(
    "source", ["elsewhere:board/records", "main:nothing", "--output=x:y", "nowhere", "main:"]
)
def test_what_is_not_there_is_refused_with_its_name(repository, source):
    with pytest.raises(UqbenchError, match=r"git|is not there"), opened(source):
        pass
    assert not (repository / "x:y").exists()


def test_a_bundle_is_read_like_its_records(tmp_path):
    write_bundle([record(task="vacancy", properties=[vacancy()])], tmp_path / "all.jsonl.xz")
    entry = read_side(tmp_path).entries["toy/line/pops/vacancy/train=1/seed=0/cpu"]
    assert entry.bundled
    assert entry.raw_bytes() is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 0}, "schema_version is 0, and this uqbench reads 1"),
        ({"schema_version": "1"}, "schema_version is '1'"),
        ({"schema_version": None}, "schema_version is missing"),
        ({"cell_id": "al/snap/better/forces"}, "cell_id is al/snap/better/forces, but cell says toy/line"),
        ({"extra": 1}, "extra"),
    ],
)
def test_records_of_another_schema_are_refused_and_never_misread(tmp_path, change, said, capsys):
    """An old record without a version would pass for one of today's, whose default it takes."""
    for name in ("base", "new"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, record("other"), tables())
        path = write(tmp_path / name, record(), tables())
    content = {**json.loads(path.read_text()), **change}
    if content["schema_version"] is None:
        del content["schema_version"]
    path.write_text(json.dumps(content))
    side = read_side(tmp_path / "new")
    assert list(side.entries) == ["toy/line/other/forces/train=1/seed=0/cpu"]
    assert said in side.problems[path.name]
    assert main(["compare", str(tmp_path / "base"), str(tmp_path / "new")]) == 2
    assert "Could not be compared" in capsys.readouterr().out


def test_an_old_line_of_a_bundle_is_refused(tmp_path):
    import lzma

    line = record(task="vacancy", properties=[vacancy()]).model_dump_json().replace('"schema_version":1,', "")
    (tmp_path / "old.jsonl.xz").write_bytes(lzma.compress(line.encode()))
    assert "schema_version is missing" in read_side(tmp_path).problems["old.jsonl.xz, line 1"]


def test_two_records_of_a_cell_are_refused(tmp_path):
    path = write(tmp_path, record(), tables())
    (tmp_path / "z.json").write_text(path.read_text())
    assert "has a record in" in read_side(tmp_path).problems["z.json"]


def test_broken_files_are_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text("[]")
    (tmp_path / "c.jsonl.xz").write_bytes(b"no")
    assert set(read_side(tmp_path).problems) == {"a.json", "b.json", "c.jsonl.xz"}


def test_an_empty_folder_and_unlike_sources_exit_with_2(tmp_path, capsys):
    assert main(["compare", str(tmp_path), str(tmp_path)]) == 2
    assert "holds no records" in capsys.readouterr().err
    (tmp_path / "b.json").write_text("{}")
    assert main(["compare", str(tmp_path), str(tmp_path / "b.json")]) == 2
    assert "folder of records" in capsys.readouterr().err
