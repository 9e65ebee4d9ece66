"""What makes a graph smaller and faster without changing its numbers' format."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import onnx
import onnxruntime

from slipform_runtime.build.errors import BadInput, Missing
from slipform_runtime.build.onnxfile import nodes, read, save, with_used_domains

FUSED = "SkipLayerNormalization", "Attention", "MultiHeadAttention", "EmbedLayerNormalization", "BiasGelu", "FastGelu"
"""What a transformer's pattern becomes; without one of these the graph was no transformer."""


def fold(model: onnx.ModelProto, work: Path) -> onnx.ModelProto:
    """Constants folded, batch norms merged into convolutions, what has no effect removed: ONNX's own operators only.

    The server's ONNX Runtime does the rest when it loads the model, for the processor that it finds then.
    """
    given, folded = work / "given.onnx", work / "folded.onnx"
    save(model, given)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    options.log_severity_level = 4  # errors come as exceptions
    if model.ByteSize() > 1 << 30:
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "folded.data")
        options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    try:
        onnxruntime.InferenceSession(str(given), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common base
        raise BadInput(cannot_run(model, str(error))) from error
    return with_used_domains(read(folded))


def fuse_transformer(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """The model with a transformer's patterns fused, and what was done; the model itself where there is none.

    Fused operators are ONNX Runtime's: only its own engines run the result.
    """
    if not any(node.op_type == "Softmax" for node in nodes(model.graph)):
        return model, []
    from onnxruntime.transformers.optimizer import optimize_model

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    try:
        with quiet():
            optimised = optimize_model(copy, model_type="bert", opt_level=0)
            counts = optimised.get_fused_operator_statistics()
    except ImportError as error:
        raise Missing(f"fusing a transformer needs a package: {error}; install slipform-runtime[build]") from error
    except Exception as error:  # it takes patterns for granted that only its own exporters make
        return model, [f"not fused as a transformer: {error}"]
    found = [f"{counts[name]} {name}" for name in FUSED if counts.get(name)]
    return (with_used_domains(optimised.model), [f"transformer fused: {', '.join(found)}"]) if found else (model, [])


def cannot_run(model: onnx.ModelProto, text: str) -> str:
    """ONNX Runtime's reason, with the nodes that it means."""
    reason = text.split("] : ", 1)[-1].strip().splitlines()[0] if text.strip() else "unknown error"
    lacking = [node for node in nodes(model.graph) if _names(reason, node)]
    places = "; it is " + ", ".join(repr(node.name or node.output[0]) for node in lacking[:5]) if lacking else ""
    return f"ONNX Runtime {onnxruntime.__version__} cannot run the model: {reason}{places}"


def _names(reason: str, node: onnx.NodeProto) -> bool:
    missing = "not a registered function/op" in reason or "Could not find an implementation" in reason
    words = reason.replace("(", " ").replace(":", " ").split()
    return missing and node.op_type in words and (not node.domain or node.domain in reason)


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps a library's prints and log records out of a program's own output."""
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield
    finally:
        logging.disable(disabled)
