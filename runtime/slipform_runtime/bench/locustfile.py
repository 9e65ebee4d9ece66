"""A file for https://locust.io, for those who have their load there already."""

from collections.abc import Sequence
from pathlib import Path

from slipform_runtime.bench.errors import BenchError
from slipform_runtime.bench.samples import Request
from slipform_runtime.bench.wires import rest_body

_TEXT = '''"""Load on the model {model}, written by slipform-runtime bench.

locust -f {file} --host {url} --users 16 --spawn-rate 16
"""

from pathlib import Path
from random import choice

from locust import FastHttpUser, constant, task

BODIES = Path(__file__).with_name({requests!r}).read_bytes().splitlines()


class Client(FastHttpUser):
    wait_time = constant(0)

    @task
    def infer(self):
        self.client.post({path!r}, data=choice(BODIES), headers={{"Content-Type": "application/json"}})
'''


def write(file: Path, url: str, path: str, model: str, requests: Sequence[Request]) -> Path:
    """The locust file, and the file of its requests' bodies, a line each, that lies beside it; the latter's path.

    Raises BenchError where one of them is there already.
    """
    beside = file.with_suffix(".requests.jsonl")
    text = _TEXT.format(model=model, file=file.name, url=url, requests=beside.name, path=f"{path}/infer")
    bodies = b"\n".join(rest_body(request, binary=False)[0] for request in requests)
    for target in (file, beside):
        if target.exists():
            raise BenchError(f"--locust: {target} is there already; remove it, or name another file")
    try:
        beside.write_bytes(bodies + b"\n")
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BenchError(f"--locust {file}: {error.strerror}") from error
    return beside
