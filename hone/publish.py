"""`hone publish`: the model of HEAD gets a version, if the gate lets it; on request it goes to the Hub too."""

import json
import tempfile
from pathlib import Path
from typing import Any

import typer

from flows import dvc_lock, versions
from flows.versions import Version
from hone.comparison import Difference
from hone.diff import difference
from hone.gates import failures
from hone.load import bring
from tasks import params_file
from tasks.errors import UserError

CARD = Path("data/report/model_card.md")
PARAMS = Path("params.yaml")


def publish(version: str | None, against: str | None, hub: str | None, public: bool) -> int:
    """Tag HEAD with a version and a card; 0.

    Args:
        version: three numbers; none raises the second one, or takes that of HEAD if it only goes to the Hub.
        against: revision that the gate compares with; none means the last version, or HEAD itself where there is none.
        hub: id of a model of the Hub that gets its files too.
        public: whether a repository that is made there can be seen by everybody.

    Raises:
        UserError: files are not committed, results are older than the code, the gate fails, a version that is not
            higher than the last, or a Hub that refuses.
    """
    name, path = versions.artifact()
    if files := versions.changed():
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""
        raise UserError(
            f"{', '.join(files[:3])}{more}: not committed, so the version would not be what is here; commit them"
        )
    has = versions.here(name)
    if has and not (hub and version in (None, str(has), str(has)[1:])):
        raise UserError(f"this commit is published as {name}@{has} already; 'hone load {name}@{has}' brings it back")
    tag = f"{name}@{has}" if has else _tag(name, Path(path), version, against)
    if hub:
        from hone.to_hub import send

        with tempfile.TemporaryDirectory() as folder:
            bring(tag, Path(folder))
            address = send(Path(folder), hub, tag, public=public)
        typer.echo(f"{tag} is at {address}")
    return 0


def _tag(name: str, path: Path, given: str | None, against: str | None) -> str:
    """Make the next version; the tag's name."""
    before = versions.published(name)
    version = Version.parse(given) if given else _next(before)
    if before and version <= before[-1]:
        raise UserError(f"{version} is not higher than {name}@{before[-1]}; leave it out for {_next(before)}")
    settings = params_file.load(PARAMS)
    stale = [stage for stage, state in dvc_lock.read().stages.items() if state.stale]
    if stale:
        raise UserError(f"results of {', '.join(stale)} are older than code, params or data; 'hone run', then commit")
    if not CARD.is_file():
        raise UserError(f"{CARD}: no such file, and it is the version's card; 'hone run report' writes it")
    other = against or (f"{name}@{before[-1]}" if before else "HEAD")
    found = difference([other], [], settings)
    if failed := failures(found.judgement, settings.gate):
        raise UserError(f"the gate of params.yaml fails against {other}, nothing is published: {'; '.join(failed)}")
    text = f"{_words(name, version, found, None if other == 'HEAD' else other)}\n\n{_facts(path)}\n\n"
    tag = versions.create(name, version, text + CARD.read_text(encoding="utf-8"))
    typer.echo(text.splitlines()[0])
    typer.echo(f"{tag} is made; 'hone push && git push origin {tag}' shares it, 'hone load {tag}' brings it back")
    return tag


def _next(before: list[Version]) -> Version:
    return Version(before[-1].major, before[-1].minor + 1, 0) if before else Version(0, 1, 0)


def _words(name: str, version: Version, found: Difference, other: str | None) -> str:
    headline, figure = found.judgement.headline, found.judgement.name
    first = f"{name} {version}: {figure} {headline.after:.4f} on test"
    if other is None:
        return f"{first}, the first version"
    return f"{first}, against {other} {headline.verdict} ({headline.difference:+.4f}, p {headline.p:.4f})"


def _facts(path: Path) -> str:
    """What the model was made with and from, as its hone.json has it."""
    file = path / "hone.json"
    card: dict[str, Any] = json.loads(file.read_bytes()) if file.is_file() else {}
    made = ", ".join(f"{name} {version}" for name, version in sorted((card.get("versions") or {}).items()))
    return f"data: {card.get('data', 'unknown')}\nversions: {made or 'unknown'}"
