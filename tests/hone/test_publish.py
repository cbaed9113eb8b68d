"""Versions of the model: gate and tag, back through hone load and dvc artifacts get, and to a Hub on loopback."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.conftest import Branches

STAGE = """
  report:
    cmd: '"$HONE_PYTHON" model.py'
    deps: [data/prepared, model.py]
    params: [finetune.learning_rate]
    outs: [data/model, data/report]

artifacts:
  model: {path: data/model, type: model}

plots:"""

MODEL = """
from pathlib import Path
from tasks.params_file import load
from tasks.records import write_json
rate = load(Path("params.yaml")).finetune.learning_rate
for folder in ("data/model", "data/report"):
    Path(folder).mkdir(parents=True, exist_ok=True)
Path("data/model/model.safetensors").write_text(f"{rate} " * 1000)
write_json(Path("data/model/hone.json"), {"data": "0123456789abcdef", "versions": {"numpy": "1.0"}})
Path("data/report/model_card.md").write_text("---\\nlicense: mit\\n---\\n# The card\\n\\n---\\n\\nits end\\n")
"""


@pytest.fixture(scope="module")
def registry_made(branches_made: Branches, tmp_path_factory: pytest.TempPathFactory) -> Branches:
    """The project of branches with a model in it, on main, run and committed."""
    made = Branches(tmp_path_factory.mktemp("registry") / "copy/project")
    shutil.copytree(branches_made.folder.parent, made.folder.parent, symlinks=True)
    made.set("\nplots:", STAGE, "dvc.yaml")
    (made.folder / "model.py").write_text(MODEL)
    (made.folder / ".gitignore").write_text("__pycache__/\n/published/\n")
    made.run("a model")
    return made


@pytest.fixture
def registry(registry_made: Branches, tmp_path) -> Branches:
    shutil.copytree(registry_made.folder.parent, tmp_path / "copy", symlinks=True)
    return Branches(tmp_path / "copy/project")


def test_a_version_goes_out_and_comes_back(registry: Branches, tmp_path) -> None:
    done = registry.hone("publish")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("model v0.1.0: entity_f1 0.") and "the first version" in done.stdout
    assert "git push origin model@v0.1.0" in done.stdout
    said = registry.must("git", "for-each-ref", "--format=%(contents)", "refs/tags/model@v0.1.0")
    assert "\ndata: 0123456789abcdef\nversions: numpy 1.0\n\n---\nlicense: mit\n---\n# The card" in said
    again = registry.hone("publish")
    assert again.returncode == 1 and "this commit is published as model@v0.1.0 already" in again.stderr

    registry.set("rate: 3.0e-4", "rate: 1.0e-3")
    registry.run("a better one")
    lower = registry.hone("publish", "0.1.0")
    assert lower.returncode == 1 and "v0.1.0 is not higher than model@v0.1.0; leave it out for v0.2.0" in lower.stderr
    done = registry.hone("publish")
    assert done.returncode == 0, done.stderr
    assert "against model@v0.1.0 better (+0." in done.stdout
    registry.set('"numpy": "1.0"', '"numpy": "1.1"', "model.py")
    registry.run("made with another numpy")
    said = registry.hone("diff", "model@v0.2.0")
    assert "The models were made with other versions: numpy 1.0 and 1.1." in said.stdout, said.stdout + said.stderr

    for version, rate in (("v0.1.0", "0.0003"), ("v0.2.0", "0.001")):
        back = registry.hone("load", f"model@{version[1:]}")
        assert back.returncode == 0, back.stderr
        folder = registry.folder / "published" / f"model@{version}"
        assert (folder / "model.safetensors").read_text().startswith(f"{rate} ")
        assert (folder / "README.md").read_text() == "---\nlicense: mit\n---\n# The card\n\n---\n\nits end\n"
        assert "note: the model was made with numpy 1.0, here " in back.stdout
        assert "note: the model learned from other data: 0123456789abcdef, here data/prepared is " in back.stdout
        out = tmp_path / version
        registry.must("dvc", "artifacts", "get", str(registry.folder), "model", "--rev", version, "-o", str(out))
        assert (out / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert registry.must("git", "status", "--porcelain") == ""
    unknown = registry.hone("load", "model@9.9.9")
    assert unknown.returncode == 1
    assert "model@v9.9.9: no such version here; there are: model@v0.1.0, model@v0.2.0" in unknown.stderr


def test_a_model_that_fails_the_gate_is_not_published(registry: Branches) -> None:
    assert registry.hone("publish", "1.0.0").returncode == 0
    registry.set("rate: 3.0e-4", "rate: 3.0e-3")
    registry.run("worse")
    done = registry.hone("publish")
    assert done.returncode == 1
    assert "the gate of params.yaml fails against model@v1.0.0, nothing is published: gate.no_loss" in done.stderr
    assert registry.must("git", "tag") == "model@v1.0.0"


def test_what_is_not_committed_or_not_run_is_not_published(registry: Branches) -> None:
    registry.set("rate: 3.0e-4", "rate: 1.0e-3")
    done = registry.hone("publish")
    assert done.returncode == 1 and "params.yaml: not committed" in done.stderr
    registry.must("git", "commit", "-qam", "not run")
    done = registry.hone("publish")
    assert done.returncode == 1 and "older than code, params or data; 'hone run', then commit" in done.stderr
    assert registry.must("git", "tag") == ""


def test_a_folder_that_holds_no_model_is_never_replaced(registry: Branches, tmp_path) -> None:
    assert registry.hone("publish").returncode == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letters.txt").write_text("dear all")
    done = registry.hone("load", "model", "--out", str(tmp_path / "mine"), "--force")
    assert done.returncode == 1 and "holds no model of hone" in done.stderr
    assert (tmp_path / "mine/letters.txt").read_text() == "dear all"


def test_a_damaged_file_or_one_that_runs_is_not_loaded(registry: Branches) -> None:
    assert registry.hone("publish").returncode == 0
    weights = (registry.folder / "data/model/model.safetensors").read_bytes()
    (cached,) = (
        path for path in (registry.folder / ".dvc/cache").rglob("*") if path.is_file() and path.read_bytes() == weights
    )
    cached.chmod(0o644)
    cached.write_bytes(weights[:-1])
    done = registry.hone("load", "model")
    assert done.returncode == 1 and "model@v0.1.0: model.safetensors is damaged" in done.stderr
    cached.write_bytes(weights)
    registry.set(
        'Path("data/model/model', 'Path("data/model/pytorch_model.bin").touch(); Path("data/model/model', "model.py"
    )
    registry.run("a pickle")
    assert registry.hone("publish").returncode == 0
    done = registry.hone("load", "model")
    assert done.returncode == 1
    assert "pytorch_model.bin: can run code when loaded; save the model as safetensors" in done.stderr
    assert not (registry.folder / "published/model@v0.2.0").exists()


class Hub(BaseHTTPRequestHandler):
    """The part of the Hub's API that a push uses: repository, preupload, LFS, commit, tag."""

    server: "Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.path, self.headers.get("Authorization", "")))
        at = f"http://127.0.0.1:{self.server.server_port}"
        if self.server.refuses:
            self._answer({"error": "no right to write"}, 403)
        elif self.path == "/api/repos/create":
            asked = json.loads(body)
            self.server.made = asked
            self._answer({"url": f"{at}/{asked.get('organization')}/{asked['name']}"})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            large = ".safetensors"
            files = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["path"].endswith(large) else "regular",
                    "shouldIgnore": False,
                }
                for one in json.loads(body)["files"]
            ]
            self._answer({"files": files})
        elif self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**one, "actions": {"upload": {"href": f"{at}/upload/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            self._answer({"transfer": "basic", "objects": objects})
        elif "/commit/" in self.path:
            self.server.commit = [json.loads(line) for line in body.splitlines()]
            self._answer({"commitUrl": f"{at}/team/names/commit/{'a' * 40}", "commitOid": "a" * 40, "hookOutput": ""})
        elif "/tag/" in self.path:
            self.server.tags.append((self.path, json.loads(body)["tag"]))
            self._answer({})
        else:
            self._answer({"error": f"not expected: {self.path}"}, 404)

    def do_PUT(self) -> None:
        self.server.stored[self.path.rpartition("/")[2]] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({})

    def do_GET(self) -> None:
        self._answer({"error": "no right to read"}, 403)

    def _answer(self, value: object, code: int = 200) -> None:
        text = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """What the Hub was asked for and got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hub)
        self.refuses = False
        self.seen: list[tuple[str, str]] = []
        self.made: dict[str, object] = {}
        self.commit: list[dict] = []
        self.tags: list[tuple[str, str]] = []
        self.stored: dict[str, bytes] = {}


@pytest.fixture
def hub() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_hub_gets_all_files_and_the_version(registry: Branches, hub: Server) -> None:
    import base64
    import hashlib
    import sys

    where = {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_TOKEN": "hf_of_no_account",
        "HF_HUB_DISABLE_XET": "1",  # large files by LFS, which the server here speaks
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(registry.folder.parent / "hf"),
    }
    command = (sys.executable, "-m", "hone", "publish", "--hub", "team/names")
    done = registry.call(*command, **where)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f"model@v0.1.0 is at {where['HF_ENDPOINT']}/team/names\n")
    assert (hub.made["organization"], hub.made["name"], hub.made["visibility"]) == ("team", "names", "private")
    assert {token for _, token in hub.seen} == {"Bearer hf_of_no_account"}
    assert hub.commit[0] == {"key": "header", "value": {"summary": "model@v0.1.0", "description": ""}}
    files = {one["value"]["path"]: one["value"] for one in hub.commit[1:]}
    assert sorted(files) == ["README.md", "hone.json", "model.safetensors"]
    assert base64.b64decode(files["README.md"]["content"]).startswith(b"---\nlicense: mit\n---\n# The card")
    weights = (registry.folder / "data/model/model.safetensors").read_bytes()
    assert hub.stored == {hashlib.sha256(weights).hexdigest(): weights}
    assert hub.tags == [(f"/api/models/team/names/tag/{'a' * 40}", "v0.1.0")]

    again = registry.call(*command, **where)  # the commit has its version: only sent, no second tag of Git
    assert again.returncode == 0, again.stderr
    assert registry.must("git", "tag") == "model@v0.1.0"
    hub.refuses = True
    refused = registry.call(*command, **where)
    assert refused.returncode == 1 and "team/names: the Hub refuses: " in refused.stderr
    nobody = registry.call(*command, **where | {"HF_TOKEN": ""})
    assert (
        nobody.returncode == 1 and "nobody is logged in at the Hub; 'hf auth login', or set HF_TOKEN" in nobody.stderr
    )
