"""This server with two instances of each model, which share its threads: more throughput, a longer wait alone."""

import shutil
from dataclasses import replace

from bench.runtime.peer import Peer, Setting
from bench.runtime.peers import slipform_runtime


def peer(setting: Setting) -> Peer:
    repository = setting.scratch / "two_instances"
    shutil.copytree(setting.repository, repository)
    for config in repository.glob("*/config.pbtxt"):
        with config.open("a") as text:
            text.write("instance_group { count: 2 }\n")
    found = slipform_runtime.peer(replace(setting, repository=repository))
    found.name = "slipform-runtime, two instances"
    return found
