"""The server over time: probes, metrics, a full queue, keys, rates, a new model, and its end."""

import os
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest


@pytest.fixture
def gate(tmp_path):
    """A named pipe on which a text of the toy waits. Opened for writing, it says that the model is at work."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


@pytest.fixture
def clients():
    with ThreadPoolExecutor(8) as threads:
        yield threads


def until(condition):
    while not condition():
        pass


def test_probes_and_openapi(server):
    assert server.get("/health").json == {"status": "ok"}
    ready = server.get("/ready").json
    assert ready["ready"] and ready["task"] == "token_classification" and not ready["needs_key"]
    described = server.get("/openapi.json").json["paths"]["/predict"]["post"]
    assert set(described["responses"]) == {"200", "401", "408", "413", "415", "422", "429", "500", "503"}
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"text", "texts"} and schema["additionalProperties"] is False


def test_metrics_count_what_happened(start):
    with start() as server:
        version = server.get("/ready").json["model_version"]
        server.predict({"texts": ["Ann", "Bob", "Eve"]})
        server.predict({"text": 3})
        server.get("/secret-path")
        text = server.get("/metrics").body.decode()
    for line in (
        'hone_requests_total{path="/predict",status="200"} 1.0',
        'hone_requests_total{path="/predict",status="422"} 1.0',
        'hone_requests_total{path="other",status="404"} 1.0',
        'hone_request_seconds_count{path="/predict"} 2.0',
        "hone_batch_texts_sum 3.0",
        "hone_batch_texts_count 1.0",
        "hone_queue_texts 0.0",
        f'hone_model_info{{task="token_classification",version="{version}"}} 1.0',
    ):
        assert line in text
    assert float(re.search(r"^process_resident_memory_bytes (\S+)", text, re.MULTILINE)[1]) > 1e7


def test_requests_that_wait_go_through_the_model_together(start, gate, clients):
    with start() as server:
        first = clients.submit(server.predict, {"text": f"WAIT {gate}"})
        with gate.open("w"):
            others = [clients.submit(server.predict, {"texts": [f"Ann{n}", "x"]}) for n in range(5)]
            until(lambda: server.get("/ready").json["waiting"] == 10)
        assert [reply.result().status for reply in [first, *others]] == [200] * 6
        assert [reply.result().json["results"][0]["text"] for reply in others] == [f"Ann{n}" for n in range(5)]
        assert b"hone_batch_texts_count 2.0" in server.get("/metrics").body


def test_a_full_queue_answers_503_and_when_to_come_back(start, gate, clients):
    with start("--queue", "2", "--max-texts", "2", "--max-batch", "1") as server:
        first = clients.submit(server.predict, {"text": f"WAIT {gate}"})
        with gate.open("w"):
            second = clients.submit(server.predict, {"texts": ["Ann", "Bob"]})
            until(lambda: server.get("/ready").status == 503)
            refused = server.predict({"text": "Eve"})
            assert (refused.status, refused.json["code"]) == (503, "queue_full")
            assert int(refused.headers["Retry-After"]) >= 1
            assert server.get("/health").status == 200
        assert first.result().status == second.result().status == 200
        assert server.get("/ready").status == 200


KEY = "k" * 20


def test_keys_are_asked_for_in_either_header(start, tmp_path):
    file = tmp_path / "keys"
    file.write_text("# of the newsroom\n" + "n" * 16 + "\n")
    file.chmod(0o600)
    with start("--keys-file", str(file), HONE_API_KEYS=f"{KEY}, {'m' * 16}") as server:
        refused = server.predict({"text": "Ann"})
        assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        for wrong in ({"X_API_Key": "x" * 20}, {"Authorization": f"Basic {KEY}"}, {"Authorization": "Bearer "}):
            assert server.predict({"text": "Ann"}, **wrong).status == 401
        for right in (
            {"X_API_Key": KEY},
            {"Authorization": f"Bearer {KEY}"},
            {"Authorization": "bearer " + "m" * 16},
            {"X_API_Key": "n" * 16},
        ):
            assert server.predict({"text": "Ann"}, **right).status == 200
        assert server.get("/metrics").status == 401
        assert server.get("/metrics", X_API_Key=KEY).status == 200
        assert server.get("/").status == server.get("/ready").status == server.get("/health").status == 200
        assert "HTTPBearer" in server.get("/openapi.json").json["components"]["securitySchemes"]


def test_a_rate_holds_for_each_key(start):
    with start("--rate", "2", HONE_API_KEYS=f"{KEY},{'m' * 16}") as server:
        statuses = [server.predict({"text": "Ann"}, X_API_Key=KEY).status for _ in range(2)]
        refused = server.predict({"text": "Ann"}, X_API_Key=KEY)
        assert statuses == [200, 200]
        assert (refused.status, refused.json["code"]) == (429, "too_many_requests")
        assert 1 <= int(refused.headers["Retry-After"]) <= 30
        assert server.predict({"text": "Ann"}, X_API_Key="m" * 16).status == 200


def test_sigterm_finishes_what_is_under_way(start, gate, clients):
    with start("--max-batch", "1") as server:
        first = clients.submit(server.predict, {"text": f"WAIT {gate}"})
        with gate.open("w"):
            second = clients.submit(server.predict, {"text": "Ann"})
            until(lambda: server.get("/ready").json["waiting"] == 1)
            server.process.terminate()
            until(lambda: not listens(server.port))
            assert not first.done() and not second.done()
        assert first.result().status == second.result().status == 200
        assert server.process.wait(60) == 0


def listens(port):
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_a_new_model_is_taken_up_without_a_lost_request(start, gate, clients):
    """Requests go on all the while; the one under way is answered by the model that it began with."""
    with start("--poll", "600") as server:
        old = server.get("/ready").json["model_version"]
        waiting = clients.submit(server.predict, {"text": f"WAIT {gate}"})
        with gate.open("w"):
            (server.model / "export.json").write_text('{"kind": "labels"}')
            server.process.send_signal(signal.SIGHUP)
            until(lambda: server.get("/ready").json["model_version"] != old)
            meanwhile = [clients.submit(server.predict, {"text": "Ann"}) for _ in range(4)]
        new = server.get("/ready").json
        assert new["task"] == "text_classification"
        assert waiting.result().json["model_version"] == old and "entities" in waiting.result().json["results"][0]
        for reply in meanwhile:
            assert reply.result().json["model_version"] == new["model_version"]
            assert reply.result().json["results"][0]["label"] == "praise"


def test_no_request_is_lost_while_models_change(start, clients):
    with start("--poll", "0.01") as server:
        versions = {server.get("/ready").json["model_version"]}
        stop = False

        def ask():
            replies = []
            while not stop:
                replies.append(server.predict({"text": "Ann"}))
            return replies

        asking = [clients.submit(ask) for _ in range(4)]
        for kind in ("labels", "capitals", "labels", "capitals"):
            before = server.get("/ready").json["model_version"]
            (server.model / "export.json").write_text(f'{{"kind": "{kind}", "padding": {len(versions)}}}')
            until(lambda before=before: server.get("/ready").json["model_version"] != before)
            versions.add(server.get("/ready").json["model_version"])
        stop = True
        replies = [reply for one in asking for reply in one.result()]
        assert {reply.status for reply in replies} == {200}
        assert len(versions) == 5 and {reply.json["model_version"] for reply in replies} <= versions


def test_a_spoilt_model_is_refused_and_the_old_one_serves_on(start):
    with start("--poll", "600") as server:
        old = server.get("/ready").json["model_version"]
        (server.model / "export.json").write_text('{"kind": "spoilt"}')
        server.process.send_signal(signal.SIGHUP)
        until(lambda: b"hone_models_refused_total 1.0" in server.get("/metrics").body)
        assert server.predict({"text": "Ann"}).json["model_version"] == old
        assert server.get("/ready").json["model_version"] == old
        assert server.stop() == 0
        assert f"new model refused, version {old} serves on: " in server.log.read_text()
