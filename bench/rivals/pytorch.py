"""Runs ONNX files in PyTorch for the bench, on a fixed number of threads.

`pytorch.py THREADS` says "ready" with PyTorch's version, then obeys the lines that
child.go writes, and leaves at the end of its input:

    load ID BYTES COUNT WIDTH HEIGHT
                          an ONNX file and COUNT float32 values of a picture follow
    run ID WARM GROUP LEAST
                          frames for WARM ms, at least one; then timed ones for GROUP
                          ms, at least LEAST. The answer holds the ms of each
    output ID             of the last frame: the count, then the values
    drop ID

An answer is a line: "ok", with what was asked for, or "error" and why.
"""

import sys
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper


class Net(torch.nn.Module):
    """One ONNX graph of the operators that the bench's networks have."""

    def __init__(self, model):
        super().__init__()
        graph = model.graph
        self.result = graph.output[0].name
        self.first = next(i.name for i in graph.input if i.name not in {t.name for t in graph.initializer})
        arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        # Whole numbers (how far to pad) are part of the program, floats its weights.
        self.constants = {n: a.tolist() if a.dtype == np.int64 else torch.from_numpy(a.copy()) for n, a in arrays.items()}
        self.nodes = [
            (n.op_type, list(n.input), n.output[0], {a.name: helper.get_attribute_value(a) for a in n.attribute})
            for n in graph.node
        ]

    def forward(self, picture):
        values = {**self.constants, self.first: picture}
        for op, inputs, output, attributes in self.nodes:
            values[output] = apply(op, [values[i] for i in inputs], attributes)
        return values[self.result]


def apply(op, x, a):
    if op in ("Conv", "ConvTranspose"):
        if a.get("dilations", [1, 1]) != [1, 1]:
            raise ValueError(f"{op}: dilations {a['dilations']}, want none")
        pads = a.get("pads", [0, 0, 0, 0])
        if pads[:2] != pads[2:]:
            raise ValueError(f"{op}: pads {pads}, want the same on both sides")
        common = dict(bias=x[2] if len(x) > 2 else None, stride=a.get("strides", [1, 1]), padding=pads[:2], groups=a.get("group", 1))
        if op == "Conv":
            return F.conv2d(x[0], x[1], **common)
        return F.conv_transpose2d(x[0], x[1], output_padding=a.get("output_padding", [0, 0]), **common)
    if op == "Relu":
        return F.relu(x[0])
    if op == "PRelu":
        return F.prelu(x[0], x[1].flatten())
    if op == "Tanh":
        return torch.tanh(x[0])
    if op == "Add":
        return x[0] + x[1]
    if op == "Pad" and a.get("mode") == b"edge":
        p = x[1]
        return F.pad(x[0], [p[3], p[7], p[2], p[6]], mode="replicate")
    if op == "DepthToSpace" and a.get("mode") == b"CRD":
        return F.pixel_shuffle(x[0], a["blocksize"])
    raise ValueError(f"operator {op} with {a}: not one of the bench's networks")


class Session:
    def __init__(self, model, picture):
        model = onnx.load_model_from_string(model)
        shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        self.picture = torch.from_numpy(picture.reshape(shape).copy())
        # On a small picture, as a trace keeps all values to its end; nothing depends on the size.
        traced = torch.jit.trace(Net(model).eval(), self.picture[:, :, :16, :16], check_trace=False)
        self.net = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
        self.run()

    def run(self):
        begin = time.perf_counter()
        self.out = self.net(self.picture)
        return 1e3 * (time.perf_counter() - begin)

    def group(self, warm, group, least):
        spent = self.run()
        while spent < warm:
            spent += self.run()
        times = []
        while len(times) < least or sum(times) < group:
            times.append(self.run())
        return times


def serve(stdin, stdout):
    sessions = {}

    def answer(text, data=b""):
        stdout.write(text.encode() + b"\n" + data)
        stdout.flush()

    answer("ready PyTorch " + torch.__version__)
    for line in iter(stdin.readline, b""):
        verb, name, *numbers = line.decode().split()
        if verb == "load":
            model = stdin.read(int(numbers[0]))
            picture = np.frombuffer(stdin.read(4 * int(numbers[1])), np.float32)
        try:
            if verb == "load":
                sessions[name] = Session(model, picture)
                answer("ok")
            elif verb == "run":
                times = sessions[name].group(float(numbers[0]), float(numbers[1]), int(numbers[2]))
                answer("ok " + " ".join(f"{t:.6f}" for t in times))
            elif verb == "output":
                values = sessions[name].out.contiguous().numpy().astype(np.float32)
                answer(f"ok {values.size}", values.tobytes())
            elif verb == "drop":
                del sessions[name]
                answer("ok")
            else:
                answer("error unknown command " + verb)
        except Exception as e:  # goes to the bench, which ends the run
            answer("error " + " ".join(f"{type(e).__name__}: {e}".split()))


if __name__ == "__main__":
    threads = int(sys.argv[1])
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    with torch.inference_mode():
        serve(sys.stdin.buffer, sys.stdout.buffer)
