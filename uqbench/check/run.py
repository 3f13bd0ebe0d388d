"""`uqbench check`: every finding a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from uqbench.check.backbone import check_backbone
from uqbench.check.finding import Finding
from uqbench.check.method import check_method, method_specs
from uqbench.check.task import check_task
from uqbench.errors import UqbenchError
from uqbench.registry import Registry, unknown

MARKS = {"ok": "ok     ", "failed": "FAILED ", "skipped": "skipped"}


def run_check(names: Sequence[str], registry: Registry, write: Callable[[str], object]) -> int:
    """Check plugins (NAME or NAME:field=value; a method's NAME alone: with all its variants); 1 if any failed.

    Raises UqbenchError for a name that is not there.
    """
    failed = 0
    for name in names:
        for text, findings in _findings(name, registry):
            write(text)
            for finding in findings:
                words = f": {finding.words}" if finding.words else ""
                write(f"  {MARKS[finding.status]}  {finding.what}{words}")
            wrong = sum(f.status == "failed" for f in findings)
            write(f"  {text}: {f'{wrong} of {len(findings)} checks failed' if wrong else 'all is well'}.")
            failed += wrong
    return 1 if failed else 0


def _findings(text: str, registry: Registry) -> Iterator[tuple[str, list[Finding]]]:
    name = text.partition(":")[0]
    if name in registry.tasks:
        yield text, check_task(text, registry)
    elif name in registry.backbones:
        yield text, check_backbone(text, registry)
    elif name in registry.methods:
        first = check_method(text, registry)
        yield text, first
        if text == name and first[0].status == "ok":
            for variant in method_specs(name, registry)[1:]:
                yield variant, check_method(variant, registry)
    elif name in registry.broken:
        yield text, [Finding("import", "failed", registry.broken[name])]
    else:
        known = [*registry.methods, *registry.tasks, *registry.backbones]
        raise UqbenchError(unknown("method, task or backbone", name, known))
