"""Photos: what step 0 accepts, all later steps read, and see as another program would; the rest is refused in words."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

from fuzzing.base import settings
from fuzzing.mutation import Mutation, mutate_bytes
from fuzzing.trials import CLEAN, RIGHT, Kind, Wrong

OTHERS = ("GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "EPS", "PDF", "MPO", "TGA", "DDS", "PCX", "SGI")
MODES = ("1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F", "LAB")


def mutate_image(data, random):
    """The picture in another kind of file, of pixels or of size, or with damaged parts between the pixels."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    what = random.choice((_other_format, _other_mode, _other_mode, _other_size, _exif, _exif, _png_head, _jpeg_part))
    return what(image, data, random)


def _save(image, text, form, **options):
    buffer = io.BytesIO()
    try:
        image.save(buffer, form, **options)
    except (OSError, KeyError, ValueError, TypeError):  # this kind of file holds no such picture
        return Mutation(b"", f"empty instead of {text}")
    return Mutation(buffer.getvalue(), text)


def _other_format(image, data, random):
    form = random.choice(OTHERS)
    return _save(image, f"a {form}", form)


def _other_mode(image, data, random):
    mode, form = random.choice(MODES), random.choice(("PNG", "JPEG", "PNG"))
    if mode in ("I;16", "I", "F"):
        grey = np.asarray(image.convert("L")).astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode])
        image = Image.fromarray(grey * 257 if mode == "I;16" else grey)
    else:
        image = image.convert(mode) if mode != "LAB" else image
    options = random.choice(({}, {"progressive": True}, {"optimize": True}, {"quality": 1}, {"bits": 2}))
    return _save(image, f"{form} of mode {mode}, {options}", form, **options)


def _other_size(image, data, random):
    size = random.choice(((1, 1), (1, 500), (2000, 1), (3, 3), (160, 1), (4000, 3000), (159, 121)))
    return _save(image.resize(size), f"{size[0]} x {size[1]} pixels", random.choice(("JPEG", "PNG")))


def _exif(image, data, random):
    """Orientations, those that there are none of included, as numbers of any type, and EXIF data that are damaged."""
    exif = Image.Exif()
    exif[0x0112] = random.choice((1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 65535, "6", 6.0, b"6"))
    try:
        block = bytearray(exif.tobytes())
    except (struct.error, TypeError, ValueError, AttributeError):
        block = bytearray(b"Exif\0\0MM\0*\0\0\0\x08")
    if random.random() < 0.5:
        block = bytearray(mutate_bytes(bytes(block), random).data)[:60000]
    form = random.choice(("JPEG", "PNG"))
    return _save(image, f"{form} with the orientation {exif[0x0112]!r}, {len(block)} bytes", form, exif=bytes(block))


