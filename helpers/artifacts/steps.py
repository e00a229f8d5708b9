"""What every step is computed from, so that no step ever works on stale, changed or unfinished files.

Each step keeps a record beside its files (helpers/artifacts/records.py): the parameters it used, a fingerprint of each
file it read and wrote, and the record of the step before it. `require` stops a later step when an earlier one is
missing, unfinished, or was run with other parameters or other files, or when a file is not what it wrote, and names
what to run again. What a rerun has to do, helpers/artifacts/step_run.py decides.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.artifacts.locks import describe, is_held
from helpers.artifacts.records import Record, changed_output, read_record
from helpers.base.errors import UserError
from helpers.base.fingerprints import fingerprint, remembered_fingerprints
from helpers.config.groups import DETECTIONS, FEATURES, INPUTS, ROIS, SVMS, TRAINING, StepName
from helpers.config.schema import Parameters
from helpers.config.settings import as_options
from helpers.dataset.sources import annotation_paths, list_images, published_files
from helpers.fetching.weights import weights_fingerprint


def _none(params: Parameters) -> dict[str, str]:
    return {}


def _images(params: Parameters) -> dict[str, str]:
    images = list_images(params)
    known = remembered_fingerprints([image.path for image in images], params.fingerprints_file)
    published = published_files(params)
    return {
        **{image.key: known[image.path] for image in images},
        "published ROIs": fingerprint(*published) if published else "none",
    }


def _annotations(params: Parameters) -> dict[str, str]:
    known = remembered_fingerprints(annotation_paths(params), params.fingerprints_file)
    return {path.relative_to(params.image_dir).as_posix(): value for path, value in known.items()}


def _weights(params: Parameters) -> dict[str, str]:
    return {"weights": weights_fingerprint(params)}


def _weights_unless_trained(params: Parameters) -> dict[str, str]:
    return {} if params.classifier == "nn" else _weights(params)


def _weights_options(params: Parameters) -> str:
    """The options that choose these weights, for messages."""
    names = ("networkWeights", "seed") if params.networkWeights == "random" else ("networkWeights",)
    return as_options({name: getattr(params, name) for name in names})


@dataclass(frozen=True)
class Step:
    """What a step is computed from, besides the parameters, whose groups in PARAMETERS.py name the step.

    reads: the steps whose files it reads, the last one before it at the end; those that do not run with the classifier
    in force are passed over. folder: of its record, an attribute of the parameters; record: the record's name without
    suffix, in which parameters stand in braces. inputs(params): name -> fingerprint of what it reads besides the files
    of steps.
    """

    reads: tuple[StepName, ...]
    folder: str
    record: str
    inputs: Callable[[Parameters], dict[str, str]] = _none


STEPS: dict[str, Step] = {
    ROIS: Step((), "roi_dir", "record", _images),
    INPUTS: Step((ROIS,), "cntk_files_dir", "record", _annotations),
    TRAINING: Step((INPUTS,), "model_dir", "record_{experimentName}", _weights),
    FEATURES: Step((INPUTS, TRAINING), "cntk_files_dir", "record_{classifier}_parsed", _weights_unless_trained),
    SVMS: Step((INPUTS, FEATURES), "svm_dir", "record_{experimentName}"),
    DETECTIONS: Step((INPUTS, FEATURES, SVMS), "detections_dir", "record_{imageSet}_{classifier}"),
}
ONLY_WITH = {TRAINING: "nn", SVMS: "svm"}  # steps of one classifier


def steps_before(name: str, params: Parameters) -> list[StepName]:
    """The steps whose files a step reads, the last one before it at the end."""
    return [step for step in STEPS[name].reads if ONLY_WITH.get(step, params.classifier) == params.classifier]


def record_path(name: str, params: Parameters) -> Path:
    """Where a step's own record lies."""
    step = STEPS[name]
    return getattr(params, step.folder) / f"{step.record.format_map(vars(params))}.json"


def trained_by(params: Parameters) -> StepName:
    """The step that ends with a classifier."""
    return TRAINING if params.classifier == "nn" else SVMS


def lock_name(params: Parameters, name: str) -> str:
    """The name of a step's lock: one for each record."""
    path = record_path(name, params).relative_to(params.proc_dir)
    return "-".join(path.with_suffix("").parts)


def _before(name: str, params: Parameters) -> StepName | None:
    """The step before a step."""
    return next(reversed(steps_before(name, params)), None)


def _chain(name: str, params: Parameters) -> list[str]:
    """A step's name and those of all before it, first to last."""
    before = _before(name, params)
    return [*(_chain(before, params) if before else []), name]


def expected_records(params: Parameters, name: str) -> dict[str, Record]:
    """The records that a step and those before it leave when they run now: step -> dict, first to last.

    `id` of a record stands for the step and for all before it.
    """
    records: dict[str, Record] = {}
    before: str | None = None
    for step in _chain(name, params):
        record: Record = {
            "step": step,
            "before": before,
            "parameters": params.subset(params.used_by(step)),
            "inputs": STEPS[step].inputs(params),
        }
        before = hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=8).hexdigest()
        notes = {"weights": _weights_options(params)} if "weights" in record["inputs"] else {}
        records[step] = {**record, "notes": notes, "id": before}
    return records


