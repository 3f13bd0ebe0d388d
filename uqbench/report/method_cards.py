"""What the methods of a page are: what each does, costs and cannot do, and its paper, from its own docstring."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from uqbench.registry import discover
from uqbench.report.markdown import details, escape

PARTS = ("Cost", "Limits", "Reference")


def method_cards(methods: Iterable[str]) -> str:
    """A part that opens on a click for each method, named as in records; none for those that are not installed."""
    registry = discover()
    names = sorted({method.split(":")[0] for method in methods} & set(registry.methods))
    return "\n".join(
        details(f"<code>{name}</code>: {_coded(title)}", body)
        for name in names
        for title, body in [card(sys.modules[registry.methods[name].__module__].__doc__ or "")]
    )


def card(docstring: str) -> tuple[str, str]:
    """The title of a docstring, and the rest as markdown with its parts named.

    >>> card("Title.\\n\\nWhat it\\ndoes.\\n\\nCost: much.\\nReference: a paper,\\n2020.\\n")
    ('Title.', 'What it does.\\n\\n- **Cost**: much.\\n- **Reference**: a paper, 2020.\\n')
    """
    title, _, rest = docstring.strip().partition("\n")
    about, *parts = re.split(rf"^({'|'.join(PARTS)}): ", rest.strip(), flags=re.M)
    paragraphs = [_coded(p) for p in re.split(r"\n\s*\n", about) if p.strip()]
    items = [f"- **{name}**: {_coded(text)}\n" for name, text in zip(parts[::2], parts[1::2], strict=True)]
    return title, "".join(f"{p}\n\n" for p in paragraphs) + "".join(items)


def _coded(text: str) -> str:
    """Plain text with what stands in backquotes as code."""
    return re.sub(r"&#96;(.+?)&#96;", r"<code>\1</code>", escape(text))
