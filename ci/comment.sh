#!/usr/bin/env bash
# Post the comment on the pull request, or put it in place of the one of an earlier run, found by its first line.
# COMMENT: the file. PULL_REQUEST: its number. GH_TOKEN: what gh signs in with.
set -euo pipefail
MARKER="$(head -n 1 "$COMMENT")"
export MARKER
comments="repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments"

post() {
    local found
    # Of bots alone: what a person wrote is not written over.
    found="$(gh api --paginate "$comments" \
        --jq '.[] | select(.user.type == "Bot" and (.body | startswith(env.MARKER))) | .id')" || return
    if [ -n "$found" ]; then
        gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/${found%%$'\n'*}" \
            --field "body=@$COMMENT" --silent
    else
        gh api --method POST "$comments" --field "body=@$COMMENT" --silent
    fi
}

# A pull request from a fork has a token that may only read: the summary says the same.
post || echo "::warning::the comment could not be posted; the job needs the permission pull-requests: write"
