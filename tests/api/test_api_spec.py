"""A plugin with parameters as text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uqbench.api import LinearMethod
from uqbench.errors import UqbenchError
from uqbench.registry import Registry
from uqbench.spec import Spec, describe_fields, make_spec, parse_spec


@dataclass(frozen=True)
class Knobs(LinearMethod):
    count: int = 5
    share: float = 0.5
    flag: bool = True
    mode: Literal["a", "b"] = "a"
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        if self.count < 0:
            raise UqbenchError(f"knobs: count is {self.count}; it cannot be negative.")

    def fit(self, problem, rng):
        raise NotImplementedError


REGISTRY = Registry({"knobs": Knobs}, {}, {}, {})


def parse(text):
    return parse_spec(text, REGISTRY, "methods")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("knobs", "knobs"),
        ("knobs:", "knobs"),
        ("knobs:count=5,share=0.5,flag=true,mode=a", "knobs"),
        ("knobs:mode=b,count=7", "knobs:count=7,mode=b"),
        (" knobs : count = 7 ", "knobs:count=7"),
        ("knobs:flag=no", "knobs:flag=false"),
        ("knobs:flag=0", "knobs:flag=false"),
        ("knobs:share=1", "knobs:share=1.0"),
        ("knobs:share=1e-3", "knobs:share=0.001"),
        ("knobs:share=.50", "knobs"),
    ],
)
def test_text_is_canonical_with_defaults_dropped_and_fields_in_order(text, canonical):
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


def test_values_have_the_types_of_their_fields():
    built = parse("knobs:count=7,share=1,flag=false,mode=b").build(REGISTRY, "methods")
    assert built == Knobs(7, 1.0, False, "b")
    assert [type(v) for v in (built.count, built.share, built.flag, built.mode)] == [int, float, bool, str]


@given(st.integers(0, 10**6), st.floats(0, 1e6), st.booleans(), st.sampled_from("ab"))
def test_text_of_a_spec_is_read_back_to_it(count, share, flag, mode):
    spec = make_spec(
        "knobs", {"count": count, "share": share, "flag": flag, "mode": mode}, REGISTRY, "methods"
    )
    assert parse(str(spec)) == spec
    assert spec.build(REGISTRY, "methods") == Knobs(count, share, flag, mode)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nobs", r"no method is called 'nobs'\. Did you mean knobs\?"),
        ("knobs:cuont=1", r"knobs: no parameter is called 'cuont'\. Did you mean count\?"),
        ("knobs:count", "'count' is not of the form field=value"),
        ("knobs:count=many", "knobs: count='many' is not allowed: .*integer"),
        ("knobs:count=1.5", r"knobs: count='1\.5' is not allowed"),
        ("knobs:share=half", "knobs: share='half' is not allowed: .*number"),
        ("knobs:flag=perhaps", "knobs: flag='perhaps' is not allowed: .*boolean"),
        ("knobs:mode=c", "knobs: mode='c' is not allowed: .*'a' or 'b'"),
        ("knobs:count=-1", "knobs: count is -1; it cannot be negative"),
        ("knobs:count=1,count=2", "count is given twice"),
    ],
)
def test_what_cannot_be_read_is_told(text, words):
    with pytest.raises(UqbenchError, match=words):
        parse(text)


def test_structured_values_come_from_a_suite_file():
    spec = make_spec("knobs", {"weights": {"Cu": 1}}, REGISTRY, "methods")
    assert spec.build(REGISTRY, "methods").weights == {"Cu": 1.0}


def test_fields_are_described_with_their_defaults():
    assert describe_fields(Knobs)[:4] == [("count", "5"), ("share", "0.5"), ("flag", "true"), ("mode", "a")]


def test_a_plain_class_is_refused():
    class Plain(LinearMethod):
        def fit(self, problem, rng):
            raise NotImplementedError

    with pytest.raises(UqbenchError, match="Plain is not a dataclass; decorate it"):
        make_spec("plain", {}, Registry({"plain": Plain}, {}, {}, {}), "methods")


def test_a_spec_is_a_value():
    assert Spec("knobs", (("count", 7),)) == parse("knobs:count=7")
    assert hash(parse("knobs:count=7")) == hash(parse("knobs:count=7"))
