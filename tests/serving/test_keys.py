"""Where keys come from, and which are no keys."""

import pytest

from serving.keys import Keys, read_keys
from serving.refusals import Refusal
from tasks.errors import UserError

KEY = "k" * 16


def test_none_lets_everybody_in_by_address():
    keys = read_keys(None, {})
    assert not keys
    assert keys.client({}, "10.0.0.1") == "10.0.0.1"


def test_a_client_is_named_without_its_key():
    keys = Keys(("first-key-of-mine", "second-key-of-mine"))
    assert keys.client({"x-api-key": "second-key-of-mine"}, "") == "key 2"
    assert "second" not in repr(vars(keys))


@pytest.mark.parametrize("given", ["", "first-key-of-min", "first-key-of-mine2", "ключ"])
def test_a_wrong_key_is_401(given):
    with pytest.raises(Refusal) as refused:
        Keys(("first-key-of-mine",)).client({"x-api-key": given}, "")
    assert refused.value.status == 401


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_read_is_refused(tmp_path, mode):
    file = tmp_path / "keys"
    file.write_text(KEY)
    file.chmod(mode)
    with pytest.raises(UserError, match=r"others may read it .*chmod 600"):
        read_keys(file, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"# none\n", "holds no key"), (b"short\n", r"keys:1: a key has at least 16"), (b"\xff" * 20, "not UTF-8")],
)
def test_a_file_without_good_keys_is_refused(tmp_path, text, said):
    file = tmp_path / "keys"
    file.write_bytes(text)
    file.chmod(0o600)
    with pytest.raises(UserError, match=said):
        read_keys(file, {})


def test_a_missing_file_and_a_short_variable_are_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_keys(tmp_path / "keys", {})
    with pytest.raises(UserError, match="HONE_API_KEYS: a key has at least 16"):
        read_keys(None, {"HONE_API_KEYS": f"{KEY},short"})
