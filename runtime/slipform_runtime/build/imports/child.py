"""The process that reads a model of another framework and writes ONNX: `child ASKED ANSWERED`, two JSON files."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from slipform_runtime.build.imports.compared import compared
from slipform_runtime.build.imports.wanted import Outcome, Refused, Wanted, decoded

READERS = {
    "sklearn": "scikit",
    "xgboost": "boosters",
    "lightgbm": "boosters",
    "pytorch": "torch_programs",
    "torchscript": "torch_programs",
    "tensorflow": "tensorflow_graphs",
    "keras": "tensorflow_graphs",
}
"""By format: the module here whose function of the format's name writes the file and answers as the framework does."""


DEVICES = {"tflite": "litert", "coreml": "core_ml"}
"""By what is made for devices: the module here whose function of that name writes it and says what it did."""


def main() -> None:
    """Convert, compare, and leave an Outcome."""
    asked, answered = map(Path, sys.argv[1:])
    wanted = decoded(asked.read_bytes())
    answered.write_bytes(msgspec.json.encode(_outcome(wanted)))


def _outcome(wanted: Wanted) -> Outcome:
    try:
        if wanted.to != "onnx":
            maker: Any = import_module(f"slipform_runtime.build.imports.{DEVICES[wanted.to]}")
            return Outcome(steps=getattr(maker, wanted.to)(wanted))
        reader: Any = import_module(f"slipform_runtime.build.imports.{READERS[wanted.kind]}")
        answer = getattr(reader, wanted.kind)(wanted)
        return Outcome(steps=[f"{wanted.kind} model exported to ONNX; {compared(wanted, answer)}"])
    except ModuleNotFoundError as error:
        return Outcome(missing=error.name or str(error))
    except Refused as error:
        return Outcome(error=str(error))
    except Exception as error:  # every framework has its own
        return Outcome(error=f"cannot be read or converted: {type(error).__name__}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return " ".join(next((line for line in str(error).splitlines() if line.strip()), "").split())


if __name__ == "__main__":
    main()
