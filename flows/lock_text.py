"""dvc.lock read as the lines that DVC writes: which contents each stage read and left, at any revision.

The YAML parser takes 50 ms for one, this 0.4; a history of a thousand needs it. Anything but DVC's own form is refused.
"""

from dataclasses import dataclass, field

from tasks.errors import UserError


@dataclass(frozen=True)
class Locked:
    """Content hashes by path: of all outs, and of the deps that no stage makes."""

    outs: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)


def locked(content: bytes, name: str = "dvc.lock") -> Locked:
    """The md5s in the text of a dvc.lock.

    Raises:
        UserError: not in DVC's form.
    """
    found: dict[str, dict[str, str]] = {"outs": {}, "deps": {}}
    section, path = "", ""
    for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), start=1):
        indent = len(line) - len(line.lstrip(" "))
        words = line.strip()
        if indent <= 4 and words.endswith(":") and not words.startswith("- "):
            section = words[:-1] if indent == 4 else ""
        elif section in found and indent == 4 and words.startswith("- "):
            key, _, path = words[2:].partition(": ")
            if key != "path":
                raise UserError(f"{name}:{number}: not as DVC writes it ({words}); 'dvc commit' writes it anew")
            path = _plain(path)
        elif section in found and indent == 6 and words.startswith("md5: "):
            found[section][path] = _plain(words[5:])
    outs = found["outs"]
    return Locked(outs, {path: md5 for path, md5 in found["deps"].items() if path not in outs})


def _plain(text: str) -> str:
    """A scalar without the quotes that YAML may put around it."""
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text
