"""What comes from elsewhere is data: no code is run, no file outside is touched, no bomb goes off, no secret leaves."""

import gzip
import io
import json
import lzma
import os
import subprocess
import tarfile
import zipfile
from html.parser import HTMLParser

import numpy as np
import pytest
from browser import chromium
from faults.command_runs import make_place, records, run
from html_records import write_records
from numpy.lib import format as npy

from uqbench import limits, npz, yaml_file
from uqbench.compare.command import compare
from uqbench.compare.page import markdown
from uqbench.compare.sources import _extract, opened
from uqbench.data import read
from uqbench.data.card import DataFile, read_card
from uqbench.data.hdf5 import Selection, read_hdf5
from uqbench.data.read import read_frames
from uqbench.errors import UqbenchError
from uqbench.npz import read_npz
from uqbench.report.leaderboard import write_report
from uqbench.suite import bundle
from uqbench.suite.bundle import read_bundle
from uqbench.suite.config import load_suite
from uqbench.suite.secrets import HIDDEN, without_secrets

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


class Marks:
    """An object that leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("reader", [read_card, load_suite])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUGHS, "more than 100,000 values, aliases counted"),
        ("a: &a [*a]", "more than 100,000 values"),
        ("[" * 100_000, "more than 40 levels deep"),
        ("- " * 100_000, "more than 40 levels deep"),
        ("{a: " * 1000, "more than 40 levels deep"),
        ("# x\n" * 300_000, "more than 1,048,576 bytes"),
        ("a: !!python/object/apply:os.system ['true']", "not valid YAML: could not determine a constructor"),
        ("a: !!python/name:os.system", "not valid YAML"),
        ("a: 2020-13-45", "not valid YAML: month must be in 1..12"),
        ("a: " + "9" * 5000, "not valid YAML"),
    ],
)
def test_yaml_is_plain_and_small(tmp_path, reader, text, reason):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UqbenchError, match=reason):
        reader(tmp_path / "x.yaml")


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.yaml")
    with pytest.raises(UqbenchError, match="no regular file"):
        yaml_file.read_yaml(tmp_path / "x.yaml", "card")


def claims(shape, content=b""):
    """An .npy file whose header claims more than there is."""
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return file.getvalue() + content


def zipped(members, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_archives_of_arrays_are_checked_before_any_is_made(tmp_path, monkeypatch):
    """Shapes that lie, bombs, pickles; names of members are keys and never paths."""
    pickled = io.BytesIO()
    np.savez(pickled, a=np.array([Marks(tmp_path / "ran")], dtype=object))
    for content in (
        zipped({"a.npy": claims((10**15,))}),
        zipped({"a.npy": claims((10**9, 10**9, 10**9))}),
        zipped({"a.npy": claims((4,), b"x" * 31)}),
        pickled.getvalue(),
        zipped({"a.npy": b"not an array"}),
        b"not an archive",
    ):
        with pytest.raises(UqbenchError, match="not a NumPy archive of plain arrays"):
            read_npz(content, "x.npz")
    assert not (tmp_path / "ran").exists()
    monkeypatch.setattr(npz, "MOST_BYTES", 10**6)
    with pytest.raises(UqbenchError, match="unpack to more than 1,000,000 bytes"):
        read_npz(zipped({"a.npy": claims((10**6,), b"\0" * 8 * 10**6)}), "x.npz")
    found = read_npz(zipped({"../../a.npy": claims((2,), b"\0" * 16)}), "x.npz")
    assert list(found) == ["../../a"]


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_packed_structures_unpack_to_a_limit(tmp_path, monkeypatch, suffix, pack):
    monkeypatch.setattr(read, "MOST_BYTES", 10**6)
    path = tmp_path / f"x.xyz{suffix}"
    path.write_bytes(pack(b"\n" * 10**7))
    with pytest.raises(UqbenchError, match="unpacks to more than 1,000,000 bytes"):
        read_frames(path)
    path.write_bytes(pack(b"1\n\nCu 0 0 0\n")[:-9])
    with pytest.raises(UqbenchError, match="cannot be decompressed"):
        read_frames(path)


def test_both_packings_are_read_whole(monkeypatch):
    """Several members one after the other, as pigz and xz -T write them."""
    for suffix, pack in ((".gz", gzip.compress), (".xz", lzma.compress)):
        assert limits.decompressed(pack(b"one") + pack(b"two"), suffix, 6, "x") == b"onetwo"


def test_a_bundle_of_nothing_but_lines_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "MOST_LINES", 1000)
    path = tmp_path / "x.jsonl.xz"
    path.write_bytes(lzma.compress(b"\n" * 5000))
    with pytest.raises(UqbenchError, match="more than 1,000 lines"):
        read_bundle(path)


@pytest.mark.parametrize("name", ["../up.xyz", "/etc/passwd", "a/../../b", "..\\b"])
def test_files_of_a_card_lie_inside_its_folder(name):
    with pytest.raises(ValueError, match="does not leave its folder"):
        DataFile(name=name, sha256="0" * 64, bytes=1)


@pytest.mark.parametrize("kind", ["climbs", "absolute", "link", "hard link", "device"])
def test_an_archive_stays_in_its_folder(tmp_path, kind):
    member = tarfile.TarInfo({"climbs": "../out", "absolute": str(tmp_path / "out")}.get(kind, "in"))
    kinds = {"link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}
    member.type, member.linkname, member.size = kinds.get(kind, tarfile.REGTYPE), "../out", 0
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(member, io.BytesIO())
    target = tmp_path / "target"
    target.mkdir()
    if kind == "absolute":
        # The leading slash is taken off.
        _extract(file.getvalue(), target, "x")
    else:
        with pytest.raises(UqbenchError, match=r"cannot be unpacked|is a link or a device"):
            _extract(file.getvalue(), target, "x")
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_revision_is_refused(tmp_path, monkeypatch):
    """As a pull request could bring it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "x.json").symlink_to("/etc/passwd")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], check=True)
    with pytest.raises(UqbenchError, match=r"x.json is a link"), opened("HEAD:records"):
        pass


