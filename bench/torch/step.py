"""Trains one dense network in PyTorch, step by step on request: the rival of
`make bench-train`.

Arguments: a JSON object of file (the weights), width, slots, lr and hr (files of
float32 patches), batch, patch and threads. Every line of standard input is a
number of steps; every answer is the seconds that they took. The first answer, to
nothing, is the version, the memory format in use and the loss of the first step.
"""

import json
import os
import sys
import time

o = json.loads(sys.argv[1])
os.environ["OMP_NUM_THREADS"] = str(o["threads"])

import numpy as np
import torch
import torch.nn.functional as F

from reader import forward, read

torch.set_num_threads(o["threads"])
tensors, meta = read(o["file"])
space = json.loads(meta["evosr.space"])
b, p, s = o["batch"], o["patch"], space["scale"]
lr0 = torch.from_numpy(np.fromfile(o["lr"], np.float32).reshape(b, 1, p, p))
hr0 = torch.from_numpy(np.fromfile(o["hr"], np.float32).reshape(b, 1, p * s, p * s))


def training(layout):
    """Returns a function that makes a step and gives its loss."""
    params = {k: torch.nn.Parameter(torch.from_numpy(v.copy()).contiguous(memory_format=layout) if v.ndim == 4 else torch.from_numpy(v.copy())) for k, v in tensors.items()}
    adam = torch.optim.Adam(params.values(), lr=1e-3, foreach=True)
    lr, hr = lr0.contiguous(memory_format=layout), hr0.contiguous(memory_format=layout)

    def step():
        adam.zero_grad(set_to_none=True)
        loss = F.l1_loss(forward(params.__getitem__, space, o["width"], o["slots"], lr), hr)
        loss.backward()
        adam.step()
        return loss.item()

    return step


# The faster of the two ways to lay tensors out is the one that counts.
best, first = None, None
for name, layout in (("planar", torch.contiguous_format), ("channels last", torch.channels_last)):
    step = training(layout)
    loss = step()
    step()
    start = time.perf_counter()
    for _ in range(2):
        step()
    spent = time.perf_counter() - start
    if best is None or spent < best[0]:
        best = spent, name, step
    first = loss if first is None else first
print(json.dumps({"version": torch.__version__, "format": best[1], "loss": first}), flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    for _ in range(int(line)):
        best[2]()
    print(time.perf_counter() - start, flush=True)
