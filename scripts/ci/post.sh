#!/bin/sh
# Put the file $1 as a comment on pull request $2 of repository $3; the comment that is already there is updated.
# Needs gh and GH_TOKEN with the right to write to pull requests.
set -eu
body=$1 number=$2 repository=$3
marker='<!-- hone -->'

found=$(gh api --paginate "repos/$repository/issues/$number/comments" \
    --jq ".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$marker\"))) | .id" | head -n 1)
if [ -n "$found" ]; then
    gh api --method PATCH "repos/$repository/issues/comments/$found" --field "body=@$body" --silent
    echo "updated comment $found"
else
    gh api --method POST "repos/$repository/issues/$number/comments" --field "body=@$body" --silent
    echo "posted a comment"
fi
