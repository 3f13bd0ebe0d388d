"""Secrets of the environment, kept out of what is written for others to read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NAMES = re.compile(
    r"secret|token|passw|passphrase|credential|auth|private|_pat$|(api|access|account|deploy|secret|ssh)_?key",
    re.IGNORECASE,
)
"""Variables whose values are secrets."""
IN_ADDRESSES = re.compile(r"://[^/@\s:]*:([^/@\s]+)@")
"""The password of https://user:password@host, in a variable of any name."""
SHORTEST = 6
"""Characters; a shorter value is a word that may stand in any text."""
HIDDEN = "[secret]"


def without_secrets(tree: Any, environment: Mapping[str, str]) -> Any:
    """The same mappings and lists, in every text of which the environment's secrets are hidden."""
    found = {value for name, value in environment.items() if NAMES.search(name)}
    found |= {match for value in environment.values() for match in IN_ADDRESSES.findall(value)}
    # Longer ones first, for one may hold another.
    secrets = sorted((value for value in found if len(value) >= SHORTEST), key=len, reverse=True)
    return _hidden(tree, secrets) if secrets else tree


def _hidden(tree: Any, secrets: list[str]) -> Any:
    if isinstance(tree, str):
        for secret in secrets:
            tree = tree.replace(secret, HIDDEN)
        return tree
    if isinstance(tree, Mapping):
        return {key: _hidden(value, secrets) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_hidden(value, secrets) for value in tree)
    return tree
