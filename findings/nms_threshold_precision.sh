#!/usr/bin/env bash
# nms_threshold_precision: torchvision and ONNX Runtime drop other boxes where the overlap is the threshold
# packages: torchvision==0.29.2 torch==2.15.0 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
# guess: Both drop a box whose IoU is above the threshold, so an exported detector keeps the same boxes.
# seen: On a CPU torchvision compares an IoU in float32 with a threshold in float64. An IoU of exactly 3/10 is above 0.3
#   and the box is dropped; 7/10 is not above 0.7, nor 1/2 above 0.5. ONNX Runtime, on a CPU too, has both in float32
#   and keeps all three.
# matters: Boxes on whole pixels meet thresholds often, of small ones most: an exported detector returns boxes more than
#   the one that was evaluated, at 0.3, 0.4, 0.6, not at 0.5, 0.7. Compare both on boxes of your own before you serve.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper
from seen import seen
from torchvision.ops import nms

node = helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], ["kept"])
inputs = [("boxes", [1, 2, 4]), ("scores", [1, 1, 2]), ("overlap", [1]), ("least", [1])]
graph = helper.make_graph(
    [node],
    "nms",
    [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs]
    + [helper.make_tensor_value_info("most", TensorProto.INT64, [1])],
    [helper.make_tensor_value_info("kept", TensorProto.INT64, ["number", 3])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def kept(tenths):
    """A box of 10 by 1 pixels and one inside it whose IoU is tenths/10: how many each of the two keeps."""
    boxes = np.array([[0, 0, 10, 1], [0, 0, tenths, 1]], dtype=np.float32)
    scores = np.array([0.9, 0.8], dtype=np.float32)
    threshold = tenths / 10
    values = {
        "boxes": boxes[None],
        "scores": scores[None, None],
        "most": np.array([10]),
        "overlap": np.array([threshold], dtype=np.float32),
        "least": np.array([0], dtype=np.float32),
    }
    onnx = len(session.run(None, values)[0])
    return len(nms(torch.tensor(boxes), torch.tensor(scores), threshold)), onnx


counts = {f"0.{tenths}": kept(tenths) for tenths in range(1, 10)}
print("kept of two, by torchvision and by ONNX Runtime:", counts)
dropped = [key for key, (torchvision, _) in counts.items() if torchvision == 1]
seen("dropped by torchvision", dropped, ["0.1", "0.2", "0.3", "0.4", "0.6", "0.8"])
seen("dropped by ONNX Runtime", [key for key, (_, onnx) in counts.items() if onnx == 1], [])
PY
