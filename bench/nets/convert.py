#!/usr/bin/env python3
"""Exports published super-resolution networks to ONNX.

    convert.py CHECKOUT NET OUT.onnx    one network of a checkout
    convert.py --list                   the networks, and where each comes from

CHECKOUT is a clone of the repository that --list names: its Python defines the
network and its weights are read from it. Needs PyTorch (Debian: python3-torch)
and python3-onnx; nothing is downloaded. README.md says what evosr makes of the
files.
"""
import importlib
import os
import sys
import types


def plain(module, expression, weights, key=None, strip=None, strict=True):
    """A network that `expression` makes of a module, and its state dict's file."""
    return dict(module=module, expression=expression, weights=weights, key=key, strip=strip, strict=strict)


def edge(kind, name):
    return plain("models", f"m.{kind}('{name}')", f"model-files/{name}.model")


# name: repository, network, white (value that pictures are multiplied by), colors
NETS = {
    "esr-max-x4": ("pnavarre/eSR", edge("edgeSR_MAX", "eSR-MAX_s4_K3_C1"), 1, 1),
    "esr-max-c8-x4": ("pnavarre/eSR", edge("edgeSR_MAX", "eSR-MAX_s4_K3_C8"), 1, 1),
    "espcn-d22-x4": ("pnavarre/eSR", edge("ESPCN", "ESPCN_s4_D22_S12"), 1, 1),
    "espcn-d64-x4": ("pnavarre/eSR", edge("ESPCN", "ESPCN_s4_D64_S32"), 1, 1),
    "fsrcnn-x4": ("pnavarre/eSR", edge("FSRCNN", "FSRCNN_s4_D44_S12_M4"), 1, 1),
    "imdn-rtc-x2": ("Zheng222/IMDN", plain("model.architecture", "m.IMDN_RTC(upscale=2)", "checkpoints/model_RTC.pth"), 1, 3),
    "carn-m-x4": ("nmhkahn/CARN-pytorch", plain("model.carn_m", "m.Net(scale=4, multi_scale=True, group=4)", "checkpoint/carn_m.pth"), 1, 3),
    "rlfn-ntire-x4": ("bytedance/RLFN", plain("model.rlfn_ntire", "m.RLFN_Prune(3, 3)", "model_zoo/rlfn_ntire_x4.pth"), 255, 3),
    "rlfn-s-x4": ("bytedance/RLFN", plain("model.rlfn_s", "m.RLFN_S(3, 3, upscale=4)", "model_zoo/rlfn_s_x4.pth"), 255, 3),
    "rlfn-s-x2": ("bytedance/RLFN", plain("model.rlfn_s", "m.RLFN_S(3, 3, upscale=2)", "model_zoo/rlfn_s_x2.pth"), 255, 3),
    "clrfdn-x4": ("ofsoundof/NTIRE2022_ESR", plain("models.team29_clrfdn", "m.RFDN_Conv3X3(upscale=4)", "model_zoo/team29_clrfdn.pth", strip="module."), 255, 3),
    "efdn-x4": ("Amazingren/NTIRE2025_ESR", plain("models.team00_EFDN", "m.EFDN()", "model_zoo/team00_EFDN.pth"), 1, 3),
    "dscf-x4": ("Amazingren/NTIRE2025_ESR", plain("models.team23_DSCF", "m.DSCF(3, 3, feature_channels=26, upscale=4)", "model_zoo/team23_DSCF.pth", strict=False), 1, 3),
    "span-f-x4": ("Amazingren/NTIRE2025_ESR", plain("models.team24_SPANF", "m.SPANF(3, 3, upscale=4, feature_channels=32)", "model_zoo/team24_spanf.pth"), 1, 3),
    "espan-x4": ("Amazingren/NTIRE2025_ESR", plain("models.team36_espan", "m.ESPAN(num_in_ch=3, num_out_ch=3, feature_channels=32, mid_channels=32, upscale=4, bias=True, teacher_feature_channels=32, teacher_extra_depth=1, use_fast_op=False)", "model_zoo/team36_espan.pth"), 1, 3),
    "span46-x4": ("Amazingren/NTIRE2025_ESR", plain("models.team46_SPAN", "m.SPAN(3, 3, upscale=4, feature_channels=28)", "model_zoo/team46_span.pth", key="params_ema"), 1, 3),
}


def forgive(name):
    """Leaves out what a definition imports for training and never uses here."""
    fake = types.ModuleType(name)
    fake.__getattr__ = lambda attribute: (lambda *a, **k: (lambda f: f))
    sys.modules[name] = fake
    return fake


def build(checkout, name):
    import torch

    repository, net, white, colors = NETS[name]
    # Definitions written for a GPU run here as well.
    torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *a, **k: self
    sys.path[:0] = [checkout, os.path.join(checkout, "carn")]
    for _ in range(20):
        try:
            module = importlib.import_module(net["module"])
            break
        except ModuleNotFoundError as fault:
            part = ""
            for word in fault.name.split("."):
                part = part + "." + word if part else word
                if part not in sys.modules:
                    forgive(part)
    model = eval(net["expression"], {"m": module, "torch": torch})
    state = torch.load(os.path.join(checkout, net["weights"]), map_location="cpu")
    if net["key"]:
        state = state[net["key"]]
    if net["strip"]:
        state = {k[len(net["strip"]):] if k.startswith(net["strip"]) else k: v for k, v in state.items()}
    model.load_state_dict({k: v.float() for k, v in state.items()}, strict=net["strict"])
    model = model.float().eval()
    if name.startswith("carn"):  # takes its scale at every call
        wrapped, forward = model, model.forward
        model.forward = lambda x: forward(x, 4)
    return model, colors


def main():
    if sys.argv[1:] == ["--list"]:
        for name, (repository, net, white, colors) in NETS.items():
            print(f"{name:15} github.com/{repository}  {net['weights']}  {colors} color{'s' * (colors > 1)}, white {white}")
        return
    if len(sys.argv) != 4 or sys.argv[2] not in NETS:
        sys.exit(__doc__)
    import torch

    checkout, name, out = sys.argv[1:]
    model, colors = build(checkout, name)
    with torch.no_grad():
        torch.onnx.export(model, torch.rand(1, colors, 40, 48), out, opset_version=13, input_names=["lr"], output_names=["sr"],
                          dynamic_axes={"lr": {2: "height", 3: "width"}, "sr": {2: "sr_height", 3: "sr_width"}})
    print(out)


main()
