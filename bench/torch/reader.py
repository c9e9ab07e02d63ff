"""Reads and writes evosr's supernet files with nothing but numpy, and runs
their networks in PyTorch: a template for training one elsewhere.

The layout is in docs/formats.md, "Supernet". A file that `write` made goes back
by `evosr supernet import`. With arguments, `reader.py FILE COPY` copies a file
and prints what is in it.
"""

import json
import sys

import numpy as np

DTYPES = {"F32": np.float32, "F16": np.float16}


def read(path):
    """Returns ({name: array}, metadata) of a safetensors file."""
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        data = f.read()
    meta = header.pop("__metadata__", {})
    tensors = {}
    for name, t in header.items():
        a, b = t["data_offsets"]
        tensors[name] = np.frombuffer(data[a:b], DTYPES[t["dtype"]]).reshape(t["shape"])
    return tensors, meta


def write(path, tensors, space, notes=None):
    """Writes tensors of float32 or float16 and the space, a dict, beside them.

    There is no evosr.format and so no evosr.checksum: evosr takes the file as one
    of another program.
    """
    names = {np.dtype(t): n for n, t in DTYPES.items()}
    meta = dict(notes or {}, **{"evosr.space": json.dumps(space)})
    header, data = {"__metadata__": meta}, b""
    for name, t in tensors.items():
        raw = np.ascontiguousarray(t).tobytes()
        header[name] = {"dtype": names[t.dtype], "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + data)


def hidden(kind, width, expansion):
    """Inner channels of a block: expanded and reduced ones of a wide block, or
    the middle ones of a plain block."""
    round4 = lambda x: max(4, int(x / 4 + 0.5) * 4)
    if kind == "wide":
        return round4(expansion * width), round4(0.8 * width)
    return round4(expansion * width), 0


def prefix(space, load):
    """What the tensor names of a network begin with in a supernet whose space is
    split: load is its multiplications of one low-resolution pixel, counted as if
    every pruned layer kept exactly what its ratio leaves."""
    part = sum(load <= border for border in space.get("splits", []))
    return f"part{part + 1}/" if part else ""


def forward(get, space, width, slots, lr):
    """Runs the dense network of a trunk width and a list of slots, each
    (kind, expansion), on lr, (batch, colors, height, width) of code/255.

    get(name) gives a parameter, such as "slot3/wide/expand.weight", of the part
    that the network is in (prefix); a network takes the first channels of each.
    """
    import torch.nn.functional as F

    def conv(x, name, out, pad):
        w, b = get(name + ".weight"), get(name + ".bias")
        return F.conv2d(x, w[:out, : x.shape[1]], b[:out], padding=pad)

    outs = space["colors"] * space["scale"] ** 2
    # Layers that read the picture see its edge values outside, all others zeros.
    skip = conv(F.pad(lr, (2, 2, 2, 2), mode="replicate"), "skip", outs, 0)
    x = conv(F.pad(lr, (1, 1, 1, 1), mode="replicate"), "head", width, 0)
    for i, (kind, expansion) in enumerate(slots, 1):
        at = f"slot{i}/{kind}/"
        if kind == "wide":
            e, r = hidden(kind, width, expansion)
            y = conv(F.relu(conv(x, at + "expand", e, 0)), at + "reduce", r, 0)
            x = x + conv(y, at + "conv", width, 1)
        elif kind == "plain":
            e, _ = hidden(kind, width, expansion)
            x = x + conv(F.relu(conv(x, at + "conv1", e, 1)), at + "conv2", width, 1)
        elif kind == "lean":
            x = F.relu(conv(x, at + "conv", width, 1))
    return F.pixel_shuffle(conv(x, "tail", outs, 1) + skip, space["scale"])


if __name__ == "__main__":
    tensors, meta = read(sys.argv[1])
    space = json.loads(meta["evosr.space"])
    notes = {k: v for k, v in meta.items() if not k.startswith("evosr.")}
    write(sys.argv[2], tensors, space, notes)
    print(json.dumps({"scale": space["scale"], "tensors": len(tensors), "values": sum(t.size for t in tensors.values())}))
