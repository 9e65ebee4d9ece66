"""What stands for the bundled runtime's image: this checkout's wheel, which listens on the pod's address alone.

With EXECUTION_SECONDS in the environment (a spec's `serving.env`), each execution of a model takes that much longer
and no processor, as one on an accelerator does: a queue then builds up on any machine, however few its cores are.
"""

import os
import sys
import time

ADDRESS = "SLIPFORM_POD_ADDRESS"
EXECUTION_SECONDS = "EXECUTION_SECONDS"


def main() -> None:
    from slipform_runtime import cli

    command, *arguments = sys.argv[1:]
    if command == "serve":
        arguments = [f"--http-address={os.environ[ADDRESS]}", *arguments]
        if seconds := float(os.environ.get(EXECUTION_SECONDS, "0")):
            _wait_in_each_execution(seconds)
    sys.exit(cli.main([command, *arguments]))


def _wait_in_each_execution(seconds: float) -> None:
    from slipform_runtime.backends.onnx import OnnxInstance
    from slipform_runtime.datatypes import Tensor

    execute = OnnxInstance.run

    def run(self: OnnxInstance, inputs: dict[str, Tensor], outputs: tuple[str, ...] | None) -> dict[str, Tensor]:
        time.sleep(seconds)
        return execute(self, inputs, outputs)

    OnnxInstance.run = run  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
