"""What runs the trunk: torch, or an engine that computes the same map faster on some processors.

ONNX Runtime and OpenVINO get the trunk as an ONNX graph, made in memory. Which is fastest here is what
benchmarks/runtimes.py measures. An engine must agree with torch on the first image that it gets.
"""

import io
import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fastRCNN.network import RoiNetwork
from helpers.artifacts.onnx_files import import_onnx, import_onnxruntime
from helpers.base.errors import UserError
from helpers.config.schema import Parameters

OPSET = 18  # of ONNX, 2022; RoiAlign is exact from 16 on
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.1}  # greatest difference from torch's map, relative to its greatest value

Engine = Callable[[torch.Tensor], torch.Tensor]  # normalised image (1, 3, H, W) -> map (1, C, H / stride, W / stride)


def use_engine(network: RoiNetwork, params: Parameters) -> None:
    """From now on the trunk runs as `network_runtime` and `network_precision` say.

    Raises:
        UserError: where this machine lacks what that takes; on the first image, where the engine and torch disagree.
    """
    runtime, precision = params.network_runtime, params.network_precision
    if runtime != "torch" and network.device.type != "cpu":
        raise UserError(f'network_runtime = "{runtime}" computes on the CPU: set network_device = "cpu" as well')
    if precision == "bfloat16" and not computes_bfloat16(network.device):
        raise UserError('network_precision = "bfloat16": this processor has no bfloat16, and would be slower with it')
    if (runtime, precision) != ("torch", "float32"):
        engine = ENGINES[runtime](network.trunk, params)
        network.engine = CheckedEngine(network.trunk, engine, f"{runtime}, {precision}", TOLERANCE[precision])


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 numbers in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # torch has no public names for these
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


class CheckedEngine:
    """An engine that is compared with torch on its first image, and runs alone from then on. name: for messages."""

    def __init__(self, trunk: nn.Module, engine: Engine, name: str, tolerance: float) -> None:
        self.trunk, self.engine, self.name, self.tolerance = trunk, engine, name, tolerance
        self.is_checked = False

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """See `Engine`; raises `UserError` where the first map is not the one that torch computes."""
        found = self.engine(image)
        if not self.is_checked:
            expected = self.trunk(image)
            fits = found.shape == expected.shape
            apart = float((found - expected).abs().max() / expected.abs().max()) if fits else float("nan")
            if not apart <= self.tolerance:
                raise UserError(
                    f"the trunk in {self.name} differs from torch's by {apart:.0e} of the greatest value, where "
                    f'{self.tolerance:g} is allowed; network_runtime = "torch" works everywhere'
                )
            print(f"trunk in {self.name}: within {apart:.0e} of torch's on the first image", file=sys.stderr)
            self.is_checked = True
        return found


def to_onnx(module: nn.Module, example: tuple[torch.Tensor, ...], **names: Any) -> bytes:
    """A module on the CPU as a serialised ONNX graph. names: arguments of `torch.onnx.export` that name its tensors."""
    import_onnx()  # torch needs it for this, and its own message does not say how to install it
    file: Any = io.BytesIO()  # which the older exporter takes as well, and its types deny
    with warnings.catch_warnings():
        # all of them are for torch's developers: advice to take its newer exporter, which does not know torchvision's
        # roi_pool, and what the older one does not simplify
        warnings.simplefilter("ignore")
        torch.onnx.export(module, example, file, dynamo=False, opset_version=OPSET, **names)
    return file.getvalue()


def _graph(trunk: nn.Module) -> bytes:
    names = {"input_names": ["image"], "output_names": ["map"]}
    sizes = {"image": {2: "height", 3: "width"}, "map": {2: "rows", 3: "columns"}}
    return to_onnx(trunk, (torch.zeros(1, 3, 96, 128),), **names, dynamic_axes=sizes)


def _as_map(array: Any) -> torch.Tensor:
    return torch.from_numpy(array).contiguous(memory_format=torch.channels_last)


def _torch_engine(trunk: nn.Module, params: Parameters) -> Engine:
    def run(image: torch.Tensor) -> torch.Tensor:
        with torch.autocast(image.device.type, dtype=torch.bfloat16):
            return trunk(image).float()

    return run


def _onnx_engine(trunk: nn.Module, params: Parameters) -> Engine:
    if params.network_precision != "float32":
        raise UserError(
            'network_runtime = "onnx" computes in float32: set network_precision to that, or another engine'
        )
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = params.network_threads, 3
    session = runtime.InferenceSession(_graph(trunk), options, providers=["CPUExecutionProvider"])
    return lambda image: _as_map(session.run(["map"], {"image": image.contiguous().numpy()})[0])


def _openvino_engine(trunk: nn.Module, params: Parameters) -> Engine:
    try:
        import openvino
    except ImportError as error:
        raise UserError(
            f'network_runtime = "openvino" needs a package that is missing ({error}): '
            "pip install -r requirements-openvino.txt"
        ) from error
    core, precision = openvino.Core(), {"float32": "f32", "bfloat16": "bf16"}[params.network_precision]
    settings = {"INFERENCE_NUM_THREADS": params.network_threads, "INFERENCE_PRECISION_HINT": precision}
    compiled = core.compile_model(
        core.read_model(io.BytesIO(_graph(trunk))), "CPU", {**settings, "PERFORMANCE_HINT": "LATENCY"}
    )
    return lambda image: _as_map(compiled(image.contiguous().numpy())[0].copy())


ENGINES = {"torch": _torch_engine, "onnx": _onnx_engine, "openvino": _openvino_engine}
