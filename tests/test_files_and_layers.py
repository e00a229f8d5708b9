"""Protects the architecture, by reading the source: calls go down only (scripts use helpers/ and fastRCNN/, which do
not know each other), the algorithm never sees a path or PARAMETERS, and files stay short, documented and free of
habits that hide errors.

These rules are cheap to keep one file at a time and dear to restore later.
"""

import ast
import re
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter

import pytest
from project import ROOT

MAX_LINES = 400  # a backstop: a file is one idea, however long that is
EXCEPTIONS = ()  # files that may be longer: none
PACKAGES = ("fastRCNN", "helpers", "pipeline")
FOLDERS = (*PACKAGES, "tools", "tests", "benchmarks", "dev")

SCRIPTS = sorted(ROOT.glob("*.py"))
FILES = SCRIPTS + [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
STEPS = [path for path in SCRIPTS if re.match(r"[0-9AB]\w*_", path.name)]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def modules_of(package):
    return sorted((ROOT / package).rglob("*.py"))


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=name_of)


def imports(path):
    """Every module that a file imports anywhere, with its dots: "helpers.base.files"; "." for a relative import."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module)
        elif isinstance(node, ast.Call) and called(node) in ("__import__", "importlib.import_module"):
            yield "." if not isinstance(node.args[0], ast.Constant) else node.args[0].value


def called(node):
    return ast.unparse(node.func)


def project_modules(path):
    """Of the project's own packages and scripts, the top names that a file imports."""
    own = {*FOLDERS, *(script.stem for script in SCRIPTS)}
    return {name.split(".")[0] for name in imports(path)} & {*own, ""}


def test_there_is_something_to_check():
    names = {name_of(path) for path in FILES}
    assert {
        "run.py",
        "pipeline/stages.py",
        "fastRCNN/boxes.py",
        "helpers/base/files.py",
        "tests/fastRCNN/test_boxes.py",
    } <= names
    assert {"1_computeRois.py", "5_evaluate.py"} <= {path.name for path in STEPS}


# --- who may import whom ---


@each(modules_of("fastRCNN"))
def test_the_algorithm_knows_only_itself(path):
    assert project_modules(path) <= {"fastRCNN"}
    # arrays and tensors: no path, no file format, no command line, no process
    forbidden = {"os", "pathlib", "glob", "shutil", "tempfile", "io", "json", "csv", "argparse", "subprocess", "PIL"}
    assert not {name.split(".")[0] for name in imports(path)} & forbidden


@each(modules_of("fastRCNN"))
def test_the_algorithm_touches_no_file(path):
    names = {"open", "np.load", "np.save", "np.savez", "torch.load", "torch.save", "cv2.imread", "cv2.imwrite"}
    calls = {called(node) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)}
    assert not calls & names
    assert "__file__" not in path.read_text(encoding="utf-8")


@each(modules_of("helpers"))
def test_helpers_know_no_algorithm(path):
    # helpers/config/file.py reads the one file of parameters; no other helper does
    allowed = {"PARAMETERS"} if name_of(path) == "helpers/config/file.py" else set()
    assert project_modules(path) - {"helpers", "fastRCNN"} <= allowed
    of_the_algorithm = {name for name in imports(path) if name.startswith("fastRCNN")}
    assert all(name.startswith("fastRCNN.structures") for name in of_the_algorithm)  # plain types


FLOORS = (("fastRCNN", "helpers"), ("pipeline",), ("scripts", "tools"))  # the lowest first
ROOMS = (  # of helpers, each of which stands on those before it
    "base", "config", "fetching", "formats", "dataset", "importing", "drawing", "artifacts", "annotating",
)  # fmt: skip


def module_of(path):
    """The name by which a file is imported; that of the package for its __init__.py."""
    name = name_of(path).removesuffix(".py").removesuffix("/__init__")
    return name.replace("/", ".") if name.split("/")[0] in PACKAGES else path.stem


def floor_of(module):
    """The index in `FLOORS` of a module, a script of the root included."""
    folder = module.split(".")[0] if "." in module or module in PACKAGES else "scripts"
    return next(index for index, folders in enumerate(FLOORS) if folder in folders)


def modules_imported(path, known):
    """Of the modules `known` those that a file imports anywhere, in its functions too."""
    return {name for name in imports(path) if name in known}


PROGRAM = [path for path in FILES if name_of(path).split("/")[0] in (*PACKAGES, "tools") or path in SCRIPTS]
MODULES = {module_of(path) for path in PROGRAM}
IMPORTED = {module_of(path): modules_imported(path, MODULES) - {module_of(path)} for path in PROGRAM}


@each([path for path in PROGRAM if path.name == "__init__.py"])
def test_packages_import_nothing(path):
    assert not list(imports(path))  # else each of their modules would import what they do


def test_no_module_leads_back_to_itself():
    tuple(TopologicalSorter(IMPORTED).static_order())  # raises CycleError with the modules of a cycle


def test_the_order_of_the_modules_sees_a_cycle_in_functions(tmp_path):
    (tmp_path / "a.py").write_text("def f():\n    import b\n")
    (tmp_path / "b.py").write_text("from a import f\n")
    known = {"a", "b"}
    found = {name: modules_imported(tmp_path / f"{name}.py", known) for name in known}
    assert found == {"a": {"b"}, "b": {"a"}}


@each(PROGRAM)
def test_no_floor_knows_one_above_it(path):
    own = floor_of(module_of(path))
    assert [name for name in IMPORTED[module_of(path)] if name != "PARAMETERS" and floor_of(name) > own] == []


