"""params.yaml with some values changed and everything else, comments too, as it was."""

import copy
import io
from collections.abc import Mapping
from typing import Any

from tasks.errors import UserError


def changed(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Plain ``values`` with each dotted key of ``overrides`` set.

    Raises:
        UserError: a key that is not there.
    """
    result: dict[str, Any] = copy.deepcopy(dict(values))
    for key, value in overrides.items():
        _set(result, key, value)
    return result


def rewritten(text: str, overrides: Mapping[str, Any]) -> str:
    """The text of params.yaml with each dotted key of ``overrides`` set; the same text where nothing differs.

    Raises:
        UserError: a key that is not there.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    moved = [_set(document, key, _flow(value)) for key, value in overrides.items()]
    if not any(moved):
        return text
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def leaves(values: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of nested mappings by dotted key; lists and empty mappings are leaves."""
    if not isinstance(values, Mapping) or not values:
        return {prefix: values}
    return {k: end for name, inner in values.items() for k, end in leaves(inner, f"{prefix}.{name}".strip(".")).items()}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides that lead from ``before`` to ``after``, over the keys that both have."""
    old, new = leaves(before), leaves(after)
    return {key: value for key, value in new.items() if key in old and not same(old[key], value)}


def same(one: Any, other: Any) -> bool:
    """Whether two values read the same to DVC and to us: 1 and True, or 1 and 1.0, do not."""
    return type(one) is type(other) and bool(one == other)


def _set(values: Any, key: str, value: Any) -> bool:
    """Set a dotted key; whether that changes it."""
    *path, last = key.split(".")
    place = values
    for part in path:
        place = place.get(part) if isinstance(place, Mapping) else None
    if not isinstance(place, Mapping) or last not in place:
        import difflib

        known = list(leaves(values))
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "write it there with a comment first"
        raise UserError(f"params.yaml: {key}: no such key; {hint}")
    if same(_plain(place[last]), _plain(value)):
        return False
    place[last] = value  # type: ignore[index]
    return True


def _flow(value: Any) -> Any:
    """A list or mapping in the form that fits on its line; anything else as it is."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if not isinstance(value, list | dict):
        return value
    inner = CommentedSeq(value) if isinstance(value, list) else CommentedMap(value)
    inner.fa.set_flow_style()
    return inner


def _plain(value: Any) -> Any:
    """ruamel's scalars and containers as Python's own."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
