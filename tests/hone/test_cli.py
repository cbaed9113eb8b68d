"""The command line as a person meets it: help, errors as one line, exit codes, the project found from below."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hone import cli
from hone.app import app
from hone.plain_try import plain
from tasks.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ["run", "why", "import", "doctor", "resolve", "focus", "score", "diff", "predict", "export"]
COMMANDS += ["try", "repeat", "sweep", "ablate", "curve", "ledger", "adopt", "gc", "schedule", "server", "watch"]
COMMANDS += ["serve", "push", "publish", "load"]


def hone(*arguments: str, cwd: Path = ROOT, **options) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "hone", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, **options)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder that looks like a project, with this repository's params; the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("dvc.yaml", "params.yaml"):
        Path(name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


@pytest.fixture
def called(monkeypatch):
    """The bodies of the commands replaced: what each was called with, and where."""
    import hone.ablate
    import hone.adopt
    import hone.curve
    import hone.diff
    import hone.doctor
    import hone.export
    import hone.focus
    import hone.gc
    import hone.importing
    import hone.ledger
    import hone.load
    import hone.predict
    import hone.publish
    import hone.push
    import hone.repeat
    import hone.resolve
    import hone.run
    import hone.schedule
    import hone.score
    import hone.serve
    import hone.server
    import hone.sweep
    import hone.try_
    import hone.watch
    import hone.why

    calls = []
    for module, name in (
        (hone.run, "run"),
        (hone.why, "why"),
        (hone.focus, "focus"),
        (hone.score, "score"),
        (hone.diff, "diff"),
        (hone.resolve, "resolve"),
        (hone.predict, "predict"),
        (hone.predict, "predict_each"),
        (hone.export, "export"),
        (hone.importing, "import_dataset"),
        (hone.doctor, "doctor"),
        (hone.schedule, "schedule"),
        (hone.serve, "serve"),
        (hone.server, "server"),
        (hone.try_, "try_"),
        (hone.repeat, "repeat"),
        (hone.sweep, "sweep"),
        (hone.ablate, "ablate"),
        (hone.curve, "curve"),
        (hone.ledger, "ledger"),
        (hone.adopt, "adopt"),
        (hone.gc, "gc"),
        (hone.watch, "watch"),
        (hone.push, "push"),
        (hone.publish, "publish"),
        (hone.load, "load"),
    ):

        def body(_body=name, **options):
            calls.append((_body, options, Path.cwd()))
            return 3

        monkeypatch.setattr(module, name, body)
    return calls


def invoke(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_help_lists_every_command():
    done = hone("--help")
    assert done.returncode == 0 and done.stderr == ""
    listed = re.findall(r"^  (\w+)  +\S", done.stdout.split("Commands:")[1], flags=re.MULTILINE)
    assert listed == COMMANDS
    assert "..." not in done.stdout.split("Commands:")[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_that_it_understands(command, project, called):
    text = invoke(command, "--help").output
    examples = re.findall(rf"^ +(?:.*\| )?hone ({command}\b.*)$", text.split("Examples:")[1], flags=re.MULTILINE)
    assert examples
    import shlex

    for example in examples:
        done = invoke(*shlex.split(re.split(r" {3,}", example)[0]))
        assert done.exit_code == 3, (example, done.output)
    assert len(called) == len(examples)


def test_help_answers_in_half_a_second_and_loads_nothing_heavy():
    """The bound is on the work done, processor time, so that busy neighbours do not make the test fail."""
    code = (
        "import sys, resource\n"
        "sys.argv = ['hone', '--help']\n"
        "from hone.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print('SPENT', used.ru_utime + used.ru_stime)\n"
        "print('LOADED', *sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert float(re.search(r"SPENT (\S+)", done.stdout)[1]) < 0.5
    loaded = set(re.search(r"LOADED (.+)", done.stdout)[1].split())
    assert not loaded & {"torch", "transformers", "dvc", "prefect", "datasets", "numpy", "pydantic", "rich", "ruamel"}


GROUPS = sorted((ROOT / "hone" / "commands").glob("*.py"))


def test_bodies_are_imported_inside_the_commands_only():
    assert {path.stem for path in GROUPS} >= {"pipeline", "result", "loop", "kept", "service"}
    light = {"hone.commands", "hone.commands.options", "hone.commands.project", "hone.terminal", "tasks.errors"}
    for path in (ROOT / "hone" / "cli.py", ROOT / "hone" / "app.py", *GROUPS):
        tree = ast.parse(path.read_text())
        at_top = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
        assert {name for name in at_top if name.startswith(("hone", "tasks", "flows"))} <= light, path


@pytest.mark.parametrize("command", ["try", "repeat", "sweep", "ablate", "curve"])
def test_commands_that_run_trials_say_where(command, project, called):
    reason = ["why not"] if command == "try" else []
    invoke(command, *reason, "--on", "ray", "--address", "127.0.0.1:6379", "--git-remote", "origin")
    ((_, options, _),) = called
    where = {name: options[name] for name in ("on", "address", "git_remote")}
    assert where == {"on": "ray", "address": "127.0.0.1:6379", "git_remote": "origin"}


def test_version():
    from importlib.metadata import version

    assert invoke("--version").output == f"hone {version('hone')}\n"


def test_settings_reach_the_bodies_read_as_yaml(project, called):
    where = {"on": "threads", "address": None, "git_remote": None}
    invoke("try", "why not", "--expect", "-0.5", "-S", "finetune.learning_rate=1e-4", "-S", "finetune.head=mlp")
    changes = ["finetune.learning_rate=1e-4", "finetune.head=mlp"]
    said = {"reason": "why not", "changes": changes, "expect": -0.5, "name": None}
    invoke("repeat", "--seeds", "8", "--json", "-S", changes[0], "-S", changes[1])
    overrides = {"finetune.learning_rate": 1e-4, "finetune.head": "mlp"}
    assert called == [
        ("try_", said | where, project),
        ("repeat", {"seeds": 8, "overrides": overrides, "as_json": True, "metric": "entity_f1"} | where, project),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["why not"],
        ["why not", "-S", "seed=2", "--set", "finetune.head=mlp", "--name", "it", "--expect", "0.5"],
        ["-S", "seed=2", "why not", "--expect", "+1"],
        ["-S", "seed = 2", "Grund: größer"],
    ],
)
def test_a_plain_try_means_what_the_command_line_takes_it_for(arguments, project, called):
    invoke("try", *arguments)
    assert called == [("try_", plain(arguments), project)]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [""],
        ["--help"],
        ["one", "two"],
        ["why", "-S"],
        ["why", "-Sseed=2"],
        ["why", "--set=seed=2"],
        ["why", "--expect", "-0.5"],
        ["why", "--expect", "much"],
        ["why", "--expect", "1", "--expect", "2"],
        ["why", "--name", ""],
        ["why", "--on", "dask"],
        ["--", "-why"],
    ],
)
def test_what_is_not_plain_is_left_to_the_command_line(arguments):
    assert plain(arguments) is None


def test_a_plain_try_loads_neither_the_command_line_nor_what_runs_trials(project, called, monkeypatch):
    assert invoke_main(monkeypatch, "try", "why not", "-S", "seed=2") == (3, "")
    code = (
        "import sys, hone.cli, hone.plain_try, hone.try_\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), *(n for n in sys.modules if 'flows' in n))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    heavy = {"typer", "pydantic", "ruamel", "yaml", "numpy", "dvc", "prefect", "psutil", "importlib.metadata"}
    assert not set(done.stdout.split()) & (heavy | {"flows.trials.fan_out", "flows.trials.runner", "flows.dvc"})


def test_options_of_the_loop_go_before_params(project, called):
    invoke("sweep", "--trials", "40", "--hours", "0.5", "--until-goal", "--storage", "sqlite:///x.db", "--on", "local")
    invoke("sweep")
    invoke("ablate", "--seeds", "5")
    invoke("curve", "--json")
    invoke("ledger", "--lessons", "--commits", "--last", "7")
    (_, first, _), (_, second, _), (_, ablate, _), (_, curve, _), (_, ledger, _) = called
    assert (first["block"].trials, first["block"].hours, first["block"].storage) == (40, 0.5, "sqlite:///x.db")
    assert first["until_goal"] and first["on"] == "local"
    assert second["block"] == second["settings"].sweep and not second["until_goal"]
    assert ablate["seeds"] == 5 and curve["seeds"] == curve["settings"].curve.seeds and curve["as_json"]
    assert (ledger["lessons"], ledger["trials"], ledger["last"]) == (True, False, 7)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("finetune.epoch=3", "finetune.epoch: no such key; did you mean 'finetune.epochs'?"),
        ("finetune.epochs=many", "finetune.epochs: 'many'"),
        ("finetune.patience=9", "finetune.patience: 9 cannot end a run of finetune.epochs: 8"),
        ("finetune.epochs", "write key=value"),
    ],
)
def test_a_bad_setting_is_one_line_before_anything_runs(project, monkeypatch, setting, said):
    def never(*_, **__):
        raise AssertionError("something ran")

    monkeypatch.setattr("hone.repeat.repeat", never)
    monkeypatch.setattr("hone.try_.test", never)
    for command in (["try", "x"], ["repeat"]):
        code, stderr = invoke_main(monkeypatch, *command, "-S", setting)
        assert code == 1 and said in stderr and stderr.count("\n") == 1


def test_options_reach_the_bodies(project, called, tmp_path):
    (project / "deep").mkdir()
    os.chdir(project / "deep")
    invoke("run", "finetune", "report", "--engine", "local", "--force")
    os.chdir(project / "deep")
    invoke("predict", "Ann met Bob.", "--json")
    os.chdir(project / "deep")
    invoke("predict", "notes.csv", "-o", "found.csv", "--column", "body")
    os.chdir(project / "deep")
    invoke("predict", "-", "--file", "x.txt", "--format", "jsonl")
    os.chdir(project / "deep")
    invoke(
        "predict",
        "a.csv",
        "b.csv.gz",
        "--output-dir",
        "out",
        "--column",
        "body",
        "--on",
        "dask",
        "--address",
        "tcp://d:1",
    )
    os.chdir(project / "deep")
    invoke("import", "corpus", "--as", "mine")
    invoke("import", "hub:a/b@v1:c", "--as", "mine", "--force")
    invoke("schedule", "--cron", "0 3 * * *")
    invoke("server")
    invoke("diff")
    invoke("diff", "a,b", "c", "--gate", "--json", "--out", "v.json")
    invoke("diff", "--format", "markdown")
    invoke("resolve")
    nothing = {"before": None, "after": None, "form": "text", "gate": False, "out": None}
    deep, plain = project / "deep", ["--limit", "1000000", "--engine", "auto"]
    column = [*plain, "--column", "body"]
    many = {"files": [deep / "a.csv", deep / "b.csv.gz"], "folder": deep / "out"}
    shown = {"texts": [], "file": None, "as_json": False, "output": None, "options": plain}
    assert called == [
        ("run", {"engine": "local", "stages": ["finetune", "report"], "force": True, "pull": False}, project),
        ("predict", {**shown, "texts": ["Ann met Bob."], "as_json": True}, project),
        ("predict", {**shown, "file": deep / "notes.csv", "output": deep / "found.csv", "options": column}, project),
        ("predict", {**shown, "file": deep / "x.txt", "options": [*plain, "--format", "jsonl"]}, project),
        ("predict_each", {**many, "options": column, "on": "dask", "address": "tcp://d:1"}, project),
        ("import_dataset", {"source": str(project / "deep" / "corpus"), "name": "mine", "force": False}, project),
        ("import_dataset", {"source": "hub:a/b@v1:c", "name": "mine", "force": True}, project),
        (
            "schedule",
            {
                "cron": "0 3 * * *",
                "interval": None,
                "name": "hone",
                "timezone": None,
                "new_data": False,
                "once": False,
            },
            project,
        ),
        ("server", {"port": 4200}, project),
        ("diff", nothing, project),
        ("diff", {"before": "a,b", "after": "c", "form": "json", "gate": True, "out": project / "v.json"}, project),
        ("diff", {**nothing, "form": "markdown"}, project),
        ("resolve", {}, project),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  epochs:", "  epoch:", "finetune.epoch: unknown key (did you mean 'epochs'?)"),
        ("  epochs: 8", "  epochs: many", "finetune.epochs: 'many'"),
        ("task: token_classification", "task: tagging", "task: 'tagging' is unknown"),
        ("seed: 1", "seed: [1", "not YAML"),
    ],
)
def test_bad_params_are_one_line_before_anything_runs(project, old, new, said):
    text = Path("params.yaml").read_text()
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new, 1))
    done = hone("run", cwd=project)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: params.yaml") and said in done.stderr and done.stderr.count("\n") == 1


def test_a_dataset_that_is_a_link_out_is_refused_before_anything_is_read(project, tmp_path_factory):
    (project / "data/raw").mkdir(parents=True)
    (project / "data/raw/hone-ner").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    done = hone("run", cwd=project)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: params.yaml: dataset: 'hone-ner' is a link out of data/raw, which DVC")
    assert "copy it in with 'hone import PATH --as NAME'" in done.stderr


def test_an_output_in_a_folder_that_is_not_there_is_refused(project):
    done = hone("predict", "Ann met Bob.", "--output", str(project / "none/found.txt"), cwd=project)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"there is no folder {project / 'none'}; make it, or name another" in done.stderr


def test_outside_a_project_it_says_so(tmp_path):
    for command in (["run"], ["why", "finetune"], ["doctor"], ["predict", "x"]):
        done = hone(*command, cwd=tmp_path)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert done.stderr.startswith("error: ") and "no project here or above" in done.stderr


def test_an_error_of_a_file_system_is_a_line_too(project, called, monkeypatch):
    import hone.doctor
    import hone.focus

    def full(as_json):
        raise OSError(28, "No space left on device", "data/model")

    monkeypatch.setattr(hone.doctor, "doctor", full)
    done = invoke_main(monkeypatch, "doctor")
    assert done == (1, "error: data/model: No space left on device; 'hone doctor' looks at disk and rights\n")


def invoke_main(monkeypatch, *arguments: str) -> tuple[int, str]:
    """Exit code and stderr of the script itself, in this process."""
    import io

    stderr = io.StringIO()
    monkeypatch.setattr(sys, "argv", ["hone", *arguments])
    monkeypatch.setattr(sys, "stderr", stderr)
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code, stderr.getvalue()


def test_an_error_is_red_on_a_terminal_only(project, monkeypatch, called):
    import io

    import hone.doctor
    import hone.focus

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def fail(as_json):
        raise UserError("bad")

    monkeypatch.setattr(hone.doctor, "doctor", fail)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert invoke_main(monkeypatch, "doctor") == (1, "error: bad\n")
    assert cli.paint("x", "red", Terminal()) == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert cli.paint("x", "red", Terminal()) == "x"


def test_an_interrupt_is_quiet_and_130(project, monkeypatch, called):
    import hone.doctor
    import hone.focus

    def interrupted(as_json):
        raise KeyboardInterrupt

    monkeypatch.setattr(hone.doctor, "doctor", interrupted)
    assert invoke_main(monkeypatch, "doctor") == (130, "")


def test_a_reader_that_leaves_is_no_traceback(project):
    """`hone --help | head -0`: the pipe is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "hone", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert done.stderr == ""


def test_wrong_usage_is_2_and_names_what_is_close():
    done = hone("wyh")
    assert done.returncode == 2 and "No such command 'wyh'. Did you mean 'why'?" in done.stderr
    assert hone("run", "--engine", "magic").returncode == 2
    assert hone("import", "x").returncode == 2
