"""Speed of StyleGAN2 synthesis and of its gradient, as ratios to the plain form.

The plain form of a modulated convolution makes a kernel for every image and convolves them as
groups; latentwalk scales the activations instead, with one kernel for the batch. Its options are
channels_last memory, bfloat16 (on a GPU also float16) autocast, and with --compile torch.compile,
which needs a C++ compiler on a CPU; how long it took to compile is printed beside. All of one size
are timed in turn, several rounds, so that a change of the machine's load meets them alike; the
median of the rounds is printed.

    python benchmarks/synthesis.py --sizes 32 64 256 --batch 4
    python benchmarks/synthesis.py --sizes 32 64 --compile
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F
from latentwalk.generators._stylegan2 import (
    EPSILON,
    StyleGAN2,
    StyleGAN2Config,
    SynthesisLayer,
    block_channels,
    fir,
)
from torch import Tensor, nn

from common import report_ratio


def grouped_conv(layer: SynthesisLayer, x: Tensor, s: Tensor) -> Tensor:
    """Modulated convolution with a kernel per image, shape of x (n, c, h, w), of s (n, c)."""
    n, channels = x.shape[:2]
    weight = layer.weight[None] * s[:, None, :, None, None]  # (n, out, in, 3, 3)
    weight = weight * (weight.square().sum((2, 3, 4), keepdim=True) + EPSILON).rsqrt()
    x = x.reshape(1, n * channels, *x.shape[2:])
    if layer.up:
        x = F.conv_transpose2d(x, weight.transpose(1, 2).flatten(0, 1), stride=2, groups=n)
        x = x.reshape(n, -1, *x.shape[2:])
        taps = len(layer.resample_filter)
        return fir(x, layer.resample_filter, ((taps + 1) // 2 - 1, (taps - 2) // 2), gain=4)
    x = F.conv2d(x, weight.flatten(0, 1), padding=1, groups=n)
    return x.reshape(n, -1, *x.shape[2:])


class Grouped(nn.Module):
    """The same network in the plain form."""

    def __init__(self, network: StyleGAN2) -> None:
        super().__init__()
        self.network = network
        for module in network.modules():
            if isinstance(module, SynthesisLayer):
                module._modulated_conv = grouped_conv.__get__(module)  # type: ignore[method-assign]

    def forward(self, ws: Tensor) -> Tensor:
        return self.network.synthesis(ws)


def make_network(size: int, device: torch.device) -> StyleGAN2:
    torch.manual_seed(0)
    config = StyleGAN2Config(channels=block_channels(size, 16384, 512))
    return StyleGAN2(config).eval().requires_grad_(False).to(device)


Ways = dict[str, tuple[Callable[[Tensor], Tensor], torch.dtype]]


def options(size: int, device: torch.device, compiled: bool) -> Ways:
    """Name to (network, dtype of autocast; float32 is none)."""
    scaled = make_network(size, device).synthesis
    last = make_network(size, device).to(memory_format=torch.channels_last).synthesis  # type: ignore[call-overload]
    halves = [torch.bfloat16, torch.float16] if device.type == "cuda" else [torch.bfloat16]
    ways: Ways = {
        "grouped": (Grouped(make_network(size, device)), torch.float32),
        "scaled": (scaled, torch.float32),
        "scaled, channels_last": (last, torch.float32),
    }
    for dtype in halves:
        ways[f"scaled, {str(dtype)[6:]}"] = scaled, dtype
        ways[f"scaled, channels_last, {str(dtype)[6:]}"] = last, dtype
    if compiled:
        ways["scaled, channels_last, compiled"] = torch.compile(last), torch.float32
    return ways


def run(
    network: Callable[[Tensor], Tensor], dtype: torch.dtype, ws: Tensor, backward: bool
) -> float:
    """Seconds for one batch."""
    ws = ws.detach().requires_grad_(backward)
    start = time.perf_counter()
    half = dtype != torch.float32
    with (
        torch.set_grad_enabled(backward),
        torch.autocast(ws.device.type, dtype if half else torch.bfloat16, enabled=half),
    ):
        images = network(ws)
    if backward:
        images.float().square().sum().backward()  # type: ignore[no-untyped-call]
    if ws.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(size: int, batch: int, rounds: int, device: torch.device, compiled: bool) -> None:
    ways = options(size, device, compiled)
    num_ws = 2 * (size.bit_length() - 1) - 2
    ws = torch.randn(batch, 1, 512, device=device).expand(-1, num_ws, -1).contiguous()
    with torch.no_grad():
        expected = ways["grouped"][0](ws)
        for name, (network, _) in ways.items():
            start = time.perf_counter()
            images = network(ws)
            if "compiled" in name:
                print(f"{size:4d}  first call {name}: {time.perf_counter() - start:.0f} s")
            assert (images - expected).abs().max() < 1e-3 * expected.abs().max()
    for backward in (False, True):
        times: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds + 1):
            for name, (network, dtype) in ways.items():
                seconds = run(network, dtype, ws, backward)
                if turn:
                    times[name].append(seconds)
                elif backward and "compiled" in name:
                    print(f"{size:4d}  first call with gradient {name}: {seconds:.0f} s")
        report(size, "forward+backward" if backward else "forward", batch, times)


def report(size: int, what: str, batch: int, times: dict[str, list[float]]) -> None:
    plain = median(times["grouped"])
    for name, seconds in times.items():
        rate, ratio = batch / median(seconds), plain / median(seconds)
        print(f"{size:4d}  {what:16s}  {name:32s}  {rate:9.2f} images/s  x{ratio:.2f}", flush=True)
        if name != "grouped":
            report_ratio(f"{what} at {size}, {name}: images a second over the plain form's", ratio)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 256])
    parser.add_argument("--batch", type=int, default=4, help="images at a time")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds after one to warm up")
    parser.add_argument("--compile", action="store_true", help="also time torch.compile")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    device = torch.device(args.device)
    threads = torch.get_num_threads()
    print(f"torch {torch.__version__}, {device}, {threads} threads, batch {args.batch}")
    for size in args.sizes:
        measure(size, args.batch, args.rounds, device, args.compile)


if __name__ == "__main__":
    main()
