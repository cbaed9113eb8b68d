"""The note on a merge request, against a server on loopback that answers as GitLab does."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/ci/post_gitlab.py"


class GitLab(BaseHTTPRequestHandler):
    """Keeps notes in a list; pages of 100."""

    def do_GET(self) -> None:
        page = int(self.path.rpartition("page=")[2])
        self.answer(200, self.server.notes[100 * (page - 1) : 100 * page])

    def do_POST(self) -> None:
        self.server.notes.append({"id": len(self.server.notes), **self.body()})
        self.answer(201, {})

    def do_PUT(self) -> None:
        self.server.notes[int(self.path.rpartition("/")[2])].update(self.body())
        self.answer(200, {})

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, code, value) -> None:
        code, value = (code, value) if self.headers["PRIVATE-TOKEN"] == "secret" else (401, {})
        content = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), GitLab) as server:
        server.notes = [{"id": n, "body": "of a person"} for n in range(120)]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def post(server, file: Path, text: str, token: str = "secret") -> subprocess.CompletedProcess[str]:
    file.write_text(text)
    values = {
        "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}/api/v4",
        "CI_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_IID": "3",
        "GITLAB_TOKEN": token,
    }
    environment = {**os.environ, **values, "no_proxy": "127.0.0.1"}
    return subprocess.run([sys.executable, str(SCRIPT), str(file)], env=environment, capture_output=True, text=True)


def test_one_note_is_posted_and_then_updated(server, tmp_path):
    assert post(server, tmp_path / "c.md", "<!-- hone -->\none").stdout == "posted a note\n"
    assert post(server, tmp_path / "c.md", "<!-- hone -->\ntwo").stdout == "updated note 120\n"
    assert len(server.notes) == 121 and server.notes[120]["body"].endswith("two")


def test_a_wrong_token_and_a_missing_variable_are_one_line(server, tmp_path):
    refused = post(server, tmp_path / "c.md", "x", token="wrong")
    assert refused.returncode == 1 and "GitLab did not take the note" in refused.stderr
    bare = subprocess.run([sys.executable, str(SCRIPT), "c.md"], env={"PATH": ""}, capture_output=True, text=True)
    assert bare.returncode == 1 and "GITLAB_TOKEN is not set" in bare.stderr
