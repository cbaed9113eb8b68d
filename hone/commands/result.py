"""Commands that look at what the trained model does."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hone.commands.options import AsJson
from hone.commands.project import project
from tasks.errors import UserError

commands = typer.Typer()


@commands.command(short_help="What to work on next, and each mistake.")
def focus(
    kind: Annotated[str | None, typer.Option(help="The mistakes of this kind, as in the table.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Those with this gold or predicted type.")] = None,
    suspects: Annotated[bool, typer.Option("--suspects", help="Gold that may be wrong, for an annotator.")] = False,
    most: Annotated[int, typer.Option(min=1, help="Mistakes or suspects that are listed, the surest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what costs most on validation: what the headline would be if one kind, type or slice were right.

    \b
    Examples:
      hone focus
      hone focus --kind missed --type ORG
      hone focus --suspects --json
    """
    with project():
        from hone.focus import focus as body

        raise typer.Exit(body(kind=kind, type_=type_, suspects=suspects, most=most, as_json=as_json))


@commands.command(short_help="Score any file of answers.")
def score(
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="The right answers.", resolve_path=True)],
    predicted: Annotated[
        list[Path], typer.Argument(metavar="PRED [PRED2]", help="One system, or two to compare.", resolve_path=True)
    ],
    scheme: Annotated[
        Literal["IOB1", "IOB2", "BIOES", "BILOU", "BMES"] | None,
        typer.Option(help="How the tags are written; none means as gold looks."),
    ] = None,
    gold_column: Annotated[int, typer.Option(help="Column of the tag in GOLD, from 0; -1 is the last.")] = -1,
    pred_column: Annotated[int, typer.Option(help="The same of PRED.")] = -1,
    markdown: Annotated[bool, typer.Option("--markdown", help="A table for a pull request.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score any file of answers of the task with intervals; with a second one, say which of them is better.

    Tagged sentences stand in CoNLL columns (a word a line, its tag last), or in JSON lines with tokens and tags or as
    hone writes them. Labels, relations and answers stand in JSON lines, in a field label, relation or answer.

    \b
    Examples:
      hone score test.conll theirs.conll
      hone score test.conll theirs.jsonl data/predictions.test.jsonl
      hone score both.txt both.txt --gold-column -2      gold and prediction in one file
    """
    with project():
        from hone.score import score as body

        form: Literal["text", "markdown", "json"] = "json" if as_json else "markdown" if markdown else "text"
        raise typer.Exit(
            body(
                gold=gold,
                predicted=predicted,
                form=form,
                scheme=scheme,
                gold_column=gold_column,
                pred_column=pred_column,
            )
        )


@commands.command(short_help="Is a change better? The verdict on test.")
def diff(
    before: Annotated[
        str | None,
        typer.Argument(metavar="[REV]", help="Compare with this; none means where HEAD left the main branch."),
    ] = None,
    after: Annotated[
        str | None, typer.Argument(metavar="[REV2]", help="What is compared; none means the workspace.")
    ] = None,
    form: Annotated[Literal["text", "markdown"], typer.Option("--format", help="For a terminal or a pull request.")] = (
        "text"
    ),
    gate: Annotated[bool, typer.Option("--gate", help="Exit code 1 if a gate of params.yaml fails.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file.", resolve_path=True)] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the workspace, or REV2, with REV on test: verdict, figures, errors, slices, sentences fixed and broken.

    A side may be several revisions or trials, separated by commas: seeds of one system, all of which count.

    \b
    Examples:
      hone diff                          this workspace against where HEAD left the main branch
      hone diff v1.0                     this workspace against a tag
      hone diff main my-branch           two revisions
      hone diff a1,a2,a3 b1,b2,b3        several seeds on either side
      hone diff --gate --format markdown --out verdict.md
    """
    with project():
        from hone.diff import diff as body

        raise typer.Exit(body(before=before, after=after, form="json" if as_json else form, gate=gate, out=out))


@commands.command(short_help="What the trained model finds in a text or a file.")
def predict(
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]...|FILE|-", help="Texts; or a file; or - for stdin; or files with --output-dir."
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="The file, where its name looks like a text.", resolve_path=True)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the records with what was found there.", resolve_path=True),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", metavar="FOLDER", help="The arguments are files; write one for each there."),
    ] = None,
    on: Annotated[
        Literal["local", "dask", "ray"], typer.Option(help="Where many files are read: this machine or a cluster.")
    ] = "local",
    address: Annotated[str | None, typer.Option(help="Of a running Dask scheduler or Ray cluster.")] = None,
    format_: Annotated[
        Literal["text", "jsonl", "csv", "tsv", "parquet"] | None,
        typer.Option("--format", help="Of the file; none means by its ending."),
    ] = None,
    column: Annotated[str, typer.Option(help="With the text, or with a list of words; none looks for one.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Bytes that one record may have.")] = 1_000_000,
    engine: Annotated[
        Literal["auto", "onnx", "torch"],
        typer.Option(help="auto: onnxruntime after 'hone export', torch for large files where it is faster."),
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """Show what the trained model finds in texts, or write a file of any size with it; an interrupted one goes on.

    \b
    Examples:
      hone predict "Angela Merkel visited Toyota in Nagoya."
      hone predict notes.txt
      hone predict reviews.csv --column body --output found.csv
      hone predict archive.jsonl.gz --output found.jsonl.gz
      echo "Ann met Bob." | hone predict - --json
      hone predict 2024-*.txt.gz --output-dir found
      hone predict 2024-*.txt.gz --output-dir found --on dask --address tcp://127.0.0.1:8786
    """
    from hone.predict import named_file, predict_each
    from hone.predict import predict as body

    given = texts or []
    options = _options(limit, engine, format_, column)
    if output_dir is not None:
        files, folder = [Path(name).resolve() for name in given], output_dir.resolve()
        with project():
            if file is not None or output is not None or as_json or not files:
                raise UserError("--output-dir takes files as arguments, and neither --file, --output nor --json")
            raise typer.Exit(predict_each(files=files, folder=folder, options=options, on=on, address=address))
    if file is None:
        file = named_file(given)
    rest = [] if file is not None or given == ["-"] else given
    with project():
        if on != "local" or address:
            raise UserError("--on and --address are for many files; name --output-dir")
        raise typer.Exit(body(texts=rest, file=file, as_json=as_json, output=output, options=options))


def _options(limit: int, engine: str, format_: str | None, column: str) -> list[str]:
    """As the process that predicts takes them."""
    options = ["--limit", str(limit), "--engine", engine]
    options += ["--format", format_] if format_ else []
    return [*options, "--column", column] if column else options


@commands.command(short_help="The model for onnxruntime, faster and without torch.")
def export(
    force: Annotated[bool, typer.Option("--force", "-f", help="Write it anew although nothing changed.")] = False,
) -> None:
    """Bring the pipeline up to date, then write data/export: the model as ONNX, in int8 where that costs little.

    \b
    Examples:
      hone export
    """
    with project():
        from hone.export import export as body

        raise typer.Exit(body(force=force))
