"""What README.md says is there: commands, make targets, files, links, the figures of the corpus."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = "run|why|focus|score|diff|resolve|predict|import|doctor|server|schedule"
NAMES += "|try|repeat|sweep|ablate|curve|ledger|adopt|gc|watch"
NAMES += "|export|serve|push|publish|load"
COMMANDS = sorted(set(re.findall(rf"\bhone ({NAMES})\b", TEXT)))
TARGETS = sorted(set(re.findall(r"\bmake ([a-z-]+)", TEXT)))
DOCUMENTS = sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_the_readme_names_all_commands() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "hone", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    commands = re.findall(r"^  ([a-z]+) {2,}", shown.split("Commands:")[1], flags=re.M)
    assert len(commands) >= 7
    assert sorted(commands) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hone", command, "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "Examples:" in done.stdout


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"run", "test"} <= set(TARGETS)
    assert [target for target in TARGETS if not re.search(rf"^{target}:", makefile, flags=re.M)] == []


def test_the_annotated_tree_exists() -> None:
    (tree,) = re.findall(r"```\n(Makefile .*?)```", TEXT, flags=re.S)
    names = [line.split()[0] for line in tree.splitlines()]
    assert len(names) > 10
    assert [name for name in names if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / document).read_text(encoding="utf-8"), flags=re.S)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not (ROOT / document.parent / target).exists()] == []


def test_figures_of_the_corpus_are_its_own() -> None:
    tags = words = sentences = documents = hard = 0
    for split in ("train", "validation", "test"):
        for block in (ROOT / f"data/raw/hone-ner/{split}.conll").read_text(encoding="utf-8").split("\n\n"):
            lines = [line for line in block.splitlines() if "\t" in line]
            documents += sum(line.startswith("-DOCSTART-") for line in lines)
            lines = [line for line in lines if not line.startswith("-DOCSTART-")]
            sentences += bool(lines)
            words += len(lines)
            tags += sum(line.split("\t")[1].startswith("B-") for line in lines)
            hard += "# hard:" in block
    for figure in (f"{sentences:,} English sentences", f"{documents} short documents", f"{tags:,} persons"):
        assert figure in " ".join(TEXT.split())
    assert f"{hard} of them are hard" in " ".join(TEXT.split())
