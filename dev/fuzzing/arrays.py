"""Changes to files of arrays: npz (features, box regression) and safetensors (models, weights)."""

import io
import json
import struct
import zipfile

import numpy as np

from fuzzing.mutation import Mutation, mutate_bytes
from fuzzing.structures import mutate_json


class Hostile:
    """What a pickle could do: leave a folder behind, which nobody reads the file for."""

    def __reduce__(self):
        return exec, ("import os; os.makedirs('executed', exist_ok=True)",)


def mutate_npz(data, random):
    """One change to the arrays of an npz file, to its archive or to a header in it."""
    with np.load(io.BytesIO(data)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    name = random.choice(list(arrays))
    what, array = random.choice(list(ARRAY_CHANGES.items()))
    if what == "header":
        return _forged_header(arrays, name, random)
    if what in ("dropped", "renamed", "exchanged"):
        changed = _names(arrays, name, what, random)
    else:
        changed = {**arrays, name: array(arrays[name], random)}
    buffer = io.BytesIO()
    save = np.savez_compressed if what == "compressed" or random.random() < 0.1 else np.savez
    save(buffer, **changed)
    return Mutation(buffer.getvalue(), f"{name}: {what}")


def _poked(value):
    """One number of an array becomes `value`, or as near as its type allows."""

    def poke(array, random):
        changed = array.copy()
        if changed.size:
            with np.errstate(all="ignore"):
                changed.reshape(-1)[random.randrange(changed.size)] = np.array(value).astype(changed.dtype)
        return changed

    return poke


ARRAY_CHANGES = {
    "NaN": _poked(np.nan), "infinite": _poked(np.inf), "huge": _poked(6e4), "a bit more": _poked(0.123),
    "all NaN": lambda array, random: np.full_like(array, np.nan),
    "zeros": lambda array, random: np.zeros_like(array),
    "float64": lambda array, random: array.astype(np.float64),
    "integers": lambda array, random: array.astype(np.int32),
    "complex": lambda array, random: array.astype(np.complex64),
    "texts": lambda array, random: array.reshape(-1)[:10].astype(str),
    "objects": lambda array, random: np.array([Hostile()], dtype=object),
    "flags": lambda array, random: array > 0,
    "fewer rows": lambda array, random: array[:-1],
    "more rows": lambda array, random: np.concatenate([array, array[:1]]),
    "fewer columns": lambda array, random: array[..., :-1],
    "rows in another order": lambda array, random: np.roll(array, 1, axis=0),
    "transposed": lambda array, random: array.T,
    "column by column": lambda array, random: np.asfortranarray(array),
    "one dimension": lambda array, random: array.reshape(-1),
    "a number": lambda array, random: np.float32(1),
    "no rows": lambda array, random: array[:0],
    "big-endian": lambda array, random: array.astype(array.dtype.newbyteorder(">")),
    "negative": lambda array, random: -array,
    "compressed": lambda array, random: np.zeros((20_000, 10_000), np.float16),  # 400 MB in 400 kB
    "header": None, "dropped": None, "renamed": None, "exchanged": None,
}  # fmt: skip


def _names(arrays, name, what, random):
    changed = dict(arrays)
    if what == "dropped":
        del changed[name]
    elif what == "renamed":
        changed[random.choice(("arr_9", "x" * 200, "a/b", "../x"))] = changed.pop(name)
    else:
        other = random.choice(list(arrays))
        changed[name], changed[other] = changed[other], changed[name]
    return changed


def _forged_header(arrays, name, random):
    """An archive with a header that claims another type or shape than the numbers after it have."""
    shape = random.choice(("(1000000000000,)", "(-1, 5)", "(2147483648, 2147483648)", "(5, 13824)", "()", "1", "[[]]"))
    kind = random.choice(("'<f2'", "'<f8'", "'|O'", "'<U99999'", "'V1'", "[('a', '<f4')]", "'<M8[s]'", "3"))
    head = f"{{'descr': {kind}, 'fortran_order': {random.choice(('False', 'True', '3'))}, 'shape': {shape}, }}\n"
    length = random.choice((len(head), len(head), 65535, 0))
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", length) + head.encode() + arrays[name].tobytes()[:4096]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for other, array in arrays.items():
            plain = io.BytesIO()
            np.save(plain, array)
            archive.writestr(f"{other}.npy", member if other == name else plain.getvalue())
    return Mutation(buffer.getvalue(), f"{name}: header {head.strip()}, length {length}")


def split_safetensors(data):
    """(header as a dict, bytes of the tensors)."""
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join_safetensors(header, tensors, length=None):
    """The file of a header, a dict or bytes, and the bytes of the tensors."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text) if length is None else length) + text + tensors


def mutate_safetensors(data, random):
    """One change to the header, to the description in it, or to a tensor."""
    header, tensors = split_safetensors(data)
    what = random.choice(("header", "description", "description", "description", "tensor", "tensor", "length", "entry"))
    description = header.get("__metadata__", {}).get("description")
    if what == "description" and description:
        mutation = mutate_json(description.encode(), random)
        header["__metadata__"]["description"] = mutation.data.decode("utf-8", "replace")
        return Mutation(join_safetensors(header, tensors), f"description, {mutation.text}")
    if what == "length":
        length = random.choice((0, 1, 2**63, 2**40, 100_000_000, len(data), len(data) - 8))
        return Mutation(join_safetensors(header, tensors, length), f"header length {length}")
    if what == "entry":
        return _entry(header, tensors, random)
    if what == "tensor":
        return _tensor(header, tensors, random)
    mutation = mutate_json(json.dumps(header).encode(), random)
    return Mutation(join_safetensors(mutation.data, tensors), f"header, {mutation.text}")


def _entry(header, tensors, random):
    """Another type, shape or place of one tensor."""
    names = [name for name in header if name != "__metadata__"]
    name, other = random.choice(names), random.choice(names)
    what = random.choice(("dtype", "shape", "offsets", "dropped", "renamed", "exchanged"))
    if what == "dtype":
        header[name]["dtype"] = random.choice(("F16", "BF16", "F64", "I32", "BOOL", "U8", "C64", "X"))
    elif what == "shape":
        header[name]["shape"] = random.choice(([], [1], header[name]["shape"][::-1], [0], [2**40], [-1], [1, 1, 1, 1]))
    elif what == "offsets":
        header[name]["data_offsets"] = random.choice(([0, 0], [0, 2**60], [4, 0], header[other]["data_offsets"]))
    elif what == "dropped":
        del header[name]
    elif what == "renamed":
        header[random.choice(("x", name.upper(), ""))] = header.pop(name)
    else:
        header[name], header[other] = header[other], header[name]
    return Mutation(join_safetensors(header, tensors), f"tensor {name}: {what}")


def _tensor(header, tensors, random):
    """Other numbers in one tensor of float32."""
    name = random.choice([name for name in header if name != "__metadata__"])
    start, end = header[name]["data_offsets"]
    value = random.choice((np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-40, 0.0))
    count = random.choice((1, (end - start) // 4))
    if header[name]["dtype"] != "F32" or not count:
        return mutate_bytes(join_safetensors(header, tensors), random)
    changed = tensors[:start] + np.full(count, value, "<f4").tobytes() + tensors[start + 4 * count :]
    return Mutation(join_safetensors(header, changed), f"tensor {name}: {count} numbers {value}")
