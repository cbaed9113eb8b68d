"""Put a file as a note on a merge request of GitLab; the note that is already there is updated in place.

`.venv/bin/python scripts/ci/post_gitlab.py comment.md`, in a pipeline of a merge request: CI_API_V4_URL, CI_PROJECT_ID
and CI_MERGE_REQUEST_IID are GitLab's own variables, GITLAB_TOKEN is a project access token with the right `api`.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

MARKER = "<!-- hone -->"
PER_PAGE = 100
NEEDED = ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_MERGE_REQUEST_IID", "GITLAB_TOKEN")


def post(body: str, api: str, project: str, request: str, token: str) -> str:
    """Write or update the note; says which."""
    notes = f"{api}/projects/{project}/merge_requests/{request}/notes"
    if (found := _mine(notes, token)) is not None:
        _call("PUT", f"{notes}/{found}", token, {"body": body})
        return f"updated note {found}"
    _call("POST", notes, token, {"body": body})
    return "posted a note"


def _mine(notes: str, token: str) -> int | None:
    """Number of the note that starts with the marker, or None."""
    page = 1
    while True:
        answer = _call("GET", f"{notes}?per_page={PER_PAGE}&page={page}", token)
        for note in answer:
            if note["body"].startswith(MARKER):
                return int(note["id"])
        if len(answer) < PER_PAGE:
            return None
        page += 1


def _call(method: str, url: str, token: str, values: dict[str, str] | None = None) -> Any:
    headers = {"PRIVATE-TOKEN": token, "Content-Type": "application/json"}
    data = None if values is None else json.dumps(values).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as answer:
        return json.load(answer)


def main() -> None:
    """Post the file that is named on the command line."""
    if len(sys.argv) != 2:
        sys.exit(f"error: one file is wanted; {__doc__.splitlines()[2]}")
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        sys.exit(f"error: {', '.join(missing)} is not set; run this in the pipeline of a merge request")
    api, project, request, token = (os.environ[name] for name in NEEDED)
    try:
        said = post(Path(sys.argv[1]).read_text(encoding="utf-8"), api, project, request, token)
    except urllib.error.URLError as error:
        sys.exit(f"error: GitLab did not take the note: {error}; does GITLAB_TOKEN have the right 'api'?")
    sys.stdout.write(f"{said}\n")


if __name__ == "__main__":
    main()
