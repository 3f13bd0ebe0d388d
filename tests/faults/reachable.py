"""What can be reached from an object: attributes, items, closures and what generators hold; no module's globals."""

import gc
import types
from collections.abc import Iterator, Mapping

import numpy as np

SKIPPED = (type, types.ModuleType, types.CodeType, types.FrameType, str, bytes, int, bool, complex)


def reachable(*roots) -> Iterator[object]:
    """Every object that plain code gets to from the roots, each once."""
    seen: dict[int, object] = {}
    waiting = list(roots)
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, SKIPPED):
            continue
        seen[id(item)] = item
        yield item
        waiting += _parts(item)


def _parts(item) -> list[object]:
    if isinstance(item, np.ndarray):
        return [item.base] if item.base is not None else []
    if isinstance(item, Mapping):
        return [*item.keys(), *item.values()]
    if isinstance(item, (list, tuple, set, frozenset)):
        return list(item)
    if isinstance(item, types.MethodType):
        return [item.__self__, item.__func__]
    if isinstance(item, types.FunctionType):
        cells = [c.cell_contents for c in item.__closure__ or () if _filled(c)]
        return [*cells, *(item.__defaults__ or ()), *(item.__kwdefaults__ or {}).values()]
    if isinstance(item, types.GeneratorType):
        return list(item.gi_frame.f_locals.values()) if item.gi_frame else []
    if type(item).__module__ in ("builtins", "functools", "itertools", "collections"):
        return gc.get_referents(item)
    slots = [s for c in type(item).__mro__ for s in _names(getattr(c, "__slots__", ()))]
    found = [getattr(item, s) for s in slots if hasattr(item, s)]
    return [*found, *getattr(item, "__dict__", {}).values()]


def _names(slots) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _filled(cell) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def numbers(*roots) -> set[float]:
    """All numbers in what can be reached, rounded."""
    found: set[float] = set()
    for item in reachable(*roots):
        if isinstance(item, float):
            found.add(round(item, 9))
        elif isinstance(item, np.ndarray) and item.dtype.kind == "f":
            found |= {round(float(x), 9) for x in item.ravel()}
    return found
