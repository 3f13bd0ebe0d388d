"""A plugin with parameters, as text: pops:bounds=exact,percentile=1."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_origin

from uqbench.errors import UqbenchError
from uqbench.registry import Group, Registry, unknown

JOINED = "+"
"""Between the entries of a field that holds several."""


@dataclass(frozen=True)
class Spec:
    """Name and the parameters that differ from the defaults, in the order of the fields."""

    name: str
    parameters: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return self.text({})

    def text(self, names: Mapping[str, str]) -> str:
        """NAME:field=value,..., values that are in names written as these have them."""
        if not self.parameters:
            return self.name
        return f"{self.name}:{','.join(f'{k}={_text(v, names)}' for k, v in self.parameters)}"

    def __hash__(self) -> int:
        return hash(str(self))

    def build(self, registry: Registry, group: Group) -> Any:
        """The plugin's instance."""
        return registry.find(group, self.name)(**dict(self.parameters))


def parse_spec(text: str, registry: Registry, group: Group) -> Spec:
    """Read NAME or NAME:field=value,field=value; values are checked against the fields of the dataclass.

    Raises UqbenchError for an unknown name or field, or a value of the wrong type.
    """
    name, given = read_spec(text)
    return make_spec(name, given, registry, group)


def read_spec(text: str) -> tuple[str, dict[str, str]]:
    """Name and fields of NAME:field=value,field=value, unchecked."""
    name, _, rest = text.partition(":")
    given: dict[str, str] = {}
    for item in filter(None, rest.split(",")):
        key, equals, value = item.partition("=")
        if not equals:
            raise UqbenchError(f"{text!r}: {item!r} is not of the form field=value.")
        if key.strip() in given:
            raise UqbenchError(f"{text!r}: {key.strip()} is given twice.")
        given[key.strip()] = value.strip()
    return name.strip(), given


def make_spec(name: str, given: Mapping[str, Any], registry: Registry, group: Group) -> Spec:
    """A checked Spec from a name and parameters; text values are converted to the fields' types."""
    from pydantic import TypeAdapter, ValidationError

    cls = registry.find(group, name)
    hints = _field_types(cls)
    parameters = []
    for key in given:
        if key not in hints:
            raise UqbenchError(f"{name}: {unknown('parameter', key, hints)}")
    for key, (hint, default) in hints.items():
        if key not in given:
            continue
        several = isinstance(given[key], str) and get_origin(hint) is tuple
        try:
            value = TypeAdapter(hint).validate_python(given[key].split(JOINED) if several else given[key])
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise UqbenchError(f"{name}: {key}={given[key]!r} is not allowed: {reason}.") from None
        if value != default:
            parameters.append((key, value))
    spec = Spec(name, tuple(parameters))
    spec.build(registry, group)
    return spec


def describe_fields(cls: type) -> list[tuple[str, str]]:
    """(field, default as text) of a plugin."""
    return [(k, _text(default)) for k, (_, default) in _field_types(cls).items()]


def _field_types(cls: type) -> dict[str, tuple[Any, Any]]:
    from typing import get_type_hints

    if not dataclasses.is_dataclass(cls):
        raise UqbenchError(f"{cls.__name__} is not a dataclass; decorate it with @dataclass(frozen=True).")
    hints = get_type_hints(cls)
    return {f.name: (hints[f.name], _default(f)) for f in dataclasses.fields(cls) if f.init}


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _text(value: Any, names: Mapping[str, str] = MappingProxyType({})) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return JOINED.join(_text(one, names) for one in value)
    return names.get(str(value), str(value))
