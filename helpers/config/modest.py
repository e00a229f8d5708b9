"""What a file that may come from anywhere, a model or a data set, may ask this machine for by its parameters."""

from helpers.base.errors import UserError

MOST = {  # PARAMETERS.py and the command line may ask for more
    "cntk_padWidth": 4000, "cntk_padHeight": 4000, "network_maxShorterSide": 4000, "cntk_nrRois": 20_000,
    "network_roiBatchSize": 4000, "network_contextFactor": 4, "roi_maxImgDim": 2000, "ss_max_merging_iterations": 100,
    "nms_maxDetections": 10_000, "vis_maxPictures": 10_000,
}  # fmt: skip
MOST_PIXELS = 6 * 10**6  # of the network's input: cntk_padWidth * cntk_padHeight


def require_modest(values, path, settings=()):
    """Raise `UserError` where the checked parameters of a file ask for more than a file may by itself.

    settings: those of the command line ("name=value"), which count more than the file's.
    """
    asked = {name: value for name, value in values.items() if name not in {text.partition("=")[0] for text in settings}}
    for name, most in MOST.items():
        if isinstance(asked.get(name), (int, float)) and asked[name] > most:
            raise UserError(f"{path}: its {name} = {asked[name]}, at most {most} unless you --set {name}={asked[name]}")
    width, height = asked.get("cntk_padWidth", 0), asked.get("cntk_padHeight", 0)
    if width * height > MOST_PIXELS:
        raise UserError(
            f"{path}: its cntk_padWidth * cntk_padHeight = {width * height}, at most {MOST_PIXELS} unless you "
            f"--set cntk_padWidth={width}"
        )
