#!/usr/bin/env bash
# Run a suite, compare it with the records of the base branch, write the job summary and the step's outputs.
# SUITE, NAME, DATASET, ARGUMENTS, SCORES_ONLY: see action.yml. RECORDS: their folder in the repository.
# BASE: the branch. OUT: folder of results. A regression is an output and no failure yet: it is to be reported first.
set -euo pipefail
cd "$GITHUB_WORKSPACE"
git fetch --quiet --no-tags --depth=1 origin "+refs/heads/$BASE:refs/remotes/origin/$BASE" ||
    echo "::warning::the branch $BASE could not be fetched"

arguments=(--suite "$SUITE" --name "$NAME" --base "origin/$BASE:$RECORDS" --out "$OUT")
arguments+=(--arguments="${DATASET:+--dataset $DATASET} $ARGUMENTS")
[ "$SCORES_ONLY" != true ] || arguments+=(--scores-only)

rm -f "$OUT/comment.md"
code=0
python -m uqbench ci "${arguments[@]}" || code=$?
if [ ! -f "$OUT/comment.md" ]; then
    # Nothing was compared, so that no exit code may pass for a verdict.
    code=2
    mkdir -p "$OUT"
    printf '<!-- uqbench: %s -->\n## uqbench: could not be compared\n\n%s\n' \
        "$(printf %s "${NAME:-suite}" | tr -c 'A-Za-z0-9_.' -)" "uqbench did not run; the log of the job says why." \
        > "$OUT/comment.md"
fi
cat "$OUT/comment.md" >> "$GITHUB_STEP_SUMMARY"
{
    echo "exit-code=$code"
    sed -n '1s/^<!-- uqbench: \(.*\) -->$/name=\1/p' "$OUT/comment.md"
} >> "$GITHUB_OUTPUT"
