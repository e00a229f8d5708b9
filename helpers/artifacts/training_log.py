"""What one sees of a training: a progress bar, TensorBoard's files, a table and a plot of the learning curves."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from fastRCNN.structures import MeasuredImage
from helpers.base.files import write_text
from helpers.base.images import read_image
from helpers.base.tables import counted
from helpers.config.schema import Parameters
from helpers.drawing.boxes import draw_detections
from helpers.drawing.plots import add_legend, new_figure, set_curves_off, whole_numbers, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NR_PICTURES = 3

Measures = Mapping[str, float]  # name -> value of an epoch


class TrainingLog:
    """Shows and records a training; silent unless `active`.

    The plot is results/<dataset>/training_<experiment>.png, the table beside it .tsv; TensorBoard reads
    proc/<dataset>/tensorboard/<experiment>/.
    """

    def __init__(
        self, params: Parameters, nr_epochs: int, iterations: int, first_epoch: int, active: bool = True
    ) -> None:
        """Start the bar. iterations: of an epoch; first_epoch: the one to go on with."""
        self.params, self.active = params, active
        self.writer: Any = None  # a SummaryWriter, unless the log is silent
        self.stem = params.results_dir / f"training_{params.experimentName}"
        self.bar = tqdm(
            total=nr_epochs * iterations, initial=first_epoch * iterations, desc="3 training", unit="step",
            disable=not active,
        )  # fmt: skip
        if active:
            from torch.utils.tensorboard import SummaryWriter  # takes seconds to import

            folder = params.proc_dir / "tensorboard" / params.experimentName
            self.writer = SummaryWriter(folder, purge_step=first_epoch)

    def say(self, line: str) -> None:
        """Print a line without breaking the bar."""
        if self.active:
            self.bar.write(line)

    def show_iteration(self, measures: Measures) -> None:
        """Move the bar on by one step."""
        shown = {"loss": measures["loss"], "accuracy": measures["accuracy"], "recall": measures["foreground recall"]}
        self.bar.set_postfix({name: f"{value:.3f}" for name, value in shown.items()}, refresh=False)
        self.bar.update()

    def note_epoch(self, history: Sequence[Measures], measured: Sequence[MeasuredImage] | None = None) -> None:
        """Record the last epoch of the history; measured: the validation images, if they were."""
        for name, value in history[-1].items():
            self.writer.add_scalar(name.replace(" ", "_"), value, len(history))
        if measured:
            images = counted(len(measured), "validation image")
            self.say(f"epoch {len(history)}: mAP {history[-1]['mAP']:.3f} on {images}")
            for image in measured[:NR_PICTURES]:
                self.writer.add_image(image.key, self._picture(image), len(history), dataformats="HWC")

    def _picture(self, image: MeasuredImage) -> np.ndarray:
        shown = image.detections.take(image.detections.scores >= self.params.vis_decisionThresholds["nn"])
        return draw_detections(read_image(self.params.image_dir / image.key), shown, self.params.all_classes)

    def close(self, history: Sequence[Measures]) -> None:
        """Write table and plot, and let go of the files."""
        self.bar.close()
        if self.active:
            self.writer.close()
        if self.active and history:
            write_text(self.stem.with_suffix(".tsv"), _table(history))
            write_figure(self.stem.with_suffix(".png"), plot_history(history))


def _table(history: Sequence[Measures]) -> str:
    names = list(dict.fromkeys(name for measures in history for name in measures))
    rows = [["epoch", *names]]
    for epoch, measures in enumerate(history, start=1):
        rows.append([str(epoch), *(f"{measures[name]:.5f}" if name in measures else "" for name in names)])
    return "".join("\t".join(row) + "\n" for row in rows)


def plot_history(history: Sequence[Measures]) -> "Figure":
    """Learning curves: losses on the left axis, accuracy, recall and mAP on the right one."""
    figure, axes = new_figure(7.0, 4.5)
    shares = axes.twinx()
    epochs = np.arange(1, len(history) + 1)
    marker = "o" if len(history) == 1 else None  # a line of one point is not to be seen
    curves = (
        (axes, "loss", "black"), (axes, "classification loss", "tab:red"),
        (axes, "box-regression loss", "tab:orange"),
        (shares, "accuracy", "tab:blue"), (shares, "foreground recall", "tab:green"),
    )  # fmt: skip
    for size, (side, name, color) in zip(range(12, 2, -2), curves, strict=True):
        style = "-" if side is axes else "--"
        values = [measures[name] for measures in history]
        side.plot(epochs, values, label=name, color=color, linestyle=style, marker=marker, markersize=size)
    set_curves_off(axes.lines)
    set_curves_off(shares.lines)
    measured = [(epoch, measures["mAP"]) for epoch, measures in zip(epochs, history, strict=True) if "mAP" in measures]
    if measured:
        shares.plot(*zip(*measured, strict=True), label="mAP, validation", color="tab:purple", marker="o")
    axes.set(xlabel="epoch", ylabel="loss (solid lines)", title="Training", ylim=(0, None))
    axes.set_xlim(0.5, len(history) + 0.5)
    whole_numbers(axes.xaxis)
    shares.set(ylabel="share (dashed lines)", ylim=(0, 1.02))
    add_legend(figure, [*axes.lines, *shares.lines])
    axes.grid(alpha=0.3)
    return figure
