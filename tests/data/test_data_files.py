"""Finding and fetching files, against a server on this machine that breaks off and lies."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from uqbench.data.card import Card
from uqbench.data.files import fetch, locate
from uqbench.errors import UqbenchError

CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def server():
    """Serves CONTENT; state: what it does and the ranges it was asked for."""
    state = {"content": CONTENT, "cut": None, "ranges": True, "asked": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            state["asked"].append(wanted)
            start = int(wanted[6:-1]) if wanted and state["ranges"] else 0
            body = state["content"][start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state["cut"]])

        def log_message(self, format, *args):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state["url"] = f"http://127.0.0.1:{running.server_port}/a.xyz"
    yield state
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("UQBENCH_DATA", raising=False)
    return tmp_path / "cache"


def card(url=None):
    file = {
        "name": "sub/a.xyz",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "bytes": len(CONTENT),
        "url": url,
    }
    return Card.model_validate(
        {
            "name": "tiny",
            "description": "d",
            "elements": ["Al"],
            "licence": "MIT",
            "citation": "c",
            "files": [file],
            "dft": {},
            "groups": {},
        }
    )


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_fetch_once_then_found(server, cache, tmp_path):
    seen = []
    (path,) = fetch(card(server["url"]), tmp_path, lambda done, size: seen.append((done, size))).values()
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert files_in(cache) == [path]
    fetch(card(server["url"]), tmp_path)
    assert len(server["asked"]) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on(server, cache, tmp_path, ranges):
    server["cut"] = 600_000
    with pytest.raises(UqbenchError, match=r"cannot be fetched.*go on"):
        fetch(card(server["url"]), tmp_path)
    (part,) = files_in(cache)
    have = part.stat().st_size
    assert part.name == "a.xyz.part"
    assert 0 < have < len(CONTENT)
    server.update(cut=None, ranges=ranges)
    (path,) = fetch(card(server["url"]), tmp_path).values()
    assert path.read_bytes() == CONTENT
    assert server["asked"][-1] == f"bytes={have}-"
    assert files_in(cache) == [path]


@pytest.mark.parametrize(
    ("content", "message"), [(CONTENT[:-1] + b"x", "hash"), (CONTENT + b"more", "more than the .* bytes")]
)
def test_a_wrong_file_is_not_kept(server, cache, tmp_path, content, message):
    server["content"] = content
    with pytest.raises(UqbenchError, match=f"{message}.*Nothing was kept"):
        fetch(card(server["url"]), tmp_path)
    assert files_in(cache) == []


def test_nothing_listens(cache, tmp_path):
    with pytest.raises(UqbenchError, match="cannot be fetched"):
        fetch(card("http://127.0.0.1:1/a.xyz"), tmp_path)
    assert files_in(cache) == []


def test_local_files_are_checked(tmp_path, monkeypatch):
    with pytest.raises(
        UqbenchError, match=r"sub/a\.xyz is not there .*SHA-256 [0-9a-f]{64}.*set UQBENCH_DATA"
    ):
        locate(card(), tmp_path / "beside")
    with pytest.raises(UqbenchError, match="Run: uqbench data fetch tiny"):
        locate(card("https://example.org/a.xyz"), tmp_path / "beside")
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    monkeypatch.setenv("UQBENCH_DATA", str(data))
    target = data / "sub" / "a.xyz"
    target.write_bytes(CONTENT)
    assert locate(card(), tmp_path / "beside") == {"sub/a.xyz": target}
    target.write_bytes(CONTENT[:-1])
    with pytest.raises(UqbenchError, match=f"has {len(CONTENT) - 1} bytes, the card says {len(CONTENT)}"):
        locate(card(), tmp_path / "beside")
    target.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(UqbenchError, match="has SHA-256"):
        locate(card(), tmp_path / "beside")
