"""Step 0: look for mistakes in a data set before anything is computed from it.

    data/<dataset>/{positive,negative,testImages}/  ->  a report: per file, what is wrong and how to fix it

Every image is decoded, every annotation is parsed. Errors come first; they must be fixed, and the exit code is 1.
Warnings may well be meant so. The tables below them show what there is, and which limits of ROI sizes would fit.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

from helpers.base.errors import printable
from helpers.base.tables import counted
from helpers.config.schema import Parameters
from helpers.dataset.check import check_dataset
from helpers.dataset.report import Report
from helpers.dataset.summary import summarize
from pipeline.parameters import run_step


def main(params: Parameters) -> Report:
    """Print the report on the data set and return it; its `exit_code` is 1 where there are errors."""
    report = check_dataset(params)
    errors, warnings = (counted(report.count(level), level) for level in ("error", "warning"))
    print(f"{printable(params.image_dir)}: {errors}, {warnings}")
    for line in report.lines():
        print(line)
    print("\n" + summarize(report, params))
    return report


if __name__ == "__main__":
    run_step(main, __doc__, exit_code=lambda report: report.exit_code)
