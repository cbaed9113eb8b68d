"""A pull request from the published branch, by GitHub's own program ``gh``."""

import json
import subprocess

from tasks.errors import UserError
from tasks.params import Schedule

LIMIT = 60_000  # characters; GitHub refuses a text above 65,536


def propose(settings: Schedule, title: str, text: str) -> str:
    """Open a pull request from the branch to the source, or give the open one this title and text; its address.

    Raises:
        UserError: gh ended with an error; what was pushed stays.
    """
    body = text if len(text) <= LIMIT else text[:LIMIT] + "\n\n... cut here\n"
    ends = ("--head", settings.branch, "--base", settings.source)
    listed: list[dict[str, str]] = json.loads(_gh("pr", "list", *ends, "--state", "open", "--json", "url") or "[]")
    if listed:
        _gh("pr", "edit", listed[0]["url"], "--title", title, "--body-file", "-", body=body)
        return listed[0]["url"]
    return _gh("pr", "create", *ends, "--title", title, "--body-file", "-", body=body)


def _gh(*arguments: str, body: str = "") -> str:
    done = subprocess.run(["gh", *arguments], input=body, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise UserError(f"the branch is published, but gh {arguments[0]} {arguments[1]} failed: {said}")
    return done.stdout.strip()