@each([path for path in modules_of("helpers") if path.parent.name != "helpers"])
def test_rooms_stand_on_those_below(path):
    own = module_of(path)
    room = ROOMS.index(own.split(".")[1])
    rooms = {name: ROOMS.index(name.split(".")[1]) for name in IMPORTED[own] if name.startswith("helpers.")}
    assert [name for name, other in rooms.items() if other > room] == []


@each([path for path in FILES if name_of(path).split("/")[0] not in ("tests", "benchmarks")])
def test_nobody_imports_tests_or_benchmarks(path):
    assert not project_modules(path) & {"tests", "benchmarks"}


def test_parameters_import_types_and_tables_alone():
    assert {name.split(".")[0] for name in imports(ROOT / "PARAMETERS.py")} <= {"os", "helpers", "fastRCNN"}


def needs_packages(path):
    """Whether it is a script that imports more than the standard library."""
    names = {name.partition(".")[0] for name in imports(path)}
    return "__main__" in path.read_text(encoding="utf-8") and bool(names - sys.stdlib_module_names)


START = """
if __name__ == "__main__":
    from helpers.base.start import start

    start()
"""


@each([path for path in sorted(ROOT.glob("benchmarks/*.py")) + sorted(ROOT.glob("dev/*.py")) if needs_packages(path)])
def test_benchmarks_and_drivers_find_the_environment(path):
    body = tree(path).body
    start = next(index for index, node in enumerate(body) if isinstance(node, ast.If))
    assert "require_python()" in ast.unparse(body[start])
    before = {name for node in body[:start] for name in re.findall(r"^(?:import|from) (\w+)", ast.unparse(node))}
    assert before <= sys.stdlib_module_names


@pytest.mark.slow
@each([path for path in SCRIPTS if "run_s" in path.read_text(encoding="utf-8") and path.name != "run.py"])
def test_scripts_do_nothing_when_imported(path):
    ordinary = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    first, *body, last = tree(path).body[1:]  # after the docstring
    assert ast.unparse(first) == ast.unparse(ast.parse(START))
    assert all(isinstance(node, ordinary) for node in body)
    assert isinstance(last, ast.If) and ast.unparse(last.test) == "__name__ == '__main__'"
    assert "main" in {node.name for node in body if isinstance(node, ast.FunctionDef)}


@each(
    [
        *SCRIPTS,
        *(ROOT / "helpers" / name for name in ("__init__.py", "base/__init__.py")),
        *(ROOT / "helpers/base" / f"{name}.py" for name in ("errors", "script", "start", "streams")),
    ]
)
def test_an_old_python_can_read_what_tells_it_that_it_is_too_old(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


# --- habits that hide errors ---


@each(FILES)
def test_no_star_imports_and_no_swallowed_errors(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names), node.lineno
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"bare except, line {node.lineno}"
            broad = {"Exception", "BaseException"} & {ast.unparse(part) for part in ast.walk(node.type)}
            silent = all(isinstance(part, ast.Pass | ast.Continue) for part in node.body)
            assert not (broad and silent), f"line {node.lineno}"
        if isinstance(node, ast.Call) and called(node).endswith("suppress"):
            assert not {"Exception", "BaseException"} & {ast.unparse(argument) for argument in node.args}, node.lineno


@each([path for path in FILES if not name_of(path).startswith("tests/")])
def test_no_assert_checks_input(path):
    # python -O drops assert statements, and their message names no file and no rule
    assert not [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Assert)]


# --- readable files ---


@each(FILES)
def test_length(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES or name_of(path) in EXCEPTIONS


@pytest.mark.slow
@each([path for package in PACKAGES for path in modules_of(package)])
def test_public_functions_and_classes_have_docstrings(path):
    defined = [node for node in tree(path).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    public = [node for node in defined if not node.name.startswith("_")]
    assert [node.name for node in public if not ast.get_docstring(node)] == []


@each(FILES)
def test_files_say_what_they_are(path):
    first_line = (ast.get_docstring(tree(path)) or "").split("\n")[0]
    assert len(first_line) > 20
    if path.name.startswith("test_"):
        assert first_line.startswith("Protects ")
    if path.name[0].isdigit():
        assert re.match(rf"Step {path.name[0]}\b", first_line)


NAMED = re.compile(rf"(?<![\w./-])((?:{'|'.join(FOLDERS)}|docs)/[\w/]+\.(?:py|md))")


@each([path for path in FILES if path.name != "readme_stand_ins.py"] + sorted(ROOT.glob("*.md")))
def test_files_that_are_named_are_there(path):
    named = set(NAMED.findall(path.read_text(encoding="utf-8")))
    assert {name for name in named if not (ROOT / name).is_file()} == set()


# --- nothing of one machine ---

# a folder of one person or one machine, on Linux, macOS or Windows
PRIVATE = re.compile(r"(?<![\w.:/~])/(?:home|Users|root|work|mnt|media)/\w|\b[A-Z]:\\Users\\\w", re.IGNORECASE)


def test_private_paths_are_recognised():
    found = ["/" + "home/ann/x", '"/' + 'Users/bob"', "(/" + "root/data", "C:" + "\\Users\\ann", "at /" + "work/x"]
    assert all(PRIVATE.search(text) for text in found)
    fine = ["https://host/" + "work/1", "proc/work/", "..\\Users", "network/home/page", "~/" + "work/x", "/homepage/x"]
    assert not any(PRIVATE.search(text) for text in fine)


def tracked():
    """All text files under version control, or, without git, all source files."""
    git = shutil.which("git")
    listed = git and subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if not listed or listed.returncode:
        return FILES
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_paths_of_one_machine():
    found = []
    for path in tracked():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture
        found += [
            f"{name_of(path)}, line {row}: {line.strip()}" for row, line in enumerate(lines, 1) if PRIVATE.search(line)
        ]
    assert found == []
