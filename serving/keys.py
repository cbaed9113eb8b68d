"""API keys: where they come from, and who a request is."""

import hashlib
import hmac
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from serving.refusals import Refusal
from tasks.errors import UserError

VARIABLE = "HONE_API_KEYS"
SHORTEST = 16
HINT = "a good one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


class Keys:
    """The keys that are let in. Only their SHA-256 digests are kept.

    Args:
        keys: the keys; none means that everybody is let in.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._digests = [_digest(key) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def client(self, headers: Mapping[str, str], address: str) -> str:
        """A name for who asks: of the key, or the address where there are no keys.

        Keys are compared in constant time, each with all, so that the time tells nothing.

        Raises:
            Refusal: 401, no key or a wrong one.
        """
        if not self._digests:
            return address
        given = headers.get("x-api-key")
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        if given is None and scheme.lower() == "bearer":
            given = rest.strip()
        if given is None:
            raise self._refusal("no API key; send 'Authorization: Bearer KEY' or 'X-API-Key: KEY'")
        own = _digest(given)
        matches = [hmac.compare_digest(own, known) for known in self._digests]
        if not any(matches):
            raise self._refusal("this API key is not known here")
        return f"key {matches.index(True) + 1}"

    @staticmethod
    def _refusal(message: str) -> Refusal:
        return Refusal(401, "no_key", message, headers={"WWW-Authenticate": "Bearer"})


def read_keys(file: Path | None, environment: Mapping[str, str]) -> Keys:
    """The keys of ``file`` (a line each, ``#`` begins a comment) and of HONE_API_KEYS (separated by commas).

    Raises:
        UserError: the file is missing, or others may read it, or a key is too short to be one.
    """
    found = [(VARIABLE, key.strip()) for key in environment.get(VARIABLE, "").split(",") if key.strip()]
    if file is not None:
        lines = [(number, line.partition("#")[0].strip()) for number, line in enumerate(_lines(file), start=1)]
        kept = [(f"{file}:{number}", key) for number, key in lines if key]
        if not kept:
            raise UserError(f"{file}: holds no key; write one a line, {HINT}")
        found += kept
    for place, key in found:
        if len(key) < SHORTEST or not key.isascii() or any(sign.isspace() for sign in key):
            raise UserError(f"{place}: a key has at least {SHORTEST} ASCII signs and no space; {HINT}")
    return Keys(tuple(dict.fromkeys(key for _, key in found)))


def _lines(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            if mode & 0o077:
                raise UserError(f"{file}: others may read it (mode {mode:04o}); chmod 600 {file}")
            return opened.read().splitlines()
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; write one key a line, {HINT}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: not UTF-8; write one key a line, {HINT}") from None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
