"""Gets the data and weights that do not ship with this project, from the network or, with --from, from your disk.

    python3 tools/getData.py grocery                 the original tutorial's 30 photos, 10 MB -> <dataRootDir>/grocery/
    python3 tools/getData.py pascalVoc               PASCAL VOC 2007, 0.9 GB -> <dataRootDir>/VOCdevkit/VOC2007/
    python3 tools/getData.py pascalVoc2012           2012, without test, 2 GB -> <dataRootDir>/VOCdevkit/VOC2012/
    python3 tools/getData.py selectiveSearch         published ROIs of VOC, 0.5 GB
                                                     -> <dataRootDir>/selective_search_data/
    python3 tools/getData.py weights squeezenet1_1   ImageNet weights of a network of PARAMETERS.py -> resources/

Downloads of data sets stay in <dataRootDir>/downloads/ and may be deleted afterwards. What is complete already is left
alone. After a break, run the same command again. Everything is checked against what is known of it (a hash, file
names) before it gets its name (helpers/fetching/download.py, helpers/fetching/archives.py,
helpers/fetching/public_data.py). Of the ROIs only an MD5 is known, and no address that is sure to last: if none
answers, get selective_search_data.tgz elsewhere and use --from.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    import find_project  # noqa: F401, I001 (it makes the next line possible)
    from helpers.base.start import start

    start()

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from helpers.base.errors import UserError
from helpers.base.files import atomic_path, set_aside
from helpers.base.script import run_script
from helpers.base.staging import staging
from helpers.config.command_line import argument_parser
from helpers.config.schema import Parameters
from helpers.fetching.archives import extract
from helpers.fetching.download import download, verify
from helpers.fetching.public_data import PUBLIC_DATA, PublicData
from pipeline.parameters import load_parameters


def main(params: Parameters, what: str, source: Path | str | None = None, force: bool = False) -> Path:
    """Get one of `PUBLIC_DATA` or the "weights" of `params.network`; returns the path of what is in place then.

    Args:
        source: a folder or file on this machine to take it from.
        force: replace what is there but wrong.

    Raises:
        UserError: if it cannot be had or is not what is expected; then nothing has changed.
    """
    source = None if source is None else Path(source)
    if source and not source.exists():
        raise UserError(f"--from {source}: no such file or folder")
    try:
        return get_weights(params, source, force) if what == "weights" else get_data(params, what, source, force)
    except OSError as error:
        raise UserError(f"{error.filename or what}: cannot be read or put into place ({error.strerror})") from error


def get_data(params: Parameters, what: str, source: Path | None, force: bool) -> Path:
    data = PUBLIC_DATA[what]
    target = Path(params.dataRootDir, data.folder)
    if target.exists():
        trouble = data.trouble(target)
        if not trouble:
            print(f"{target}: already there")
            return target
        if not force:
            raise UserError(f"{target}: {trouble}; move this folder away, or add --force to rename it and get another")
    archives = data.archives(Path(params.dataRootDir, "downloads"), source)
    with staging(target) as stage:
        new = unpack(archives, stage, data)
        if trouble := data.trouble(new):
            advice = "name another one after --from" if source else "delete it to download it again"
            raise UserError(f"{archives[0]}: {trouble}; {advice}")
        if target.exists():
            print(f"{target}: the old one is now {set_aside(target)}")
        os.rename(new, target)
    print(f"{target}: complete")
    return target


def unpack(archives: Sequence[Path], stage: Path, data: PublicData) -> Path:
    """Unpack archives into one new folder below `stage`; returns it."""
    new = stage / "0"
    for number, archive in enumerate(archives):
        print(f"{archive}: unpacking")
        for name in extract(archive, stage / str(number), data.member, data.max_bytes):
            if number:  # the files of further archives join those of the first
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(stage / str(number) / name, new / name)
    return new


def get_weights(params: Parameters, source: Path | None, force: bool) -> Path:
    from helpers.fetching.weights import PACKAGED, RESOURCES, packaged, torchvision_url  # noqa: PLC0415 (only here)

    if params.network in PACKAGED:
        target = packaged(params.network)
        print(f"{target}: already there, it came with a package")
        return target
    url = torchvision_url(params.network)
    target = RESOURCES / url.rpartition("/")[2]
    prefix = target.stem.rpartition("-")[2]  # torchvision's file names end in the first digits of the SHA-256
    incoming = target
    if target.exists():
        try:
            verify(target, sha256_prefix=prefix)
            print(f"{target}: already there")
            return target
        except UserError:
            if not force:
                raise
        incoming = target.with_name(f"new-{target.name}")
    if source:
        source = source / target.name if source.is_dir() else source
        verify(source, sha256_prefix=prefix)
        with atomic_path(incoming) as temporary:
            shutil.copyfile(source, temporary)
    else:
        download(url, incoming, sha256_prefix=prefix, describe=f"ImageNet weights of {params.network}")
    if incoming != target:
        print(f"{target}: the old one is now {set_aside(target)}")
        os.rename(incoming, target)
    print(f"{target}: complete")
    return target


if __name__ == "__main__":
    parser = argument_parser(__doc__, keeps=False)
    parser.add_argument("what", choices=(*PUBLIC_DATA, "weights"))
    parser.add_argument("network", nargs="?", help='only after "weights"; without it the network of PARAMETERS.py')
    parser.add_argument(
        "--from", dest="source", metavar="PATH",
        help="take it from here: the folder or archive of the photos; for pascalVoc the folder with VOC2007 or with "
        "both archives, likewise for pascalVoc2012; for selectiveSearch the archive or the folder with it or with its "
        ".mat files; for weights torchvision's .pth file or its folder",
    )  # fmt: skip
    parser.add_argument(
        "--force", action="store_true", help="where something else has the place: rename that (NAME.old)"
    )
    arguments = parser.parse_args()
    if arguments.network and arguments.what != "weights":
        parser.error(f'"{arguments.network}": only "weights" is followed by a name')
    network = [f"network={arguments.network}"] if arguments.network else []
    run_script(
        lambda: main(
            load_parameters([*arguments.settings, *network]), arguments.what, arguments.source, arguments.force
        )
    )