def require(params: Parameters, *names: str) -> None:
    """Stop unless the files of some steps may be read.

    Each of them and of those before it must have been completed with these parameters and input files, and what they
    wrote themselves must still be as they wrote it.

    Args:
        names: steps of one chain, the last one after the others.

    Raises:
        UserError: naming what differs, and what to run again.
    """
    if not names:
        return
    expected = expected_records(params, names[-1])
    found: dict[str, Record] = {}
    for step, record in expected.items():
        found[step] = _complete_record(params, step, expected)
        _same_inputs(found[step], record)
        if found[step]["before"] != record["before"]:
            raise UserError(f"{_before(step, params)} ran again after {step}: {_again(step)}")
    for name in names:
        _same_outputs(params, name, found[name])


def require_parameters(params: Parameters, name: str) -> None:
    """The same for using what was trained on other images: the data set's own files need not be there any more."""
    chain = _chain(name, params)
    expected: dict[str, Record] = {step: {"parameters": params.subset(params.used_by(step))} for step in chain}
    before = None
    for step in chain:
        found = _complete_record(params, step, expected)
        if found["before"] != before:
            raise UserError(f"{_before(step, params)} ran again after {step}: {_again(step)}")
        if step in (TRAINING, FEATURES):
            notes = {"weights": _weights_options(params)}
            _same_inputs(found, {"step": step, "inputs": STEPS[step].inputs(params), "notes": notes})
        before = found["id"]
    _same_outputs(params, name, found)


def require_output(params: Parameters, name: str) -> None:
    """The same for using what carries its own parameters: the step must have come to its end with any parameters, and
    its files must be as it wrote them."""
    _same_outputs(params, name, _complete_record(params, name, {name: {"parameters": {}}}))


def _again(name: str) -> str:
    return f"run {name} again and the steps after it (python3 run.py --from {name[0]})"


def _complete_record(params: Parameters, name: str, expected: Mapping[str, Record]) -> Record:
    """The record of a complete step that ran with these parameters. expected: step -> what its record should be."""
    path = record_path(name, params)
    found = read_record(path, name)
    if found is None:
        raise UserError(f"{path.parent} has no files of {name}: run {name} first")
    changed = _changed_parameters(found, expected[name])
    if changed:
        words = [f"{parameter} is {new!r} now but was {old!r}" for parameter, (old, new) in changed.items()]
        raise UserError(f"{', '.join(words)} when {name} ran: {_again(name)}{_set_back(params, expected)}")
    unknown = expected[name]["parameters"].keys() - found["parameters"].keys()
    if unknown:
        raise UserError(f"{path}: of another version, it has no {', '.join(sorted(unknown))}: {_again(name)}")
    if not found["complete"]:
        if is_held(params.proc_dir, lock_name(params, name)):
            who = describe(params.proc_dir, lock_name(params, name))
            raise UserError(f"{name} is running now, {who}: wait until it has finished")
        raise UserError(f"{name} has not finished: run it again, it continues where it stopped")
    return found


def _changed_parameters(found: Record, expected: Record) -> dict[str, tuple[Any, Any]]:
    """Parameter -> (value in the record, value now) of those that differ."""
    old, new = found["parameters"], expected["parameters"]
    return {name: (old[name], value) for name, value in new.items() if name in old and old[name] != value}


def _set_back(params: Parameters, expected: Mapping[str, Record]) -> str:
    """The options that fit to the files that are there, those of later steps included."""
    values: dict[str, Any] = {}
    for step, record in expected.items():
        found = read_record(record_path(step, params), step)
        for name, (old, _) in _changed_parameters(found, record).items() if found else ():
            values.setdefault(name, old)
    return f", or set it back: {as_options(values)}" if values else ""


def _same_inputs(found: Record, expected: Record) -> None:
    name = expected["step"]
    for key in {**found["inputs"], **expected["inputs"]}:
        old, new = found["inputs"].get(key), expected["inputs"].get(key)
        if old == new:
            continue
        change = "was added" if old is None else "was removed" if new is None else "has changed"
        line = f"{key} {change} since {name} ran"
        former, now = found["notes"].get(key), expected["notes"].get(key)
        if former is None:
            raise UserError(f"{line}: {_again(name)}")
        back = "put the former file back" if former == now else f"set it back: {former}"
        raise UserError(f"{line} with {former} ({old}); it is {now} ({new}) now: {_again(name)}, or {back}")


def _same_outputs(params: Parameters, name: str, found: Record) -> None:
    path = record_path(name, params)
    changed = changed_output(path, found)
    if changed:
        what = "has changed since" if changed.exists() else "is missing, which"
        after = " wrote it" if changed.exists() else " wrote"
        raise UserError(f"{changed}: {what} {name}{after}: run {name} again, which makes it anew")
