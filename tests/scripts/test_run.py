"""Protects the first thing that a newcomer starts, run.py: that it needs nothing but Python, what it installs and when,
that a broken set-up is repaired by the next run, and that wrong arguments install nothing.

Most tests replace `call`, so that nothing is installed; one sets up a real environment and runs real steps in it. The
sequence of steps is tested in test_run_steps.py.
"""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path, PureWindowsPath
from types import ModuleType, SimpleNamespace

import pytest
from project import ROOT
from set_up import loaded

SOURCE = (ROOT / "run.py").read_text(encoding="utf-8")
RUNTIME, TESTS = ["requirements.txt"], ["requirements.txt", "requirements-dev.txt"]


# --- set-up ---


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run.py as if it lay in an empty folder with spaces; `run.commands` is what it would have run, `run.code` how."""
    home = tmp_path / "my photos"
    home.mkdir()
    shutil.copy(ROOT / "run.py", home)
    (home / "requirements.txt").write_text("torch\n")
    (home / "requirements-dev.txt").write_text("pytest\n")
    (home / "pyproject.toml").write_text("[project]\n")
    module = loaded(home / "run.py")
    module.commands, module.code = [], {}

    def pretend(command, **_):
        command = list(map(str, command))
        module.commands.append(command)
        if command[1:3] == ["-m", "venv"]:
            module.PYTHON.parent.mkdir(parents=True, exist_ok=True)
            module.PYTHON.touch()
        code = next((code for word, code in module.code.items() if word in command), 0)
        if isinstance(code, BaseException):
            raise code
        return code

    monkeypatch.setattr(module, "call", pretend)
    return module


def installs(run):
    """The requirement files of each installation so far, by name; forgets them."""
    found = [[Path(word).name for word in command if str(word).endswith(".txt")] for command in run.commands]
    run.commands.clear()
    return [names for names in found if names]


def test_only_the_standard_library_until_the_packages_are_installed():
    frame = [
        (ROOT / "helpers/base" / f"{name}.py").read_text(encoding="utf-8")
        for name in ("start", "streams", "memory", "errors", "script")
    ]
    own = {
        "helpers",
        *(f"helpers.base{name}" for name in ("", ".start", ".streams", ".memory", ".errors", ".script")),
    }  # these themselves
    for source in (SOURCE, *frame):
        tree = ast.parse(source)
        later = [
            node
            for node in tree.body
            if (isinstance(node, ast.FunctionDef) and node.name == "run_steps")
            or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        ]
        for node in set(ast.walk(tree)) - {inner for outer in later for inner in ast.walk(outer)}:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert all(name in own or name.split(".")[0] in sys.stdlib_module_names for name in names), names
    main = next(node for node in ast.parse(SOURCE).body if isinstance(node, ast.FunctionDef) and node.name == "main")
    assert [ast.unparse(node) for node in main.body[-2:]] == ["continue_in_environment()", "run_steps(arguments)"]


def test_first_set_up(run, capsys):
    run.install(RUNTIME)
    make, install, itself = run.commands
    python = run.ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    assert make == [sys.executable, "-m", "venv", str(run.ROOT / ".venv")]
    assert install[:4] == [str(python), "-m", "pip", "install"]
    assert install[-2:] == ["-r", str(run.ROOT / "requirements.txt")]
    assert itself[:4] == install[:4] and itself[-2:] == ["--editable", str(run.ROOT)]
    assert {"--no-deps", "--no-build-isolation"} <= {*itself}, "it needs no network"
    assert "installing requirements.txt" in capsys.readouterr().out


def test_the_second_run_installs_nothing(run, capsys):
    run.install(TESTS)
    assert installs(run) == [TESTS]
    capsys.readouterr()
    run.install(TESTS)
    assert run.commands == [] and capsys.readouterr().out == ""


def test_changed_requirements_are_installed(run):
    run.install(TESTS)
    installs(run)
    for name in TESTS:
        (run.ROOT / name).write_text("another\n")
        run.install(TESTS)
        assert installs(run) == [TESTS]
    run.install(TESTS)
    assert installs(run) == []


def test_the_tests_set_up_is_enough_for_the_steps(run):
    run.install(TESTS)
    installs(run)
    run.install(RUNTIME)
    assert installs(run) == []


@pytest.mark.parametrize("trouble", [SystemExit(1), KeyboardInterrupt()])
def test_a_broken_installation_is_repeated(run, trouble):
    run.code["pip"] = trouble
    with pytest.raises(type(trouble)):
        run.install(RUNTIME)
    assert not list(run.VENV.glob("installed*"))
    run.code.clear()
    installs(run)
    run.install(RUNTIME)
    assert installs(run) == [RUNTIME]


def test_a_broken_environment_is_made_again(run):
    # Debian without python3-venv: bin/python is there, then ensurepip fails, and there will never be a pip
    run.code["venv"] = 1
    with pytest.raises(SystemExit, match="this command failed"):
        run.install(RUNTIME)
    run.code.clear()
    run.commands.clear()
    run.install(RUNTIME)
    assert run.commands[0][1:3] == ["-m", "venv"]


def test_a_removed_environment_is_made_again(run):
    run.install(RUNTIME)
    run.PYTHON.unlink()  # as when the Python that it pointed to was removed
    run.commands.clear()
    run.install(RUNTIME)
    assert run.commands[0][1:3] == ["-m", "venv"] and installs(run) == [RUNTIME]


def test_windows_layout(monkeypatch):
    module = ModuleType("run_of_test")
    module.__file__ = str(ROOT / "run.py")
    monkeypatch.setitem(sys.modules, "os", SimpleNamespace(**{**vars(os), "name": "nt"}))
    exec(compile(SOURCE, "run.py", "exec"), vars(module))  # noqa: S102 (its own source, as if on Windows)
    assert PureWindowsPath(module.PYTHON).parts[-3:] == (".venv", "Scripts", "python.exe")


# --- the command line ---


def call(run, monkeypatch, *arguments):
    """Call main(); the exit code or message, None for an ordinary end."""
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    try:
        run.main()
    except SystemExit as stop:
        return stop.code


def test_tests_run_after_their_set_up(run, monkeypatch):
    run.code["pytest"] = 5
    assert call(run, monkeypatch, "test", "-x", "-k", "boxes") == 5  # the exit code is that of the tests
    assert run.commands[-1] == [str(run.PYTHON), "-m", "pytest", "-x", "-k", "boxes"]
    assert installs(run)[0] == TESTS
    call(run, monkeypatch, "test", "--fast", "-x")
    assert run.commands[-1] == [str(run.PYTHON), "-m", "pytest", "-m", "not slow", "-x"]


def test_check_runs_every_tool_and_fails_if_one_does(run, monkeypatch):
    assert call(run, monkeypatch, "check") == 0
    tools = [command[2:] for command in run.commands[-3:]]
    assert tools == [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]]
    for tool in ("--check", "mypy"):
        run.code = {tool: 3}
        run.commands.clear()
        assert call(run, monkeypatch, "check") == 3 and len(run.commands) == 3


def test_a_moved_project_is_installed_again(run, monkeypatch):
    run.install(RUNTIME)
    installs(run)
    moved = run.ROOT.with_name("moved")
    shutil.move(run.ROOT, moved)
    for name, path in (("ROOT", moved), ("VENV", moved / ".venv"), ("PYTHON", moved / ".venv/bin/python")):
        monkeypatch.setattr(run, name, path)
    run.PYTHON.parent.mkdir(exist_ok=True, parents=True)
    run.PYTHON.touch()
    run.install(RUNTIME)
    assert installs(run) == [RUNTIME]


@pytest.mark.parametrize("wrong", [["tests"], ["--form=3"], ["--from", "7"], ["--to", "x"], ["--set"]])
def test_wrong_arguments_install_nothing(run, monkeypatch, capsys, wrong):
    assert call(run, monkeypatch, *wrong) == 2
    assert run.commands == []
    assert wrong[0] in capsys.readouterr().err.splitlines()[-1]


def test_the_first_run_says_what_it_costs(run, capsys):
    run.install(RUNTIME)
    first, *rest = capsys.readouterr().out.splitlines()
    assert f"{run.DOWNLOAD} GB to download, {run.DISK} GB of disk" in first and "minutes" in first
    (run.ROOT / "requirements.txt").write_text("another\n")
    run.install(RUNTIME)
    assert "GB" not in capsys.readouterr().out  # most of it is there


def test_a_disk_without_room_is_told_before_anything_is_downloaded(run, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))
    with pytest.raises(SystemExit, match=r"^ERROR: .*my photos: 1.0 GB free, the packages need .*make room"):
        run.install(RUNTIME)
    assert run.commands == []


@pytest.mark.parametrize("name", ["venv", "ensurepip"])
def test_a_python_that_cannot_make_environments(run, monkeypatch, name):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None if wanted == name else find(wanted))
    with pytest.raises(SystemExit, match=r"^ERROR: .*lacks venv or ensurepip; install them \(apt install python3"):
        run.install(RUNTIME)
    assert run.commands == []


# --- the real thing ---


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_fresh_copy_sets_itself_up_and_runs(tiny_data, tmp_path):
    """Everything but the download: the new environment finds the packages of this one."""
    home = tmp_path / "a fresh copy"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in listed.split("\0"):
        if name.endswith((".py", ".toml")) and not name.startswith(("tests/", "dev/", "benchmarks/")):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, home / name)
    (home / "requirements.txt").write_text("numpy\n")  # there already
    shutil.copytree(tiny_data / "data" / "tiny", home / "data" / "tiny")
    (tmp_path / "more").mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("__editable__", "fast_rcnn")):  # this project as it is installed here
            (tmp_path / "more" / path.name).symlink_to(path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "more"), "PIP_NO_INDEX": "1"}
    tiny = ["datasetName=tiny", "classes=circle,square", "networkWeights=random", "cntk_nrRois=60"]
    python = Path(sys.base_prefix, f"bin/python3.{sys.version_info.minor}")  # not that of an environment

    def execute(last):
        command = [python, home / "run.py", "--to", last, "--set", *tiny]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    first = execute("2")
    assert first.returncode == 0, first.stdout + first.stderr
    assert f"making the environment {home / '.venv'}" in first.stdout and "First run: " in first.stdout
    assert "[step 2 of 2] 2_computeCntkInputs.py" in first.stdout
    rois = sorted(path.name for path in (home / "proc/tiny/rois/positive").iterdir())
    assert rois == ["1.roi.txt", "10.roi.txt", "2.roi.txt", "3.roi.txt"]
    found = subprocess.run(
        [home / ".venv/bin/python", "-c", "import fastRCNN, sys; print(fastRCNN.__file__); print(sys.prefix)"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.split("\n")[:2] == [str(home / "fastRCNN/__init__.py"), str(home / ".venv")]
    second = execute("0")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "making" not in second.stdout and "installing" not in second.stdout
