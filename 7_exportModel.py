"""Step 7, if you want to score without torch: write the network that step 3 trained as ONNX.

    python3 7_exportModel.py [--model FILE] [--out FILE.onnx]

    proc/<dataset>/models/<experiment>.safetensors  ->  proc/<dataset>/models/<experiment>.onnx

The file needs no other: 6_scoreImage.py --model FILE.onnx runs it, and so does any program that runs ONNX. Inputs:
`image` (1, 3, H, W) float32, RGB, (value / 255 - mean) / deviation of the network in fastRCNN/backbones.py, of any size
that its entry allows (efficientnet_lite0: 127 / 255, 128 / 255, sides that are multiples of 32); `rois` (R, 4) float32,
x1 y1 x2 y2 in the pixels of `image`, any number. Outputs: `scores` (R, K + 1), probabilities, the background first;
`boxes` (R, K, 4), each class's box in the pixels of `image`, not clipped to it; `offsets` (R, K, 4), what moved the
ROIs there. What is left to do is non-maximum suppression. Takes seconds; needs requirements-export.txt.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

from pathlib import Path

from helpers.artifacts.model_files import model_path, read_description, stored_settings
from helpers.artifacts.onnx_files import is_onnx, write_onnx
from helpers.artifacts.steps import TRAINING, require_output
from helpers.base.errors import UserError
from helpers.base.files import refuse_to_replace
from helpers.base.script import run_script
from helpers.base.tables import counted
from helpers.config.command_line import argument_parser
from helpers.config.schema import Parameters
from pipeline.onnx_detector import export_detector
from pipeline.parameters import load_parameters
from pipeline.stages import load_model


def main(params: Parameters, model_file: str | None = None, out: str | None = None) -> Path:
    """Export a model, that of these parameters or another; returns the path of the ONNX file.

    What is exported is the model as it was trained: its own parameters hold.
    """
    path = Path(model_file or model_path(params))
    target = Path(out or path.with_suffix(".onnx"))
    if not is_onnx(target):
        raise UserError(f"{target}: call it {target.name}.onnx; that is how 6_scoreImage.py knows what it is")
    if not path.is_file():
        raise UserError(f'{path}: no model there; run 3_runNetwork.py with classifier = "nn", or name one with --model')
    if not model_file:
        require_output(params, TRAINING)
    refuse_to_replace([target], [path])
    description = read_description(path)
    trained = load_parameters(["network_device=cpu"], stored=stored_settings(description, path))
    write_onnx(target, export_detector(load_model(path, trained), trained), description)
    classes = f"{counted(len(trained.classes), 'class')}: {', '.join(trained.classes)}"
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, {classes}")
    return target


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--model", metavar="FILE", help="a model that step 3 trained (default: that of the parameters)")
    parser.add_argument("--out", metavar="FILE", help="where to write (default: beside the model, named .onnx)")
    options = parser.parse_args()
    run_script(lambda: main(load_parameters(options.settings), options.model, options.out))
