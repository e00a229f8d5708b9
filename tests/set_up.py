"""run.py as a module, and copies of the project that count as set up."""

import importlib.util


def loaded(path):
    """run.py of a folder as a module, without running it."""
    specification = importlib.util.spec_from_file_location("run_of_test", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def count_as_set_up(home, *requirements):
    """Let run.py of a folder, with an environment there, find that nothing is to be installed; returns it as a module.

    Nothing is installed by that: what an installation of a copy would change is the environment that runs these tests.
    """
    run = loaded(home / "run.py")
    real, run.call = run.call, lambda *_, **__: 0
    run.install(requirements)
    run.call = real
    return run
