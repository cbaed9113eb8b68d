"""`hone push`: results to DVC's remote, for whoever runs `hone run --pull`."""

import typer

from flows import remote


def push(everything: bool) -> int:
    """Send the workspace's results, or those of all runs of this machine; 0. Raises UserError as `flows.remote`."""
    moved = remote.push(everything)
    if moved.damaged:
        typer.echo(f"{len(moved.damaged)} objects of the remote were cut and are replaced")
    typer.echo(f"{moved.objects} files sent, {moved.bytes / 1e6:.1f} MB; 'hone run --pull' elsewhere takes them")
    return 0
