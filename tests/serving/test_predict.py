"""/predict as a client meets it: what is answered, what is refused and how, and that no text is left in the log."""

import http.client
import json
import os
import socket

import pytest


def test_one_text(server):
    reply = server.predict({"text": "zwei 🙂🙂 Ann"})
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    version = server.get("/ready").json["model_version"]
    assert reply.json["model_version"] == version and len(version) == 12
    assert reply.json["task"] == "token_classification"
    (result,) = reply.json["results"]
    (entity,) = result["entities"]
    assert result["text"][entity["start"] : entity["end"]] == entity["text"] == "Ann"


def test_many_texts_in_their_order(server):
    texts = [f"Ann{number} and others" for number in range(64)]  # more than one batch
    reply = server.predict({"texts": texts})
    assert [result["text"] for result in reply.json["results"]] == texts
    assert all(len(result["entities"]) == 1 for result in reply.json["results"])


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({"txt": "Ann"}, "extra_forbidden", "txt: Extra inputs are not permitted"),
        ({"text": "Ann", "texts": ["Bob"]}, "text_or_texts", "send either"),
        ({}, "text_or_texts", "send either"),
        ({"texts": []}, "no_text", "texts: is empty"),
        ({"text": 3}, "string_type", "text: Input should be a valid string"),
        ({"texts": ["Ann", None]}, "string_type", "texts.1: "),
        ({"texts": "Ann"}, "list_type", "texts: "),
        ([{"text": "Ann"}], "model_type", "send"),
        ({"texts": ["Ann"] * 65}, "too_many_texts", "holds 65, a request may hold 64"),
        ({"texts": ["Ann", "x" * 10_001]}, "text_too_long", "texts.1: has 10,001 characters"),
        (b"", "json_invalid", "EOF"),
        (b"text=Ann", "json_invalid", "Invalid JSON"),
        (b'{"text": "\xff\xfe"}', "json_invalid", "invalid unicode code point"),
        (json.dumps({"text": "Ann"}).encode("utf-16"), "json_invalid", "Invalid JSON"),
        (b'{"text": "\\ud800"}', "json_invalid", "hex escape"),
        (b"[" * 500_000, "json_invalid", "recursion limit exceeded"),
        (b'{"text":' * 100_000, "json_invalid", "recursion limit exceeded"),
        ({"text": "REFUSE"}, "unreadable_text", "this task needs two texts"),
    ],
)
def test_bad_requests_are_told_what_is_wrong(server, body, code, said):
    reply = server.predict(body)
    assert (reply.status, reply.json["code"]) == (422, code)
    assert said in reply.json["error"]


def test_a_text_of_10_mb_is_read_to_its_end_and_refused(server):
    reply = server.predict({"text": "x" * 10_000_000})
    assert (reply.status, reply.json["code"]) == (413, "body_too_long")
    assert "1,000,000 bytes" in reply.json["error"]


def test_a_body_without_a_length_is_measured_too(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    blocks = (b"x" * 100_000 for _ in range(20))
    connection.request("POST", "/predict", blocks, {"Content-Type": "application/json"}, encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 413
    response.read()
    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/predict", 405, "http_405"), ("GET", "/nothing", 404, "http_404"), ("POST", "/predict", 415, "not_json")],
)
def test_other_refusals(server, method, path, status, code):
    reply = server.ask(method, path)
    assert (reply.status, reply.json["code"]) == (status, code)


def test_a_model_that_fails_spoils_no_other_request_and_no_log(start):
    with start() as server:
        reply = server.predict({"texts": ["Ann", "a secret BREAK"]})
        assert (reply.status, reply.json["code"]) == (500, "failed")
        assert server.predict({"text": "Ann"}).status == 200
        assert server.predict(b'{"text": "a secret"').status == 422
        assert server.stop() == 0
        log = server.log.read_text()
        assert "ValueError in /predict" in log and "toy_server.py" in log
        assert "secret" not in log


def test_text_is_logged_when_asked_for(start):
    with start("--log-text", "--log-requests") as server:
        server.predict({"text": "Ann sang"})
        assert server.stop() == 0
        log = server.log.read_text()
        assert '"text": "Ann sang"' in log
        assert "POST /predict 200" in log


def test_a_client_that_left_is_counted_and_its_text_dropped(start, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with start("--max-batch", "1") as server:
        first = socket.create_connection(("127.0.0.1", server.port))
        first.sendall(request({"text": f"WAIT {gate}"}))
        with gate.open("w"):  # both ends are open: the model is at work
            second = socket.create_connection(("127.0.0.1", server.port))
            second.sendall(request({"text": "Ann"}))
            while server.get("/ready").json["waiting"] != 1:
                pass
            second.close()
            while server.get("/ready").json["waiting"] != 0:
                pass
        assert first.recv(100).startswith(b"HTTP/1.1 200")
        first.close()
        assert b'hone_requests_total{path="/predict",status="499"} 1.0' in server.get("/metrics").body


def request(body):
    raw = json.dumps(body).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
    return head.encode() + raw
