"""The limit: a program under Pulumi's own test monitor, which keeps next to nothing. Run as a process.

`python bare.py PROGRAM PROJECT STACK`, its config in the environment as Pulumi's language host has it.
"""

import asyncio
import logging
import os
import runpy
import sys
from pathlib import Path

import pulumi.runtime
from pulumi.runtime.mocks import MockEngine, MockMonitor, MockSettings


class Echo(pulumi.runtime.Mocks):
    """Answers every registration with its inputs, as the examples in Pulumi's own documentation do."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, object]]:
        return f"{args.name}-id", args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, object], None]:
        return {}, None


def main(program: Path, project: str, stack: str) -> None:
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi.runtime.set_all_config(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
    settings = MockSettings(  # type: ignore[no-untyped-call]
        monitor=MockMonitor(Echo()),
        engine=MockEngine(None),
        project=project,
        stack=stack,
        dry_run=True,
        organization=None,
        callbacks=None,
    )
    pulumi.runtime.configure(settings)
    os.chdir(program)
    sys.path[0] = str(program)

    def run() -> None:
        runpy.run_path(str(program), run_name="__main__")

    loop.run_until_complete(pulumi.runtime.run_in_stack(run))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3])
