"""Asks a server by Triton's clients, over HTTP and gRPC; prints both answers as JSON."""

import json

import numpy as np
import tritonclient.grpc
import tritonclient.http

VALUES = [5.1, 3.5, 1.4, 0.2]


def main() -> None:
    answers = {}
    for name, library, port in (("http", tritonclient.http, 8000), ("grpc", tritonclient.grpc, 8001)):
        client = library.InferenceServerClient(f"127.0.0.1:{port}")
        tensor = library.InferInput("x", [1, 4], "FP32")
        tensor.set_data_from_numpy(np.array([VALUES], np.float32))
        answers[name] = client.infer("wine", [tensor]).as_numpy("probabilities").tolist()
        client.close()
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
