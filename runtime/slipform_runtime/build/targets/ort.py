"""ORT format for ONNX Runtime Mobile and Web, with the list of operators that a reduced build of it needs."""

from pathlib import Path

from slipform_runtime.build.errors import ToolFailed
from slipform_runtime.build.onnxfile import save
from slipform_runtime.build.optimise import fold, quiet
from slipform_runtime.build.precision.convert import Plan, in_precision
from slipform_runtime.build.targets.base import Made
from slipform_runtime.build.targets.onnx import OnnxRunner, OnnxTarget

OPERATORS = "required_operators_and_types.config"
"""What `build.py --include_ops_by_config FILE --enable_reduced_operator_type_support` of ONNX Runtime reads."""


class OrtTarget:
    """The graph in flatbuffers, with every optimisation that any processor takes."""

    name = "ort"
    tools: tuple[str, ...] = ("onnx", "onnxruntime", "flatbuffers")

    def check(self, plan: Plan) -> None:
        """Nothing but the model itself can stand in the way."""

    def build(self, plan: Plan, to: Path) -> Made:
        """Write the model and its operators' list."""
        from onnxruntime.tools.convert_onnx_models_to_ort import OptimizationStyle, convert_onnx_models_to_ort

        model, steps = in_precision(fold(plan.model, plan.work), plan)
        given, made = plan.work / "edge" / f"{to.stem}.onnx", plan.work / "edge-made"
        given.parent.mkdir()
        save(model, given)
        try:
            with quiet():
                convert_onnx_models_to_ort(
                    given, made, [OptimizationStyle.Fixed], target_platform="arm", enable_type_reduction=True
                )
        except Exception as error:
            raise ToolFailed(f"ONNX Runtime's converter to ORT format fails on this graph: {error}") from error
        (made / f"{to.stem}.ort").replace(to)
        operators = next(made.glob("*required_operators*.config")).read_text()
        lines = [line for line in operators.splitlines() if not line.startswith("#")]  # comments name scratch files
        to.with_name(OPERATORS).write_text("\n".join(lines) + "\n")
        count = _count(to.with_name(OPERATORS))
        steps.append(f"ORT format; a reduced ONNX Runtime needs {count} operators, listed in {OPERATORS}")
        return Made(steps, {"optimization_style": "Fixed", "target_platform": "arm", "type_reduction": True})

    def load(self, path: Path) -> OnnxRunner:
        """ONNX Runtime reads both formats."""
        return OnnxTarget().load(path)


def _count(config: Path) -> int:
    """Operators in lines such as `ai.onnx;11;Conv{…},Relu`."""
    lines = [line for line in config.read_text().splitlines() if ";" in line and not line.startswith("#")]
    return sum(_without_types(line.split(";", 2)[2]).count(",") + 1 for line in lines)


def _without_types(text: str) -> str:
    kept, depth = [], 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth == 0 and character != "}":
            kept.append(character)
    return "".join(kept)
