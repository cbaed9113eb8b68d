"""The arguments of a plain `hone try`, taken apart as the command line takes them, in none of the time that takes."""

from typing import Any, TypedDict

from flows.trials.trial import On

OPTIONS = {"-S": "changes", "--set": "changes", "--expect": "expect", "--name": "name"}


class Given(TypedDict):
    """What `hone.try_.try_` is called with."""

    reason: str
    changes: list[str]
    expect: float | None
    name: str | None
    on: On
    address: str | None
    git_remote: str | None


def plain(arguments: list[str]) -> Given | None:
    """What these arguments mean; None for all that is not plainly a reason and options with values of their own."""
    found: dict[str, Any] = {"changes": []}
    rest = iter(arguments)
    for argument in rest:
        if argument in OPTIONS:
            key, value = OPTIONS[argument], next(rest, "")
        elif argument[:1] == "-":
            return None
        else:
            key, value = "reason", argument
        if not value or value[0] == "-" or (key in found and key != "changes"):
            return None
        if key == "changes":
            found[key].append(value)
        else:
            found[key] = value
    try:
        expect = float(found["expect"]) if "expect" in found else None
        return Given(
            reason=found["reason"],
            changes=found["changes"],
            expect=expect,
            name=found.get("name"),
            on="threads",
            address=None,
            git_remote=None,
        )
    except (KeyError, ValueError):
        return None
