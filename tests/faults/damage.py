"""Damage for readers to meet: bytes and values of sound files, changed as disks, editors and bad wills do."""

import signal
from contextlib import contextmanager

from hypothesis import strategies as st

NASTY = [
    *(
        b"nan",
        b"inf",
        b"-inf",
        b"1e999",
        b"-1",
        b"0",
        b"1e-300",
        b"1e300",
        b"9" * 5000,
        b"0x10",
        b"1_0",
        b"1e5",
    ),
    *(
        b"\x00",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\n",
        b"\r",
        b"\t",
        b" ",
        b'"',
        b"'",
        b"\\",
        b"\\ud800",
        b"%s",
        b"{}",
    ),
    *(
        b"[" * 300,
        b"{" * 300,
        b"&a [*a, *a]",
        b"*a",
        b"!!python/object/apply:os.system ['true']",
        b"!!binary |",
    ),
    *(
        b"!!timestamp 2020-13-45",
        b"!!int x",
        b"? [a]\n: b",
        b"<<: *a",
        b"---\n",
        b"...",
        b"# ",
        b": ",
        b"- ",
        b", ",
    ),
    *(
        b'Lattice="1e6 0 0 0 1e-3 0 0 0 1"',
        b"Properties=species:S:1:pos:R:3",
        b"Properties=species:S:1:pos:R:99999999",
    ),
    *(
        b"pos:R:0",
        b"forces:R:1",
        b"pbc=T",
        b'pbc="T T F"',
        b"stress=1",
        b'virial="1 2 3"',
        b"energy=x",
        b"Cu",
        b"Xx",
    ),
    *(b"null", b"true", b"[]", b"{}", b'""', b"-0.0", b"1e400", b"PK\x05\x06", b"\x1f\x8b", b"\xfd7zXZ\x00"),
]
VALUES = [
    *(
        None,
        True,
        False,
        0,
        -1,
        10**30,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x",
        "nan",
        "\x00",
        "é",
        "a" * 3000,
    ),
    *([], {}, [[]], [None], {"": None}, {"a": {"b": [1]}}, ["x"] * 50, "../x", "<script>", "2020-01-01"),
]
LONGEST = 30
"""Seconds that a reader may take over a file of a few kilobytes."""


@contextmanager
def in_time():
    """Ends what hangs, with an error that no reader may raise."""

    def late(number, frame):
        raise TimeoutError(f"still reading after {LONGEST} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@st.composite
def damaged_bytes(draw, *sound):
    """One of the sound contents after one to six edits."""
    content = draw(st.sampled_from(sound))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from([0, 0, 1, 1, 3, 20, 200, len(content)]))
        kind = draw(st.sampled_from(["put", "put", "put", "cut", "byte", "repeat"]))
        if kind == "put":
            content = content[:at] + draw(st.sampled_from(NASTY)) + content[at + length :]
        elif kind == "cut":
            content = content[:at] + content[at + length :]
        elif kind == "byte":
            content = content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :]
        else:
            content = content[: at + length] + content[at:]
    return content


@st.composite
def damaged_tree(draw, *sound):
    """One of the sound trees of plain values after one to four changes of a leaf, a branch or a name."""
    tree = draw(st.sampled_from(sound))
    for _ in range(draw(st.integers(1, 4))):
        paths = list(_paths(tree, ()))
        tree = _changed(tree, draw(st.sampled_from(paths)), draw)
    return tree


def _paths(tree, path):
    yield path
    branches = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in branches:
        yield from _paths(value, (*path, key))


def _changed(tree, path, draw):
    if not path:
        return draw(st.sampled_from(VALUES))
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    key, *rest = path
    if rest:
        copy[key] = _changed(tree[key], tuple(rest), draw)
        return copy
    kind = draw(st.sampled_from(["set", "set", "drop", "rename"]))
    if kind == "set" or isinstance(copy, list):
        copy[key] = draw(st.sampled_from(VALUES))
    else:
        value = copy.pop(key)
        if kind == "rename":
            copy[draw(st.sampled_from(["x", "", "0", "energy", "forces"]))] = value
    return copy
