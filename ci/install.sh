#!/usr/bin/env bash
# Install uqbench from the action's own checkout, and with it what the project asks for, so that pip sees all at once.
# EXTRAS: of uqbench, "snap" say. INSTALL: more arguments of pip install, split at spaces.
set -euo pipefail
read -r -a more <<< "$INSTALL"
python -m pip install --disable-pip-version-check "$GITHUB_ACTION_PATH${EXTRAS:+[$EXTRAS]}" "${more[@]}"
