"""What the torch of the installed stack can do: the one place where the upstream family's torch 2.1 is asked for less.

docs/upstream.md lists the same for users.
"""

import io
import warnings

import onnxruntime
import pytest
import torch

TORCH_2_1 = torch.__version__ < (2, 2)

# The dtypes of autocast on the CPU.
AUTOCAST = [torch.bfloat16] if TORCH_2_1 else [torch.float16, torch.bfloat16]
needs_float16 = pytest.mark.skipif(TORCH_2_1, reason='torch 2.1 has no float16 autocast on the CPU')
# DIA's state is an attribute that changes within the graph.
needs_changing_attributes = pytest.mark.skipif(
    TORCH_2_1, reason='torch 2.1 cannot compile a module that changes an attribute'
)


def onnx_session(layer: torch.nn.Module, x: torch.Tensor) -> onnxruntime.InferenceSession:
    """The layer as an ONNX file with a free batch size, exported from its trace, opened for inference on the CPU."""
    file = io.BytesIO()
    # torch 2.1 has this exporter alone, and no argument to choose it.
    exporter = {} if TORCH_2_1 else dict(dynamo=False)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(layer, (x,), file, input_names=['x'], dynamic_axes={'x': [0]}, **exporter)
    return onnxruntime.InferenceSession(file.getvalue(), providers=['CPUExecutionProvider'])