def _chunks(data):
    """[(name, content)] of a PNG."""
    place, found = 8, []
    while place + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        found.append((name, data[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def _png_head(image, data, random):
    """A PNG whose chunks are not what they were, with checksums that fit."""
    plain = _save(image, "", "PNG").data
    chunks = _chunks(plain)
    what = random.choice(("size", "depth", "text", "order", "icc", "content", "animation"))
    head = bytearray(chunks[0][1])
    if what == "size":
        sizes = ((2**31 - 1, 1), (100_000, 100_000), (0, 5), (160, 119), (160, 121), (12_000, 8_000), (1, 19200))
        head[:8] = struct.pack(">II", *random.choice(sizes))
    elif what == "depth":
        head[8:13] = bytes(random.choice((0, 1, 2, 3, 4, 8, 16, 255)) for _ in range(5))
    elif what == "text":
        chunks.insert(1, (random.choice((b"zTXt", b"iTXt", b"tEXt")), b"a\0\0" + zlib.compress(b"x" * 50_000_000)))
    elif what == "order":
        random.shuffle(chunks)
    elif what == "icc":
        chunks.insert(1, (b"iCCP", b"a\0\0" + random.choice((b"", random.randbytes(20), zlib.compress(b"0" * 10**7)))))
    elif what == "animation":
        chunks.insert(1, (b"acTL", struct.pack(">II", random.choice((0, 1, 2**31)), 0)))
    else:
        index = random.randrange(len(chunks))
        chunks[index] = chunks[index][0], mutate_bytes(chunks[index][1], random).data
    if chunks[0][0] == b"IHDR" and what in ("size", "depth"):
        chunks[0] = b"IHDR", bytes(head)
    parts = [
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    ]
    return Mutation(b"\x89PNG\r\n\x1a\n" + b"".join(parts), f"PNG: {what}")


def _jpeg_part(image, data, random):
    """A JPEG with a segment changed: its head, sizes, tables."""
    plain = bytearray(_save(image, "", "JPEG").data)
    head = range(2, min(len(plain) - 1, 700))
    markers = [place for place in head if plain[place] == 0xFF and plain[place + 1] > 0xBF]
    place = random.choice(markers)
    what = random.choice(("marker", "length", "content", "size"))
    if what == "marker":
        plain[place + 1] = random.randrange(0xC0, 0xFF)
    elif what == "length":
        plain[place + 2 : place + 4] = random.choice((b"\0\0", b"\0\2", b"\xff\xff"))
    elif what == "content":
        plain[place + 4 + random.randrange(10)] = random.randrange(256)
    else:
        start = plain.find(b"\xff\xc0")
        size = random.choice(((65000, 65000), (0, 160), (121, 160), (1, 1)))
        plain[start + 5 : start + 9] = struct.pack(">HH", *size)
    return Mutation(bytes(plain), f"JPEG: {what}")


def _wanted(path):
    """What another reader makes of a JPEG or PNG: uint8 (H, W, 3), or None where it cannot."""
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            image.load()
            if image.mode.startswith("I") or image.mode == "F":
                return None  # the project may scale or refuse these
            upright = ImageOps.exif_transpose(image)
            return np.asarray((image if upright is None else upright).convert("RGB"))
    except Exception:  # of a damaged file Pillow raises nearly everything
        return None


def _image(trial):
    folder, random = trial.copy("svm"), trial.random
    path = random.choice(sorted((folder / "data/tiny").glob("*/*[gG]")))
    mutation = random.choice((mutate_image, mutate_image, mutate_bytes))(path.read_bytes(), random)
    path.write_bytes(mutation.data)
    trial.done.append(f"{path.relative_to(folder)}: {mutation.text}")
    arguments = "--set", *settings(folder)
    checked = trial.run("0_checkDataset.py", *arguments)
    kind = mutation.data[:3] == b"\xff\xd8\xff" or mutation.data[:8] == b"\x89PNG\r\n\x1a\n"
    named = any(path.name in line and path.parent.name in line for line in checked.out.splitlines())
    if not kind and not (checked.code and named):
        raise Wrong("step 0 accepts a photo that is neither JPEG nor PNG")
    if checked.code == 0:
        _require_seen_alike(path)
        for script in ("1_computeRois", "2_computeCntkInputs", "3_runNetwork", "4_trainSvm", "5_evaluate"):
            ended = trial.run(f"{script}.py", *arguments)
            if ended.code:
                raise Wrong(f"step 0 accepted what {script}.py refuses: {ended.err[-400:]}")
    else:
        trial.run("1_computeRois.py", *arguments)
    trial.run("6_scoreImage.py", path, "--out", folder / "out", "--set", *settings(trial.base / "svm")[:-1],
              f"resultsRootDir={folder / 'results'}")  # fmt: skip
    return CLEAN if checked.code else RIGHT


def _require_seen_alike(path):
    """Raise `Wrong` where the project's reader and Pillow's own functions disagree."""
    from helpers.base.images import image_size, read_image

    wanted, found = _wanted(path), read_image(path)
    if found.shape[1::-1] != tuple(image_size(path)[0]):
        raise Wrong(f"its size is {image_size(path)[0]}, its pixels are {found.shape[1::-1]}")
    if wanted is not None and not np.array_equal(wanted, found):
        raise Wrong(f"seen otherwise than Pillow does: shape {found.shape}, Pillow's {wanted.shape}")


IMAGE_KINDS = [Kind("images", _image)]
