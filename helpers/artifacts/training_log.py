"""What one sees of a training: a progress bar, TensorBoard's files, a table and a plot of the learning curves."""

import numpy as np
from tqdm import tqdm

from helpers.base.files import write_text
from helpers.base.images import read_image
from helpers.base.tables import counted
from helpers.drawing.boxes import draw_detections
from helpers.drawing.plots import add_legend, new_figure, set_curves_off, whole_numbers, write_figure

NR_PICTURES = 3


class TrainingLog:
    """Shows and records a training; silent unless `active`.

    The plot is results/<dataset>/training_<experiment>.png, the table beside it .tsv; TensorBoard reads
    proc/<dataset>/tensorboard/<experiment>/.
    """

    def __init__(self, params, nr_epochs, iterations, first_epoch, active=True):
        self.params, self.active, self.writer = params, active, None
        self.stem = params.results_dir / f"training_{params.experimentName}"
        self.bar = tqdm(
            total=nr_epochs * iterations, initial=first_epoch * iterations, desc="3 training", unit="step",
            disable=not active,
        )  # fmt: skip
        if active:
            from torch.utils.tensorboard import SummaryWriter  # takes seconds to import

            folder = params.proc_dir / "tensorboard" / params.experimentName
            self.writer = SummaryWriter(folder, purge_step=first_epoch)

    def say(self, line):
        """Print a line without breaking the bar."""
        if self.active:
            self.bar.write(line)

    def show_iteration(self, measures):
        """Move the bar on by one step."""
        shown = {"loss": measures["loss"], "accuracy": measures["accuracy"], "recall": measures["foreground recall"]}
        self.bar.set_postfix({name: f"{value:.3f}" for name, value in shown.items()}, refresh=False)
        self.bar.update()

    def note_epoch(self, history, found=None):
        """Record an epoch. history: a dict of measures an epoch; found: (key, detections, truth) of validation images,
        if they were measured."""
        for name, value in history[-1].items():
            self.writer.add_scalar(name.replace(" ", "_"), value, len(history))
        if found:
            self.say(f"epoch {len(history)}: mAP {history[-1]['mAP']:.3f} on {counted(len(found), 'image')} held out")
            for key, detections, _ in found[:NR_PICTURES]:
                self.writer.add_image(key, self._picture(key, detections), len(history), dataformats="HWC")

    def _picture(self, key, detections):
        threshold = self.params.vis_decisionThresholds["nn"]
        image = read_image(self.params.image_dir / key)
        return draw_detections(image, detections.take(detections.scores >= threshold), self.params.all_classes)

    def close(self, history):
        """Write table and plot, and let go of the files."""
        self.bar.close()
        if self.active:
            self.writer.close()
        if self.active and history:
            write_text(self.stem.with_suffix(".tsv"), _table(history))
            write_figure(self.stem.with_suffix(".png"), plot_history(history))


def _table(history):
    names = list(dict.fromkeys(name for measures in history for name in measures))
    rows = [["epoch", *names]]
    for epoch, measures in enumerate(history, start=1):
        rows.append([str(epoch), *(f"{measures[name]:.5f}" if name in measures else "" for name in names)])
    return "".join("\t".join(row) + "\n" for row in rows)


def plot_history(history):
    """Learning curves: losses on the left axis, accuracy, recall and mAP on the right one."""
    figure, axes = new_figure(7.0, 4.5)
    shares = axes.twinx()
    epochs = np.arange(1, len(history) + 1)
    marker = "o" if len(history) == 1 else None  # a line of one point is not to be seen
    curves = (
        (axes, "loss", "black"), (axes, "naming", "tab:red"), (axes, "moving", "tab:orange"),
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
        shares.plot(*zip(*measured, strict=True), label="mAP, held out", color="tab:purple", marker="o")
    axes.set(xlabel="epoch", ylabel="loss (solid lines)", title="Training", ylim=(0, None))
    axes.set_xlim(0.5, len(history) + 0.5)
    whole_numbers(axes.xaxis)
    shares.set(ylabel="share (dashed lines)", ylim=(0, 1.02))
    add_legend(figure, [*axes.lines, *shares.lines])
    axes.grid(alpha=0.3)
    return figure