@pytest.mark.parametrize("kind", ["link", "external", "virtual"])
def test_parts_of_an_hdf5_file_do_not_lie_in_others(tmp_path, kind):
    h5py = pytest.importorskip("h5py", reason="needs h5py: pip install uqbench[hdf5]")
    (tmp_path / "other").write_bytes(bytes(800))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        group = file.create_group("CH")
        group["atomic_numbers"] = np.array([6, 1])
        group["coordinates"] = np.zeros((1, 2, 3))
        group["wb97x_dz.forces"] = np.zeros((1, 2, 3))
        name = "wb97x_dz.energy"
        if kind == "link":
            group[name] = h5py.ExternalLink(str(tmp_path / "other"), "/x")
        elif kind == "external":
            group.create_dataset(name, (1,), "f8", external=[(str(tmp_path / "other"), 0, 8)])
        else:
            layout = h5py.VirtualLayout((1,), "f8")
            layout[:] = h5py.VirtualSource(str(tmp_path / "other"), "x", (1,))
            group.create_virtual_dataset(name, layout)
    with pytest.raises(UqbenchError, match="another file"):
        list(read_hdf5(tmp_path / "x.h5", "ani1x", Selection()))


def test_secrets_of_the_environment_are_hidden_wherever_a_plugin_has_words():
    environment = {
        "GITHUB_TOKEN": "ghp_0123456789",
        "AWS_SECRET_ACCESS_KEY": "abcdef/0123",
        "DB_PASSWORD": "hunter2hunter2",
        "HTTPS_PROXY": "http://me:s3cret-word@proxy.example.org:80",
        "MY_TOKEN_HINT": "x",
        "HOME": "/home/somebody",
    }
    tree = {
        "reason": "no: ghp_0123456789 at abcdef/0123",
        "facts": [{"a": "hunter2hunter2", "b": 1.0}, {"c": "s3cret-word"}],
        "levels": (1.0, 2.0),
        "path": "/home/somebody/x",
    }
    found = without_secrets(tree, environment)
    assert found == {
        "reason": f"no: {HIDDEN} at {HIDDEN}",
        "facts": [{"a": HIDDEN, "b": 1.0}, {"c": HIDDEN}],
        "levels": (1.0, 2.0),
        "path": "/home/somebody/x",
    }
    assert without_secrets(tree, {"HOME": "/home/somebody"}) == tree


def test_a_planted_secret_is_in_no_record_of_a_run(tmp_path):
    """Nor is the name of the machine, of the user or of the working folder."""
    place = make_place(tmp_path)
    planted = {"SOME_API_KEY": "planted-0123456789", "ANY_VARIABLE": "planted-9876543210"}
    assert run(place, place / "out", **planted).returncode == 0
    content = b"".join(path.read_bytes() for path in (place / "out" / "records").iterdir())
    assert b"planted" not in content
    text = json.dumps(records(place / "out"))
    assert str(tmp_path) not in text
    assert os.uname().nodename not in text


class Elements(HTMLParser):
    """Elements with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The leaderboard and a comparison of records with hostile names, as a renderer that lets HTML through has them."""
    from markdown_it import MarkdownIt

    folder = tmp_path_factory.mktemp("pages")
    for name in ("old", "new"):
        write_records(folder / name)
    page = write_report(folder / "old", folder / "out").read_text()
    found = markdown(compare(folder / "old", folder / "new", True), "<script>alert(3)</script>", "new")
    render = MarkdownIt("commonmark", {"html": True}).enable("table").render
    return folder, [render(page), render(found)]


def test_hostile_names_are_text_in_markdown(pages):
    for page in pages[1]:
        tags = Elements(page).found
        assert not {"script", "iframe", "object", "style", "svg"} & {tag for tag, _ in tags}
        assert not [a for _, a in tags if any(name.startswith("on") for name in a)]
        assert not [a for _, a in tags if "javascript:" in str(a.get("href", ""))]
        assert "alert(1)" in page or "alert(3)" in page


def test_hostile_names_are_shown_as_text_in_a_browser(pages):
    folder, rendered = pages
    (folder / "page.html").write_text(
        "<!doctype html><meta charset='utf-8'><body data-ready='yes'>" + "".join(rendered), encoding="utf-8"
    )
    with chromium() as window:
        window.open(folder / "page.html")
        assert "<script>alert(1)</script>" in window.run("return document.body.innerText")
        assert window.run("return document.querySelectorAll('body script').length") == 0
