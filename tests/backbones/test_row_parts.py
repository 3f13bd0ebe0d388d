"""Rows in parts: every structure in one of them, and the whole bit for bit that of one process."""

import numpy as np
import pytest
from toy_backbone import Toy, chains

from uqbench.backbones.parts import join_parts, parts_of, store_part
from uqbench.backbones.store import stored_rows
from uqbench.errors import UqbenchError

ELEMENTS = ("Cu", "W")


@pytest.mark.parametrize(("structures", "n"), [(12, 2), (12, 5), (12, 12), (12, 50)])
def test_parts_cover_every_structure_once(structures, n):
    parts = parts_of(chains(structures), n)
    assert 2 <= len(parts) <= n
    assert [i for first, last in parts for i in range(first, last)] == list(range(structures))
    assert all(last > first for first, last in parts)


@pytest.mark.parametrize(("structures", "n"), [(0, 3), (1, 3), (12, 1)])
def test_one_part_is_none(structures, n):
    assert parts_of(chains(structures), n) == ()


def test_parts_are_of_about_as_many_atoms():
    structures = chains(60)
    sizes = [sum(map(len, structures[a:b])) for a, b in parts_of(structures, 4)]
    largest = max(map(len, structures))
    assert max(sizes) - min(sizes) <= 2 * largest


@pytest.mark.parametrize("made", [[], [1], [0, 1, 2]])
def test_the_whole_is_that_of_one_process_and_no_part_stays(tmp_path, made):
    """Whoever made which of them."""
    structures = chains(12)
    parts = parts_of(structures, 3)
    for number in made:
        store_part(Toy(), structures, ELEMENTS, tmp_path / "parts", parts[number])
    joined = join_parts(Toy(), structures, ELEMENTS, tmp_path / "parts", parts)
    whole = stored_rows(Toy(), structures, ELEMENTS, tmp_path / "whole")
    np.testing.assert_array_equal(joined.table, whole.table)
    np.testing.assert_array_equal(joined.offsets, whole.offsets)
    files = [path.name for path in (tmp_path / "parts").iterdir() if path.suffix != ".lock"]
    assert sorted(files) == [f"{whole.key}.json", f"{whole.key}.rows"]
    assert not stored_rows(Toy(bad="raise", at=0), structures[:0], ELEMENTS, tmp_path).table.size
    again = join_parts(Toy(), structures, ELEMENTS, tmp_path / "parts", parts)
    assert not again.computed


def test_a_structure_keeps_its_number_in_errors(tmp_path):
    structures = chains(12)
    part = parts_of(structures, 3)[2]
    number = part[0] + 1
    with pytest.raises(UqbenchError, match=rf"structure {number}:"):
        store_part(Toy(bad="raise", at=len(structures[number])), structures, ELEMENTS, tmp_path, part)
