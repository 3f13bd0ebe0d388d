"""Cards: a wrong one is refused with file, line and field."""

import pytest
import yaml

from uqbench.data.card import read_card
from uqbench.errors import UqbenchError

CARD = """name: tiny
description: Two frames.
elements: [Al]
licence: MIT
citation: nobody
files:
- name: tiny.xyz
  sha256: {sha}
  bytes: 10
dft: {{summary: none}}
groups: {{md: dynamics}}
""".format(sha="a" * 64)


def test_a_card_reads(tmp_path):
    path = tmp_path / "card.yaml"
    path.write_text(CARD)
    card = read_card(path)
    assert (card.name, card.elements, card.files[0].role) == ("tiny", ("Al",), "pool")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("licence: MIT\n", "", "line 1, licence: Field required"),
        ("bytes: 10", "bytes: ten", r"line 9, files\.0\.bytes: .*'ten'"),
        ("bytes: 10", "bytes: -1", r"line 9, files\.0\.bytes"),
        ("a" * 64, "abc", r"line 8, files\.0\.sha256"),
        ("tiny.xyz", "../tiny.xyz", r"line 7, files\.0\.name: .*does not leave its folder"),
        ("tiny.xyz", "/etc/passwd", r"line 7, files\.0\.name"),
        ("bytes: 10", "bytes: 10\n  url: file:///etc/passwd", r"line 10, files\.0\.url"),
        ("bytes: 10", "bytes: 10\n  role: reference", "one of the role pool is needed"),
        ("[Al]", "[aluminium]", r"line 3, elements\.0"),
        ("groups:", "units: {energy: Ha}\ngroups:", r"line 11, units\.energy: .*'eV'.*found: 'Ha'"),
        ("groups:", "held_out: [slab]\ngroups:", "held_out names the config_type 'slab'"),
        ("groups:", "cluster_by: {slab: run}\ngroups:", "cluster_by names the config_type 'slab'"),
        ("groups:", "energy_references: {Cu: -1.0}\ngroups:", "energy_references names Cu"),
        ("[Al]", "[Al, Cu]\nmax_energy_above_lowest: 1", "for one element only"),
        ("groups:", "ignore: [virial]\ngroups:", r"line 11, ignore\.0"),
        (
            "groups:",
            "properties: [{name: a, value: 1, unit: Å, method: m, structures: x.xyz}]\ngroups:",
            "names the file 'x.xyz'",
        ),
    ],
)
def test_a_wrong_card_is_refused_with_its_line(tmp_path, old, new, message):
    path = tmp_path / "card.yaml"
    assert old in CARD
    path.write_text(CARD.replace(old, new))
    with pytest.raises(UqbenchError, match=message) as caught:
        read_card(path)
    assert str(path) in str(caught.value)


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    path = tmp_path / "card.yaml"
    wrong = CARD.replace("licence: MIT", "license: MIT").replace("bytes: 10", "bytes: ten")
    path.write_text(
        wrong.replace("[Al]", "[aluminium, Al]").replace("groups:", "units: {energy: Ha}\ngroups:")
    )
    with pytest.raises(UqbenchError) as caught:
        read_card(path)
    *errors, last = str(caught.value).splitlines()
    places = ("1, licence", "3, elements.0", "4, license", "9, files.0.bytes", "11, units.energy")
    assert [e.split(": ")[0] for e in errors] == [f"{path}, line {place}" for place in places]
    assert last == "uqbench/data/card.py states every field of a card."


def test_what_is_not_a_card(tmp_path):
    path = tmp_path / "card.yaml"
    for text, message in (("a: [1\nb", "not valid YAML"), ("", "the card"), ("- 1", "the card")):
        path.write_text(text)
        with pytest.raises(UqbenchError, match=message):
            read_card(path)
    with pytest.raises(UqbenchError, match="cannot be read"):
        read_card(tmp_path / "none.yaml")
    # A tag that would run code is refused by the safe loader.
    path.write_text("name: !!python/object/apply:os.system ['true']")
    with pytest.raises(UqbenchError, match="not valid YAML"):
        read_card(path)
    assert yaml.safe_load(CARD)["name"] == "tiny"
