"""The libraries of the page as text: plotly.js and DataTables, out of the Python packages that carry them."""

from __future__ import annotations

import re
from importlib.resources import files

from uqbench.errors import UqbenchError

_EXPORT = re.compile(r"\bexport\s*\{([^{}]*)\}\s*;?")


def plotly_js() -> str:
    """plotly.js, which defines window.Plotly. Raises UqbenchError if plotly is not installed."""
    return _packaged("plotly", "package_data/plotly.min.js")


def datatables_js() -> str:
    """DataTables with jQuery, which is left as window.tables.jQuery. Raises UqbenchError if itables is not installed.

    itables carries a module; inside a page that loads nothing, its exports become a global object instead.
    """
    text = _packaged("itables", "html/dt_bundle.js")
    exports = list(_EXPORT.finditer(text))
    if len(exports) != 1:
        raise UqbenchError(
            f"itables: its dt_bundle.js has {len(exports)} export statements, and one is expected; install the "
            "version that constraints.txt names."
        )
    names = [entry.split(" as ") for entry in exports[0][1].split(",")]
    given = ",".join(f"{name[-1].strip()!r}:{name[0].strip()}" for name in names)
    return f"(()=>{{{_EXPORT.sub(lambda _: f'window.tables={{{given}}};', text)}\n}})();"


def datatables_css() -> str:
    """The stylesheet of DataTables. Raises UqbenchError if itables is not installed."""
    return _packaged("itables", "html/dt_bundle.css")


def _packaged(package: str, path: str) -> str:
    try:
        return files(package).joinpath(path).read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise UqbenchError(
            f"the HTML report needs {path} of the package {package} ({error}); run: pip install 'uqbench[html]'"
        ) from None
