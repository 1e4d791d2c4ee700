"""The StyleGAN2 generator (Karras et al., CVPR 2020; NeurIPS 2020 for the conditional form).

Submodules and tensors carry the names of the published weight files, so that a state dict of one
loads into the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import log2, sqrt
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Noise = Literal["const", "random", "none"] | Tensor
SQRT2 = sqrt(2.0)
EPSILON = 1e-8


@dataclass(frozen=True)
class StyleGAN2Config:
    """The configuration that determines the network's shape and arithmetic.

    `channels` lists the width of each block from 4x4 up to the full resolution.
    """

    channels: tuple[int, ...]
    img_channels: int = 3
    z_dim: int = 512
    w_dim: int = 512
    c_dim: int = 0
    mapping_layers: int = 2
    mapping_lr: float = 0.01
    architecture: str = "skip"
    conv_clamp: float | None = None
    use_noise: bool = True
    resample_filter: tuple[float, ...] = (1, 3, 3, 1)

    @property
    def resolution(self) -> int:
        return int(2 ** (len(self.channels) + 1))

    @property
    def num_ws(self) -> int:
        return 2 * len(self.channels)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> StyleGAN2Config:
        tuples = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        return cls(**{**values, **tuples})


def block_channels(resolution: int, channel_base: int, channel_max: int) -> tuple[int, ...]:
    """Widths of the blocks 4, 8, .. resolution by the published rule."""
    return tuple(
        min(channel_base // 2**i, channel_max) for i in range(2, int(log2(resolution)) + 1)
    )


class FullyConnected(nn.Module):
    """Linear layer with an equalised learning rate, optionally with a leaky ReLU."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        lr: float = 1.0,
        activate: bool = False,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr)
        self.bias = nn.Parameter(torch.full((out_features,), bias_init / lr))
        self.weight_gain, self.bias_gain, self.activate = lr / sqrt(in_features), lr, activate

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return F.leaky_relu(x, 0.2) * SQRT2 if self.activate else x


def normalize(x: Tensor) -> Tensor:
    """Scale each row to a mean square of 1."""
    return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()


def fir_kernel(taps: tuple[float, ...]) -> Tensor:
    """The separable low-pass kernel of shape (n, n), with sum 1."""
    k = torch.tensor(taps, dtype=torch.float32)
    return torch.outer(k, k) / k.sum().square()


def fir(x: Tensor, kernel: Tensor, pad: tuple[int, int], gain: float = 1.0) -> Tensor:
    """Low-pass each channel after zero-padding `pad` = (left and top, right and bottom)."""
    channels = x.shape[1]
    weight = (kernel.flip((0, 1)) * gain).to(x.dtype).expand(channels, 1, *kernel.shape)
    if pad[0] == pad[1]:
        return F.conv2d(x, weight, padding=pad[0], groups=channels)
    x = F.pad(x, (pad[0], pad[1], pad[0], pad[1]))
    return F.conv2d(x, weight, groups=channels)


def upsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Double height and width: zeros between the pixels, then the low-pass kernel."""
    n, channels, size = len(kernel), x.shape[1], 2 * x.shape[2]
    weight = (kernel * 4).to(x.dtype).expand(channels, 1, n, n)
    full = F.conv_transpose2d(x, weight, stride=2, groups=channels)
    start = n - 1 - (n + 1) // 2
    return full[:, :, start : start + size, start : start + size]


class MappingNetwork(nn.Module):
    """z (and a class) to w."""

    w_avg: Tensor

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.num_layers, self.c_dim = config.mapping_layers, config.c_dim
        width = config.z_dim
        if config.c_dim:
            self.embed = FullyConnected(config.c_dim, config.w_dim)
            width += config.w_dim
        for i in range(config.mapping_layers):
            layer = FullyConnected(width, config.w_dim, lr=config.mapping_lr, activate=True)
            setattr(self, f"fc{i}", layer)
            width = config.w_dim
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """z of shape (n, z_dim), c one-hot of shape (n, c_dim); w of shape (n, w_dim)."""
        x = normalize(z)
        if self.c_dim:
            x = torch.cat([x, normalize(self.embed(c))], dim=1)
        for i in range(self.num_layers):
            x = getattr(self, f"fc{i}")(x)
        return x


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, optional upsampling, noise, bias and leaky ReLU."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        resolution: int,
        config: StyleGAN2Config,
        up: bool,
    ) -> None:
        super().__init__()
        self.up, self.use_noise, self.conv_clamp = up, config.use_noise, config.conv_clamp
        self.affine = FullyConnected(config.w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("resample_filter", fir_kernel(config.resample_filter))
        if config.use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, w: Tensor, noise: Noise, gain: float = 1.0) -> Tensor:
        x = self._modulated_conv(x, self.affine(w))
        if self.use_noise and isinstance(noise, Tensor):
            x = x + noise.reshape(len(x), 1, *x.shape[2:]) * self.noise_strength
        elif self.use_noise and noise == "const":
            x = x + self.noise_const * self.noise_strength
        elif self.use_noise and noise == "random":
            x = x + torch.randn_like(x[:, :1]) * self.noise_strength
        x = F.leaky_relu(x + self.bias[:, None, None], 0.2) * (SQRT2 * gain)
        clamp = self.conv_clamp
        return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)

    def _modulated_conv(self, x: Tensor, s: Tensor) -> Tensor:
        """Scale the activations, not the weights: one convolution for the whole batch."""
        # published: weights w'_oik = s_i w_oik / sqrt(sum_ik (s_i w_oik)^2 + eps) for each sample.
        # A convolution is linear, so s_i can scale the input channels and the root the output ones.
        power = self.weight.square().sum((2, 3))  # (out, in)
        demodulation = (s.square() @ power.T + EPSILON).rsqrt()  # (n, out)
        x = x * s[:, :, None, None]
        if self.up:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            n = len(self.resample_filter)
            x = fir(x, self.resample_filter, ((n + 1) // 2 - 1, (n - 2) // 2), gain=4)
        else:
            x = F.conv2d(x, self.weight, padding=1)
        return x * demodulation[:, :, None, None]


class ToRGB(nn.Module):
    """Modulated 1x1 convolution without demodulation, to image channels."""

    def __init__(self, in_channels: int, config: StyleGAN2Config) -> None:
        super().__init__()
        self.conv_clamp, self.gain = config.conv_clamp, 1 / sqrt(in_channels)
        self.affine = FullyConnected(config.w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(config.img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.img_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        s = self.affine(w) * self.gain
        x = F.conv2d(x * s[:, :, None, None], self.weight, self.bias)
        return x if self.conv_clamp is None else x.clamp(-self.conv_clamp, self.conv_clamp)


class Skip(nn.Module):
    """The residual branch of the "resnet" architecture: 1x1 convolution and upsampling."""

    resample_filter: Tensor

    def __init__(self, in_channels: int, out_channels: int, config: StyleGAN2Config) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.gain = 1 / sqrt(in_channels)
        self.register_buffer("resample_filter", fir_kernel(config.resample_filter))

    def forward(self, x: Tensor) -> Tensor:
        return upsample(F.conv2d(x, self.weight * self.gain), self.resample_filter) * sqrt(0.5)


class SynthesisBlock(nn.Module):
    """One resolution: a convolution (4x4) or two, and the block's part of the image."""

    resample_filter: Tensor

    def __init__(self, index: int, config: StyleGAN2Config) -> None:
        super().__init__()
        size, width = 2 ** (index + 2), config.channels[index]
        last = index == len(config.channels) - 1
        self.first, self.residual = index == 0, index > 0 and config.architecture == "resnet"
        self.num_conv = 1 if self.first else 2
        self.register_buffer("resample_filter", fir_kernel(config.resample_filter))
        if self.first:
            self.const = nn.Parameter(torch.randn(width, size, size))
        else:
            below = config.channels[index - 1]
            self.conv0 = SynthesisLayer(below, width, size, config, up=True)
            if self.residual:
                self.skip = Skip(below, width, config)
        self.conv1 = SynthesisLayer(width, width, size, config, up=False)
        self.has_rgb = last or config.architecture == "skip"
        if self.has_rgb:
            self.torgb = ToRGB(width, config)

    def forward(
        self, x: Tensor | None, img: Tensor | None, ws: Tensor, noise: Sequence[Noise]
    ) -> tuple[Tensor, Tensor | None]:
        """ws of shape (n, num_conv + 1, w_dim), the last row the image's; noise of each conv."""
        if x is None:
            x = self.const.expand(len(ws), *self.const.shape)
            x = self.conv1(x, ws[:, 0], noise[0])
        elif self.residual:
            branch = self.skip(x)
            x = self.conv0(x, ws[:, 0], noise[0])
            x = branch + self.conv1(x, ws[:, 1], noise[1], gain=sqrt(0.5))
        else:
            x = self.conv1(self.conv0(x, ws[:, 0], noise[0]), ws[:, 1], noise[1])
        if img is not None:
            img = upsample(img, self.resample_filter)
        if self.has_rgb:
            rgb = self.torgb(x, ws[:, self.num_conv])
            img = rgb if img is None else img + rgb
        return x, img


class SynthesisNetwork(nn.Module):
    """w to an image."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.n_blocks = len(config.channels)
        for i in range(self.n_blocks):
            setattr(self, f"b{2 ** (i + 2)}", SynthesisBlock(i, config))
        # a convolution at 4x4, two at each resolution above
        self.noise_sizes = [16, *(4 ** (i + 2) for i in range(1, self.n_blocks) for _ in range(2))]

    def forward(self, ws: Tensor, noise: Noise = "const") -> Tensor:
        """ws of shape (n, num_ws, w_dim); images of shape (n, c, h, w), about [-1, 1].

        If given, noise has the shape (n, sum of `noise_sizes`).
        """
        x: Tensor | None = None
        img: Tensor | None = None
        row = 0
        maps: Sequence[Noise] = [noise] * len(self.noise_sizes)
        if isinstance(noise, Tensor):
            maps = torch.split(noise, self.noise_sizes, dim=1)
        for i in range(self.n_blocks):
            block = getattr(self, f"b{2 ** (i + 2)}")
            # a block's image layer shares its row with the next block's first convolution
            rows = ws[:, row : row + block.num_conv + 1]
            x, img = block(x, img, rows, maps[row : row + block.num_conv])
            row += block.num_conv
        assert img is not None
        return img


class StyleGAN2(nn.Module):
    """Mapping and synthesis network."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.config = config
        self.mapping = MappingNetwork(config)
        self.synthesis = SynthesisNetwork(config)

    def forward(self, z: Tensor, c: Tensor | None = None, noise: Noise = "const") -> Tensor:
        w = self.mapping(z, c)
        return self.synthesis(w[:, None].expand(-1, self.config.num_ws, -1), noise)
