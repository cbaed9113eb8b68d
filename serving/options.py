"""What `hone serve` can be told. Its defaults stand in the command's own options, not here."""

from dataclasses import dataclass
from pathlib import Path

from tasks.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a model is served.

    Attributes:
        model: folder that the stage export wrote.
        host, port: where to listen; port 0 takes a free one.
        threads: processor threads of the model; 0 means one per core that this process may use.
        max_batch: texts that the model answers at once. A request with more runs alone.
        max_wait_ms: milliseconds that the first text of a batch waits for others.
        queue: texts that may wait for the model; a request that does not fit is answered 503.
        max_body: bytes of a request; longer is answered 413.
        max_texts, max_characters: texts of a request, characters of a text; more is answered 422.
        keys_file: file with API keys, a line each, that only its owner may read; None for the environment alone.
        rate: requests a minute of each key, or each address where there are no keys; more is answered 429. 0: no limit.
        poll_seconds: how often the model's folder is looked at for a new version.
        grace_seconds: how long a shutdown waits for requests under way.
        log_requests: a line per request, without its text.
        log_text: the texts too.
    """

    model: Path
    host: str
    port: int
    threads: int
    max_batch: int
    max_wait_ms: float
    queue: int
    max_body: int
    max_texts: int
    max_characters: int
    keys_file: Path | None
    rate: int
    poll_seconds: float
    grace_seconds: int
    log_requests: bool
    log_text: bool

    def __post_init__(self) -> None:
        if self.max_texts > self.queue:
            raise UserError(
                f"--max-texts {self.max_texts}: more than --queue {self.queue} holds: such a request could never be "
                f"answered; raise --queue to {self.max_texts} or more"
            )
