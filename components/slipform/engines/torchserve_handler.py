"""TorchServe's handler of a TorchScript file that brings none: JSON of the Open Inference Protocol in and out.

It is no part of Slipform at run time: its text lies in the model's folder, and TorchServe's Python, 3.9 in the image
of 0.12, imports it there.
"""

# ruff: noqa: B905
# mypy: ignore-errors
from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import torch

DTYPES = {
    "BOOL": torch.bool,
    "UINT8": torch.uint8,
    "INT8": torch.int8,
    "INT16": torch.int16,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "FP16": torch.float16,
    "BF16": torch.bfloat16,
    "FP32": torch.float32,
    "FP64": torch.float64,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Handler:
    """Executes requests whose tensors have the same shapes as one batch; a bad one fails alone, with 400.

    TorchServe takes a module's only class.
    """

    def initialize(self, context):
        """Loads the model, and runs it once on zeros where the spec wants it warm."""
        folder, gpu = Path(context.system_properties["model_dir"]), context.system_properties.get("gpu_id")
        on_gpu = gpu is not None and torch.cuda.is_available()
        self.device = torch.device(f"cuda:{gpu}" if on_gpu else "cpu")
        self.signature = json.loads((folder / "signature.json").read_text(encoding="utf-8"))
        file = folder / context.manifest["model"]["serializedFile"]
        self.model = torch.jit.load(str(file), map_location=self.device).eval()
        self.name, self.version = context.manifest["model"]["modelName"], context.manifest["model"]["modelVersion"]
        if self.signature["warmup"]:
            self._warm_up()
        # Else there is no such series before the first request, and an autoscaler takes that for blindness.
        context.metrics.add_time("PredictionTime", 0)

    def handle(self, requests, context):
        """One answer for each request, in order."""
        answers = [None] * len(requests)
        groups = defaultdict(list)
        for index, request in enumerate(requests):
            try:
                body = self._body(request)
                tensors = self._tensors(body)
            except ValueError as refused:
                context.set_response_status(400, "Bad Request", index)
                answers[index] = json.dumps({"error": str(refused)})
                continue
            groups[self._kind(tensors)].append((index, body, tensors))
        for members in groups.values():
            for batch in self._batches(members):
                for (index, body, _), outputs in zip(batch, self._execute([tensors for _, _, tensors in batch])):
                    answers[index] = json.dumps(self._answer(body, outputs))
        for index in range(len(answers)):
            context.set_response_content_type(index, "application/json")
        return answers

    def _body(self, request):
        body = request.get("body", request.get("data"))
        if isinstance(body, (bytes, bytearray, str)):
            try:
                body = json.loads(body)
            except ValueError as problem:
                raise ValueError(f"the request is no JSON: {problem}") from None
        if not isinstance(body, dict) or not isinstance(body.get("inputs"), list):
            raise ValueError('the request has no "inputs", a list of tensors')
        return body

    def _tensors(self, body):
        """The tensors in the order in which the model takes them."""
        given = {tensor.get("name"): tensor for tensor in body["inputs"] if isinstance(tensor, dict)}
        wanted = [tensor["name"] for tensor in self.signature["inputs"]]
        if sorted(map(str, given)) != sorted(wanted):
            raise ValueError(f"the inputs are {sorted(map(str, given))}, the model's are {sorted(wanted)}")
        tensors = [self._tensor(given[tensor["name"]], tensor) for tensor in self.signature["inputs"]]
        largest = self.signature["max_batch_size"]
        if largest:
            rows = {tensor.shape[0] for tensor in tensors}
            if len(rows) != 1 or not 1 <= min(rows) <= largest:
                raise ValueError(f"the first axes are {sorted(rows)}: all inputs have the same, from 1 to {largest}")
        return tensors

    def _tensor(self, given, declared):
        name, shape = declared["name"], given.get("shape")
        if given.get("datatype") != declared["dtype"]:
            raise ValueError(f"{name} has datatype {given.get('datatype')}, the model's is {declared['dtype']}")
        axes = ([None] if self.signature["max_batch_size"] else []) + declared["shape"]
        fits = isinstance(shape, list) and len(shape) == len(axes)
        if not fits or any(isinstance(axis, int) and axis != size for axis, size in zip(axes, shape)):
            wanted = [axis if isinstance(axis, int) else -1 for axis in axes]
            raise ValueError(f"{name} has shape {shape}, the model's is {wanted}")
        try:
            return torch.tensor(given.get("data"), dtype=DTYPES[declared["dtype"]]).reshape(shape)
        except (TypeError, ValueError, RuntimeError) as problem:
            raise ValueError(f"the data of {name} is no tensor of shape {shape}: {problem}") from None

    def _kind(self, tensors):
        """What can be put together has the same; without a batch axis each request is executed alone."""
        batched = self.signature["max_batch_size"]
        return tuple(tuple(tensor.shape[1:]) for tensor in tensors) if batched else id(tensors)

    def _batches(self, members):
        """Parts with no more rows than the model takes at once."""
        batch, rows = [], 0
        for member in members:
            own = member[2][0].shape[0] if self.signature["max_batch_size"] else 1
            if batch and rows + own > self.signature["max_batch_size"]:
                yield batch
                batch, rows = [], 0
            batch.append(member)
            rows += own
        yield batch

    def _execute(self, requests):
        """The outputs of each request."""
        with torch.inference_mode():
            if len(requests) == 1:
                return [self._run(requests[0])]
            outputs = self._run([torch.cat(tensors) for tensors in zip(*requests)])
        sizes = [tensors[0].shape[0] for tensors in requests]
        return list(zip(*(output.split(sizes) for output in outputs)))

    def _run(self, tensors):
        result = self.model(*(tensor.to(self.device) for tensor in tensors))
        if isinstance(result, dict):
            result = [result[tensor["name"]] for tensor in self.signature["outputs"]]
        outputs = [result] if isinstance(result, torch.Tensor) else list(result)
        if len(outputs) != len(self.signature["outputs"]):
            raise ValueError(f"the model has {len(outputs)} outputs, the spec {len(self.signature['outputs'])}")
        return [output.cpu() for output in outputs]

    def _answer(self, body, outputs):
        answer = {"model_name": self.name, "model_version": self.version}
        if "id" in body:
            answer["id"] = body["id"]
        answer["outputs"] = [
            {
                "name": declared["name"],
                "shape": list(output.shape),
                "datatype": NAMES[output.dtype],
                "data": output.flatten().tolist(),
            }
            for declared, output in zip(self.signature["outputs"], outputs)
        ]
        return answer

    def _warm_up(self):
        batch = [1] if self.signature["max_batch_size"] else []
        with torch.inference_mode():
            self._run(
                [
                    torch.zeros(batch + tensor["typical"], dtype=DTYPES[tensor["dtype"]])
                    for tensor in self.signature["inputs"]
                ]
            )
