"""A trained network outside torch: export to ONNX, and scoring with ONNX Runtime.

What 7_exportModel.py runs, and 6_scoreImage.py with an .onnx file.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fastRCNN.backbones import BACKBONES
from fastRCNN.export import ExportableDetector
from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.network import padded_input
from fastRCNN.structures import Rois, RoiScores
from helpers.artifacts.onnx_files import ADVICE, import_onnxruntime, read_onnx
from helpers.base.errors import UserError
from helpers.config.schema import Parameters
from pipeline.detection import class_scores
from pipeline.engines import to_onnx
from pipeline.stages import NetworkInput, require_classes

INPUTS = {"image": 4, "rois": 2}  # number of dimensions
OUTPUTS = {"scores": 2, "boxes": 3, "offsets": 3}


def export_detector(model: FastRcnn, params: Parameters) -> bytes:
    """A model on the CPU as a serialised ONNX graph, see `ExportableDetector`; any H, W and R.

    H and W must be at least two cells of the trunk's map, and for some networks multiples of 32: see `padded_input`.
    """
    detector = ExportableDetector(model, moves_boxes=params.boxRegression)
    example = torch.zeros(1, 3, 96, 128), torch.tensor([[0.0, 0, 60, 50], [10, 20, 90, 80]])
    sizes = {"image": {2: "height", 3: "width"}, **{name: {0: "nrRois"} for name in ("rois", *OUTPUTS)}}
    return to_onnx(detector, example, input_names=list(INPUTS), output_names=list(OUTPUTS), dynamic_axes=sizes)


def _limit_memory(runtime: Any, nr_rois: int) -> None:
    """Bound what the sessions of this process hold, whatever their graphs ask for; one that wants more fails.

    The most that a network here needs is about 3 MB per ROI (resnet50, whose head works on maps), less for the image.
    """
    memory = runtime.OrtMemoryInfo("Cpu", runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, runtime.OrtMemType.DEFAULT)
    limit = 2**31 + nr_rois * 2**22
    runtime.create_and_register_allocator(memory, runtime.OrtArenaCfg({"max_mem": limit, "arena_extend_strategy": 1}))


class OnnxDetector:
    """A `Detector` without torch's network: ONNX Runtime on the CPU, with `network_threads` threads. path: the file.

    All ROIs of an image go through the head at once; `network_roiBatchSize` does not matter here.
    """

    def __init__(self, path: Path, params: Parameters) -> None:
        self.path, self.params = path, params
        runtime = import_onnxruntime()
        description, data = read_onnx(path)
        require_classes(description, params, path)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = params.network_threads
        options.log_severity_level = 4  # what is wrong is raised, not printed as well
        options.add_session_config_entry("session.use_env_allocators", "1")
        _limit_memory(runtime, params.cntk_nrRois)
        try:
            self.session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors have no base class of their own
            raise self._error("its graph cannot be run", error) from error
        self._check(self.session.get_inputs(), INPUTS, list(INPUTS))
        self._check(self.session.get_outputs(), OUTPUTS, ("scores", "offsets"))
        threads = options.intra_op_num_threads
        print(f"network {params.network}, exported: {path}, on cpu, {threads} threads", file=sys.stderr)

    def predict(self, prepared: NetworkInput, rois: Rois) -> tuple[np.ndarray, np.ndarray]:
        """As `stages.predict`: probabilities (R, K + 1) and offsets (R, K, 4), float32."""
        pixels = padded_input(prepared.pixels, BACKBONES[self.params.network]).numpy()
        boxes = prepared.place(rois.boxes).astype(np.float32)
        try:
            scores, offsets = self.session.run(["scores", "offsets"], {"image": pixels, "rois": boxes})
        except Exception as error:
            raise self._error("its graph cannot be run", error) from error
        nr_classes = len(self.params.classes)
        if scores.shape != (len(rois), nr_classes + 1) or offsets.shape != (len(rois), nr_classes, 4):
            raise self._error(f"its outputs do not fit to {nr_classes} classes", f"{scores.shape}, {offsets.shape}")
        if not (np.isfinite(scores).all() and np.isfinite(offsets).all()):
            raise self._error("its outputs are not finite", "train again")
        return scores, offsets

    def score(self, prepared: NetworkInput, rois: Rois) -> RoiScores:
        """See `stages.Detector`."""
        return class_scores(*self.predict(prepared, rois), self.params)

    def _check(self, tensors: Iterable[Any], dimensions: Mapping[str, int], wanted: Sequence[str]) -> None:
        """Raise `UserError` unless the graph's inputs or outputs have the names and shapes of `to_onnx`."""
        found = {tensor.name: (tensor.type, len(tensor.shape)) for tensor in tensors}
        expected = {name: ("tensor(float)", dimensions[name]) for name in wanted}
        if any(found.get(name) != value for name, value in expected.items()):
            raise self._error(f"{', '.join(expected)} expected", f"it has {', '.join(found)}")

    def _error(self, what: str, why: object) -> UserError:
        return UserError(f"{self.path}: {what} ({' '.join(str(why).split())[:200]}); {ADVICE}")
