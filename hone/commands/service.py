"""Commands of production: a schedule, its server, and what the model is asked over time."""

from pathlib import Path
from typing import Annotated

import typer

from hone.commands.options import AsJson
from hone.commands.project import PARAMS, project

commands = typer.Typer()


@commands.command(short_help="Runs by night, on new data, on demand.")
def schedule(
    cron: Annotated[str | None, typer.Option(metavar="CRON", help="Minute, hour, day, month, weekday.")] = None,
    interval: Annotated[
        int | None, typer.Option(metavar="SECONDS", min=1, help="Seconds from one run to the next.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the deployment in Prefect.")] = "hone",
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Time zone of --cron, e.g. Europe/Berlin; none means UTC."),
    ] = None,
    new_data: Annotated[bool, typer.Option("--new-data", help="Do nothing unless data/raw has changed.")] = False,
    once: Annotated[bool, typer.Option("--once", help="One such run here and now, without a server.")] = False,
) -> None:
    """Serve the deployments of prefect.yaml, against a running Prefect server, until Ctrl-C.

    A scheduled run fetches, runs the newest commit in a worktree of its own, compares the model with the live one and
    publishes it to a branch if it passes the gate (params.yaml: schedule). Your files are not touched.
    With --cron or --interval a single deployment is served at that time instead.

    \b
    Examples:
      hone schedule                                        nightly, on new data, sweeps on demand
      hone schedule --cron "0 3 * * 1" --timezone Europe/Berlin
      hone schedule --interval 3600 --new-data --name feed
      hone schedule --once                                 try it, or call it from cron
      prefect deploy --all                                 the same deployments for a work pool
    """
    with project():
        from tasks.params_file import load

        load(PARAMS)
        from hone.schedule import schedule as body

        raise typer.Exit(body(cron=cron, interval=interval, name=name, timezone=timezone, new_data=new_data, once=once))


@commands.command(short_help="Start a Prefect server on loopback.")
def server(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 4200,
) -> None:
    """Start a Prefect server on loopback, for schedules and for looking at runs, until Ctrl-C.

    \b
    Examples:
      hone server                 an SQLite file below PREFECT_HOME (~/.prefect)
      hone server --port 4300
      PREFECT_SERVER_DATABASE_CONNECTION_URL=postgresql+asyncpg://me@127.0.0.1/prefect hone server
    """
    with project():
        from hone.server import server as body

        raise typer.Exit(body(port=port))


@commands.command(short_help="Has what is asked and answered drifted?")
def watch(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Answers as JSON lines.", resolve_path=True)],
    run: Annotated[bool, typer.Option("--run", help="Run the pipeline where it has drifted.")] = False,
    deployment: Annotated[
        str, typer.Option(metavar="FLOW/NAME", help="A deployment that runs where it has drifted.")
    ] = "",
    artifact: Annotated[bool, typer.Option("--artifact", help="Leave the table in a running Prefect server.")] = False,
    gate: Annotated[bool, typer.Option("--gate", help="Exit code 1 where it has drifted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare what was predicted over time with validation: labels, confidence, unknown words, length, surges.

    Every FILE holds JSON lines as 'hone predict --output' writes them, with "time" where known.

    \b
    Examples:
      hone watch answers.jsonl
      hone watch monday.jsonl tuesday.jsonl --gate
      hone watch answers.jsonl --deployment scheduled/nightly
    """
    with project():
        from tasks.params_file import load

        settings = load(PARAMS)
        from hone.watch import watch as body

        raise typer.Exit(
            body(
                settings=settings,
                files=files,
                run=run,
                deployment=deployment,
                artifact=artifact,
                gate=gate,
                as_json=as_json,
            )
        )


@commands.command(short_help="The exported model behind HTTP.")
def serve(
    model: Annotated[
        Path | None, typer.Option(help="Folder of an exported model; none means data/export.", resolve_path=True)
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 is reached from other machines.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    threads: Annotated[int, typer.Option(min=0, help="Of the model; 0 means one per core.")] = 0,
    max_batch: Annotated[int, typer.Option(min=1, help="Texts that the model answers at once; 1: no batches.")] = 32,
    max_wait_ms: Annotated[float, typer.Option(min=0, help="Milliseconds that a batch waits for more texts.")] = 2.0,
    queue: Annotated[int, typer.Option(min=1, help="Texts that may wait; beyond it requests get 503.")] = 512,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request; longer ones get 413.")] = 1_000_000,
    max_texts: Annotated[int, typer.Option(min=1, help="Texts of a request; more get 422.")] = 64,
    max_characters: Annotated[int, typer.Option(min=1, help="Characters of a text; more get 422.")] = 10_000,
    keys_file: Annotated[
        Path | None,
        typer.Option(
            help="API keys, one a line, readable by you alone; HONE_API_KEYS also holds some.", resolve_path=True
        ),
    ] = None,
    rate: Annotated[int, typer.Option(min=0, help="Requests a minute per key or address, then 429; 0: any.")] = 0,
    poll: Annotated[float, typer.Option(min=0.01, help="Seconds between looks for a new model; SIGHUP: now.")] = 2.0,
    grace: Annotated[int, typer.Option(min=1, help="Seconds a shutdown gives to requests under way.")] = 30,
    log_requests: Annotated[bool, typer.Option("--log-requests", help="A line per request, without text.")] = False,
    log_text: Annotated[bool, typer.Option("--log-text", help="Every text with its answer.")] = False,
) -> None:
    """Serve the exported model: /predict, /health, /ready, /metrics, /openapi.json, and a page to try it at /.

    \b
    Examples:
      hone serve                                        at http://127.0.0.1:8000
      hone serve --port 0 --max-batch 64 --max-wait-ms 5
      hone serve --host 0.0.0.0 --keys-file keys.txt --rate 600
      hone serve --model ../other/data/export
    """
    with project():
        from hone.serve import serve as body
        from serving.options import Options

        given = Options(
            model=model or Path("data/export"),
            host=host,
            port=port,
            threads=threads,
            max_batch=max_batch,
            max_wait_ms=max_wait_ms,
            queue=queue,
            max_body=max_body,
            max_texts=max_texts,
            max_characters=max_characters,
            keys_file=keys_file,
            rate=rate,
            poll_seconds=poll,
            grace_seconds=grace,
            log_requests=log_requests,
            log_text=log_text,
        )
        raise typer.Exit(body(options=given))
