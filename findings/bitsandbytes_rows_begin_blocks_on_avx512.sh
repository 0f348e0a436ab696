#!/usr/bin/env bash
# bitsandbytes_rows_begin_blocks_on_avx512: on CPUs with AVX-512, 4-bit weights of some widths get other weights' scales
# packages: bitsandbytes==0.50.2 torch==2.15.0 numpy==2.4.6
# guess: dequantize_4bit gives each weight within the rounding of its block of 64, whatever the shape of the matrix.
# seen: Where the width is a multiple of 16 and not of 64 (32, 48, 96, 160, 4304), weights come out wrong by two to six
#   times the rounding: the kernel begins a block with each row, while scales count through the whole matrix. Widths of
#   64, 100, 576 and 1000 are right, and so is the same matrix read as rows of one block.
# matters: The base of a QLoRA run has other weights than the checkpoint, without a word, on servers of the last years
#   alone: losses are worse than on a laptop. SigLIP's MLPs (4304) are such layers. Without AVX-512 nothing is seen.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import copy
import sys

import torch
from bitsandbytes.functional import dequantize_4bit, get_4bit_type, quantize_4bit
from seen import seen

if torch.backends.cpu.get_cpu_capability() != "AVX512":
    print("this CPU has no AVX-512: nothing to be seen")
    sys.exit()

values = get_4bit_type("nf4", device="cpu")
random = torch.Generator().manual_seed(5)


def by_hand(packed, state):
    halves = torch.stack([packed.flatten() >> 4, packed.flatten() & 15], dim=1).flatten().long()
    return (values[halves] * state.absmax.repeat_interleave(state.blocksize)[: halves.numel()]).view(state.shape)


for width, wrong in ((32, True), (48, True), (64, False), (96, True), (100, False), (576, False), (1000, False), (4304, True)):
    weights = 0.3 * torch.randn((64, width), generator=random)
    packed, state = quantize_4bit(weights, quant_type="nf4")
    expected = by_hand(packed, state)
    assert float((expected - weights).abs().max()) < 0.2  # the rounding of NF4 for weights around 0.3
    found = dequantize_4bit(packed, state)
    seen(f"width {width}: weights have the scales of others", not torch.allclose(found, expected, atol=1e-6), wrong)
    flat = copy.copy(state)
    flat.shape = torch.Size([weights.numel()])
    again = dequantize_4bit(packed, flat).reshape(weights.shape)
    seen(f"width {width}, read as one row: right", torch.allclose(again, expected, atol=1e-6))
PY
