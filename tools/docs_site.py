"""Hook of mkdocs: what the site holds beyond docs/, so that nothing is kept twice.

README.md is its first page, each method has a page made from its own docstring and fields, and files that pages link to
by ../PATH, leaderboards among them, are taken in as repository/PATH.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from uqbench.registry import discover
from uqbench.report.markdown import details, escape, table
from uqbench.report.method_cards import card
from uqbench.spec import describe_fields

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = re.compile(r"\]\(\.\./([^)#\s]+)")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
SIDE = {"repository", "methods"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the methods into the navigation; leave out what is not written (a page that is not named fails the build)."""
    pages = ["methods/index.md", *(f"methods/{name}.md" for name in sorted(discover().methods))]
    for entry in config.nav or []:
        for title, own in entry.items():
            if title == "Methods":
                entry[title] = pages
            elif isinstance(own, list):
                entry[title] = [item for item in own if _is_there(*item.values())]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add pages and files."""
    from mkdocs.structure.files import File

    def add(path: str, content: str) -> None:
        files.append(File.generated(config, path, content=content))

    texts = [(ROOT / "docs" / f.src_uri).read_text() for f in files.documentation_pages()]
    add("index.md", first_page((ROOT / "README.md").read_text()))
    methods = discover().methods
    add("methods/index.md", methods_page(methods))
    for name, cls in methods.items():
        add(f"methods/{name}.md", method_page(name, cls))
    wanted = {target for text in texts for target in OUTSIDE.findall(text)}
    wanted |= {t for t in LINK.findall((ROOT / "README.md").read_text()) if not t.startswith("docs/")}
    wanted |= {page.relative_to(ROOT).as_posix() for page in sorted(ROOT.glob("leaderboard/**/README.md"))}
    taken: set[Path] = set()
    for target in sorted(wanted):
        for source in _with_figures(ROOT / target):
            if source.is_file() and source not in taken:
                taken.add(source)
                path = f"repository/{source.relative_to(ROOT).as_posix()}"
                files.append(File.generated(config, path, abs_src_path=str(source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links out of docs/ at what was taken in, and let tables stand inside what opens on a click."""
    if page.file.src_uri.split("/")[0] not in SIDE:
        markdown = OUTSIDE.sub(r"](repository/\1", markdown)
    elif page.file.src_uri.count("/") == 1:
        # From the top of the repository, such as SECURITY.md.
        markdown = markdown.replace("](docs/", "](../")
    return markdown.replace("<details>", '<details markdown="1">')


def first_page(readme: str) -> str:
    """README.md with links as they are from docs/."""

    def moved(found: re.Match[str]) -> str:
        target = found[1]
        return f"]({target.removeprefix('docs/') if target.startswith('docs/') else f'repository/{target}'}"

    return LINK.sub(moved, readme)


def methods_page(methods: dict[str, type]) -> str:
    """All methods, a line each."""
    rows = [
        [f"[`{name}`]({name}.md)", _kind(cls), escape(card(_docstring(cls))[0])]
        for name, cls in sorted(methods.items())
    ]
    return (
        "# Methods\n\nWhat each one says of itself; these pages are made from the files in `methods/`. How they "
        "compare is in the [leaderboards](../repository/leaderboard/README.md), and how to add one is in "
        "[Your own method](../your-method.md).\n\n" + table(["method", "for", "what it is"], rows, 3)
    )


def method_page(name: str, cls: type) -> str:
    """What a method does, costs and cannot do, its paper, and its parameters."""
    title, body = card(_docstring(cls))
    fields = [[f"`{field}`", f"`{default}`"] for field, default in describe_fields(cls)]
    parameters = (
        f"{table(['parameter', 'default'], fields)}\n{about(cls.__doc__ or '')}" if fields else "None.\n"
    )
    source = details("Source", f"```python\n{Path(inspect.getfile(cls)).read_text()}```\n")
    return (
        f"# {name}\n\n**{escape(title)}** For {_kind(cls)}.\n\n{body}\n## Parameters\n\n{parameters}\n"
        f"Run it: `uqbench run --method {name}`.\n\n{source}"
    )


def about(docstring: str) -> str:
    """The docstring of a class as markdown: paragraphs, and an item for each field that it explains.

    >>> about("Title.\\n\\n    size: of\\n        it.\\n    other: too.\\n")
    'Title.\\n\\n- **size**: of it.\\n- **other**: too.\\n'
    """
    parts = re.split(r"\n\s*\n|\n\s*(?=[a-z_]+(?:, [a-z_]+)*: )", docstring.strip())
    texts = []
    for part in map(str.strip, parts):
        named = re.match(r"([a-z_]+(?:, [a-z_]+)*): ", part)
        texts.append(f"- **{named[1]}**: {escape(part[named.end() :])}\n" if named else f"{escape(part)}\n\n")
    return "".join(texts)


def _kind(cls: type) -> str:
    from uqbench.api import CommitteeMethod, LinearMethod, NetworkMethod

    kinds = (
        (LinearMethod, "linear models"),
        (NetworkMethod, "networks"),
        (CommitteeMethod, "your potentials"),
    )
    return next((words for kind, words in kinds if issubclass(cls, kind)), "")


def _docstring(cls: type) -> str:
    return sys.modules[cls.__module__].__doc__ or ""


def _is_there(page: str) -> bool:
    return page.startswith("repository/") or (ROOT / "docs" / page).is_file()


def _with_figures(source: Path) -> list[Path]:
    """A file, and the figures that it shows if it is a page."""
    if source.suffix != ".md" or not source.is_file():
        return [source]
    figures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", source.read_text())
    return [source, *(source.parent / figure for figure in figures)]
