"""One run of a step: alone at its files, with what is left to do, and with a record of it at the end."""

import contextlib
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Self, TypeVar

from helpers.artifacts.locks import alone, refuse_readers
from helpers.artifacts.records import Journal, Record, is_intact, read_record
from helpers.artifacts.steps import expected_records, lock_name, record_path, require, steps_before
from helpers.base.files import remove_temporary_files, write_json
from helpers.config.schema import Parameters

Unit = TypeVar("Unit", bound=Hashable)  # the name of a piece of work


class StepRun:
    """A run of a step, as a context in which no other process runs it, and the files that it reads are the right ones.

    A killed run leaves its finished files and an unfinished record; the next run with the same parameters and inputs
    keeps those files and does the rest. Files made from anything else, and files that are not what the step wrote, are
    removed before the first new one is written. Of several processes that share a step, all note what they `wrote`, and
    the first one does everything else (is_first).
    """

    def __init__(self, params: Parameters, name: str, is_first: bool = True) -> None:
        self.params, self.name, self.is_first = params, name, is_first
        self.path, self.record = record_path(name, params), expected_records(params, name)[name]
        self.journal = Journal(self.path)
        self.paths: list[Path] = []
        self.kept: dict[str, str] = {}
        self.held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if self.is_first:
            reads = steps_before(self.name, self.params)
            names = [lock_name(self.params, step) for step in reads]
            self.held.enter_context(alone(self.params.proc_dir, lock_name(self.params, self.name), self.name, names))
            try:
                require(self.params, *reads)
            except BaseException:
                self.held.close()
                raise
        return self

    def __exit__(self, *error: object) -> None:
        self.held.close()

    def start(self, outputs: Mapping[Unit, Path], pattern: str | None = None, keep: bool = True) -> list[Unit]:
        """Mark the run as unfinished and remove what is out of date; nothing at all happens where nothing is.

        Args:
            outputs: name of a unit of work -> path of its file; a name that is also one of the step's inputs becomes
                out of date when that input changes.
            pattern: glob for all such files below the record's folder, those of former images among them; None for a
                step that makes all its files together or none.
            keep: whether files may stay as they are.

        Returns:
            The names whose files are still to be made; none in all processes but the first, which knows.
        """
        if not self.is_first:
            return []
        self.paths = list(outputs.values())
        remove_temporary_files(self.path.parent, lambda path: self._is_own(path, pattern))
        found = {path for path in self.paths if path.exists()}
        found.update(self.path.parent.glob(pattern) if pattern else ())
        before = read_record(self.path, self.name)
        good = self._good_files(before, outputs) if before and keep else {}
        if before and good and not pattern and (len(good) < len(outputs) or before["id"] != self.record["id"]):
            good = {}
        stale = sorted(path for path in found if path not in good)
        todo = [name for name, path in outputs.items() if path not in good]
        self.kept = {self._relative(path): value for path, value in good.items()}
        if todo or stale or not (before and before["complete"] and before["id"] == self.record["id"]):
            refuse_readers(self.params.proc_dir, lock_name(self.params, self.name), self.name)
            if before:
                write_json(self.path, {**before, "complete": False})
            for path in stale:
                path.unlink()
            write_json(self.path, {**self.record, "outputs": self.kept, "complete": False})
        self.journal.remove()
        return todo

    def _good_files(self, before: Record, outputs: Mapping[Unit, Path]) -> dict[Path, str]:
        """Path -> fingerprint of the files that may stay."""
        same = all(before[key] == self.record[key] for key in ("before", "parameters"))
        shared = [name for name in self.record["inputs"] if name not in outputs]
        if not same or any(before["inputs"].get(name) != self.record["inputs"][name] for name in shared):
            return {}
        written = {**before["outputs"], **self.journal.read()}
        good: dict[Path, str] = {}
        for name, path in outputs.items():
            value = written.get(self._relative(path))
            same_input = before["inputs"].get(name) == self.record["inputs"].get(name)
            if value and same_input and is_intact(path, value, self.path):
                good[path] = value
        return good

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.path.parent).as_posix()

    def _is_own(self, path: Path, pattern: str | None) -> bool:
        return path in {self.path, *self.paths} or bool(pattern and path.match(pattern))

    def wrote(self, *paths: Path) -> None:
        """Note finished files: a rerun keeps them."""
        for path in paths:
            self.journal.add(path)

    def finish(self) -> None:
        """Mark the step as done: later steps may read its files."""
        if not self.is_first:
            return
        noted = self.journal.read()
        for path in self.paths:
            if path.exists() and self._relative(path) not in {**self.kept, **noted}:
                self.wrote(path)
        outputs = {**self.kept, **self.journal.read()}
        record = {**self.record, "outputs": dict(sorted(outputs.items())), "complete": True}
        if read_record(self.path, self.name) != record:
            write_json(self.path, record)
        self.journal.remove()
