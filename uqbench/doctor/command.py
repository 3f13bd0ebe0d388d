"""What `uqbench doctor` does."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from uqbench.doctor.finding import Finding
from uqbench.registry import Registry, discover

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STYLES = {"ok": "green", "missing": "dim", "warning": "yellow", "broken": "bold red"}


def run_doctor(out: Path, plugins: Sequence[Path], console: Console) -> int:
    """Look at everything and say how it is, section by section as it is known; 1 if something is broken.

    out: folder of results that a run is to have. Raises UqbenchError for a plugin file that cannot be read.
    """
    from rich.text import Text

    registry = discover(plugins)
    console.print(f"Python {platform.python_version()}, {platform.system()} {platform.release()}")
    seen: list[Finding] = []
    for title, findings in _sections(registry, out, plugins):
        console.print(Text(f"\n{title}", style="bold"))
        console.print(_lines(findings))
        seen += findings
    broken = [finding for finding in seen if finding.state == "broken"]
    console.print(Text(f"\n{_summary(seen)}", style=STYLES["broken" if broken else "ok"]))
    return 1 if broken else 0


def _sections(registry: Registry, out: Path, plugins: Sequence[Path]) -> Iterator[tuple[str, list[Finding]]]:
    from uqbench.doctor.datasets import datasets
    from uqbench.doctor.machine import machine
    from uqbench.doctor.places import places
    from uqbench.doctor.software import software
    from uqbench.doctor.trials import backbones, devices

    yield "Software", software() + _broken(registry)
    found = devices()
    yield "Devices", found
    yield "Backbones", backbones(registry, plugins, [f.what for f in found if f.state == "ok"])
    yield "Machine", machine()
    yield "Folders", places(out)
    yield "Datasets", datasets()


def _broken(registry: Registry) -> list[Finding]:
    remedy = "Mend or uninstall it; everything else works without it."
    return [Finding(name, "broken", reason, remedy) for name, reason in registry.broken.items()]


def _lines(findings: Sequence[Finding]) -> RenderableType:
    """State and words in two columns, so that long words wrap beside their state."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=9, no_wrap=True)
    grid.add_column(overflow="fold")
    for finding in findings:
        text = Text.assemble((finding.what, "bold"), f": {finding.found}")
        if finding.remedy:
            text.append(f"\n→ {finding.remedy}")
        grid.add_row(Text(f"  {finding.state}", style=STYLES[finding.state]), text)
    return grid


def _summary(findings: Sequence[Finding]) -> str:
    count = {state: sum(f.state == state for f in findings) for state in ("broken", "warning")}
    if not any(count.values()):
        return "Everything that is installed works."
    parts = [
        f"{n} {state if n == 1 or state == 'broken' else state + 's'}" for state, n in count.items() if n
    ]
    return f"{' and '.join(parts)}: see above, → says what to do."
