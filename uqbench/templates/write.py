"""`uqbench new`: a commented plugin that passes its check as it stands."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template
from typing import Literal

from uqbench.errors import UqbenchError


def write_template(kind: Literal["method", "task"], name: str, folder: Path) -> Path:
    """Write NAME.py into a folder and return its path.

    Raises UqbenchError if name is not a lower-case Python identifier, if folder is not one, or if the file exists.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UqbenchError(
            f"{name!r} cannot be the name of a {kind}: it names the file and the plugin; use lower-case letters, "
            "digits and underscores, a letter first, and no word of Python's (such as my_method)."
        )
    if not folder.is_dir():
        raise UqbenchError(f"{folder} is not a folder; create it, or name another.")
    path = folder / f"{name}.py"
    template = Template(Path(__file__).with_name(f"{kind}.py.txt").read_text(encoding="utf-8"))
    words = [word for word in name.split("_") if word]
    text = template.substitute(
        name=name, title=" ".join(words).capitalize(), class_name="".join(w.capitalize() for w in words)
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UqbenchError(f"{path} exists; nothing was written. Remove it, or take another name.") from None
    return path
