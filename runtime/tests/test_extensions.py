"""Triton's extensions, as tritonclient asks for them: those that are here, and what is said of the others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc as grpcio
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from runtime_testing.models import BATCHING, classifier, identity, put
from runtime_testing.serving import RunningServer

Serve = Callable[..., RunningServer]
GRPC, HTTP = tritonclient.grpc, tritonclient.http
X = np.array([[1, 2, 3, 4], [-9, 2, 3, 1]], np.float32)
LABELS = ["barolo", "grignolino", "barbera"]
LABELLED = f'{BATCHING} output {{ name: "probabilities" label_filename: "labels.txt" }}'


def clients(server: RunningServer) -> list[tuple[Any, Any]]:
    return [
        (GRPC, GRPC.InferenceServerClient(f"127.0.0.1:{server.grpc_port}")),
        (HTTP, HTTP.InferenceServerClient(f"127.0.0.1:{server.http_port}")),
    ]


def given(library: Any, value: Any = X, datatype: str = "FP32") -> Any:
    tensor = library.InferInput("x", list(value.shape), datatype)
    tensor.set_data_from_numpy(value)
    return tensor


def test_an_output_comes_as_its_largest_classes(repository: Path, serve: Serve) -> None:
    (put(repository, "wine", classifier(), LABELLED) / "labels.txt").write_text("\n".join(LABELS))
    server = serve(repository)
    for library, client in clients(server):
        whole = client.infer("wine", [given(library)]).as_numpy("probabilities")
        for _ in range(2):  # a form that is known must not lose it
            asked = [library.InferRequestedOutput("probabilities", class_count=2)]
            found = client.infer("wine", [given(library)], outputs=asked).as_numpy("probabilities")
            assert found.shape == (2, 2)
            for row, texts in zip(whole, found, strict=True):
                best = int(row.argmax())
                assert texts[0].decode() == f"{row[best]:f}:{best}:{LABELS[best]}"


def test_classes_go_as_json_too(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier(), BATCHING)
    server = serve(repository, settings={"models": {"wine": {"labels": {"probabilities": LABELS}}}})
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
    output = {"name": "probabilities", "parameters": {"classification": 1}}
    (answer,) = server.post("/v2/models/wine/infer", {"inputs": [tensor], "outputs": [output]}).json["outputs"]
    assert (answer["datatype"], answer["shape"]) == ("BYTES", [1, 1])
    assert answer["data"][0].split(":")[2] in LABELS


def test_classes_of_a_cached_answer_leave_the_answer_itself(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier(), f"{BATCHING} response_cache {{ enable: true }}")
    for library, client in clients(serve(repository)):
        plain = library.InferRequestedOutput("probabilities")
        asked = library.InferRequestedOutput("probabilities", class_count=1)
        for outputs, dtype in (([plain], np.float32), ([asked], np.object_), ([plain], np.float32)):
            found = client.infer("wine", [given(library)], outputs=outputs).as_numpy("probabilities")
            assert found.dtype == dtype


@pytest.mark.parametrize("count", [-1, 1.5, "two", True])
def test_a_number_of_classes_that_is_none_is_refused(repository: Path, serve: Serve, count: Any) -> None:
    put(repository, "wine", classifier(), BATCHING)
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
    output = {"name": "probabilities", "parameters": {"classification": count}}
    answer = serve(repository).post("/v2/models/wine/infer", {"inputs": [tensor], "outputs": [output]})
    assert answer.status == 400
    assert "classification" in answer.json["error"]


@pytest.mark.parametrize("name", ["nope.txt", "../../secret.txt"])
def test_labels_that_are_not_in_the_models_folder_are_refused(repository: Path, serve: Serve, name: str) -> None:
    (repository.parent / "secret.txt").write_text("a")
    put(repository, "wine", classifier(), LABELLED.replace("labels.txt", name))
    server = serve(repository)
    (row,) = server.post("/v2/repository/index", {}).json
    assert (row["state"], f"no file {name} beside config.pbtxt" in row["reason"]) == ("UNAVAILABLE", True)


def test_labels_for_an_output_that_the_model_has_not_are_said(
    repository: Path, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    put(repository, "wine", classifier(), BATCHING)
    serve(repository, settings={"models": {"wine": {"labels": {"probabilites": LABELS}}}})
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "labels_unused" in line]
    assert '"unknown_outputs":["probabilites"]' in line


SHARED, TRACES, LOGS = "no shared memory extension", "no trace extension", "no logging extension"


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda client: client.get_system_shared_memory_status(), SHARED),
        (lambda client: client.get_system_shared_memory_status("region"), SHARED),
        (lambda client: client.get_cuda_shared_memory_status(), SHARED),
        (lambda client: client.register_system_shared_memory("region", "/key", 64), SHARED),
        (lambda client: client.register_cuda_shared_memory("region", b"aGFuZGxl", 0, 64), SHARED),
        (lambda client: client.unregister_system_shared_memory("region"), SHARED),
        (lambda client: client.unregister_cuda_shared_memory(), SHARED),
        (lambda client: client.get_trace_settings(), TRACES),
        (lambda client: client.get_trace_settings("wine"), TRACES),
        (lambda client: client.update_trace_settings("wine", {"trace_rate": "5"}), TRACES),
        (lambda client: client.get_log_settings(), LOGS),
        (lambda client: client.update_log_settings({"log_verbose_level": 1}), LOGS),
    ],
)
def test_an_extension_that_is_not_here_says_what_is(
    repository: Path, serve: Serve, ask: Callable[[Any], Any], words: str
) -> None:
    put(repository, "wine", classifier(), BATCHING)
    for (_, client), code in zip(clients(serve(repository)), ("UNIMPLEMENTED", "404"), strict=True):
        with pytest.raises(InferenceServerException, match=words) as refused:
            ask(client)
        assert code in refused.value.status()


def test_tensors_in_shared_memory_are_refused(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier(), BATCHING)
    for library, client in clients(serve(repository)):
        tensor = library.InferInput("x", [2, 4], "FP32")
        tensor.set_shared_memory("region", 32)
        output = library.InferRequestedOutput("probabilities")
        output.set_shared_memory("region", 24)
        for inputs, outputs in (([tensor], None), ([given(library)], [output])):
            with pytest.raises(InferenceServerException, match="shared memory") as refused:
                client.infer("wine", inputs, outputs=outputs)
            assert refused.value.status() in ("400", "StatusCode.INVALID_ARGUMENT")


def test_what_is_for_other_models_changes_nothing(repository: Path, serve: Serve) -> None:
    """Sequences, priorities without levels, a parameter and a header of the client's own: as in Triton."""
    put(repository, "echo", identity(), BATCHING)
    for library, client in clients(serve(repository)):
        for options in (
            {"sequence_id": 7, "sequence_start": True, "sequence_end": True},
            {"sequence_id": "seven", "sequence_start": True},
            {"priority": 3},
            {"parameters": {"team": "wine", "tries": 2, "urgent": True, "weight": 0.5}},
            {"headers": {"x-team": "wine"}},
            {"timeout": 10_000_000, "request_id": "r"},
        ):
            result = client.infer("echo", [given(library)], **options)
            np.testing.assert_array_equal(result.as_numpy("y"), X)


def test_statistics_are_of_one_version_of_a_model_or_of_all(repository: Path, serve: Serve) -> None:
    put(repository, "echo", identity(), f"{BATCHING} version_policy {{ all {{}} }}")
    put(repository, "echo", identity(), version=2)
    put(repository, "wine", classifier(), BATCHING)
    (_, over_grpc), (_, over_http) = clients(serve(repository))
    for arguments, versions in ((("echo", "2"), ["2"]), (("echo",), ["1", "2"]), ((), ["1", "2", "1"])):
        http = over_http.get_inference_statistics(*arguments)["model_stats"]
        grpc = over_grpc.get_inference_statistics(*arguments).model_stats
        assert [each["version"] for each in http] == [each.version for each in grpc] == versions
    for client in (over_grpc, over_http):
        for arguments in (("echo", "3"), ("nope",)):
            with pytest.raises(InferenceServerException):
                client.get_inference_statistics(*arguments)


def test_bodies_are_made_and_read_without_a_connection(repository: Path, serve: Serve) -> None:
    put(repository, "echo", identity(), BATCHING)
    server = serve(repository)
    client = HTTP.InferenceServerClient
    for binary in (True, False):
        tensor = HTTP.InferInput("x", [2, 4], "FP32")
        tensor.set_data_from_numpy(X, binary_data=binary)
        body, length = client.generate_request_body([tensor], outputs=[HTTP.InferRequestedOutput("y", binary)])
        headers = {} if length is None else {"Inference-Header-Content-Length": str(length)}
        answer = server.post("/v2/models/echo/infer", body, headers=headers)
        json_length = answer.headers.get("inference-header-content-length")
        result = client.parse_response_body(answer.body, header_length=json_length and int(json_length))
        np.testing.assert_array_equal(result.as_numpy("y"), X)


def test_a_raw_request_is_one_tensors_bytes(repository: Path, serve: Serve) -> None:
    put(repository, "echo", identity(), BATCHING)
    headers = {"Inference-Header-Content-Length": "0", "Content-Type": "application/octet-stream"}
    answer = serve(repository).post("/v2/models/echo/infer", X[0].tobytes(), headers=headers)
    assert answer.body[int(answer.headers["inference-header-content-length"]) :] == X[0].tobytes()


@pytest.mark.parametrize(("service", "code"), [("", 1), ("inference.GRPCInferenceService", 1), ("nope", None)])
def test_kubernetes_grpc_probes_are_answered(repository: Path, serve: Serve, service: str, code: int | None) -> None:
    put(repository, "wine", classifier(), BATCHING)
    server = serve(repository)
    with grpcio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        request = bytes((0x0A, len(service))) + service.encode() if service else b""
        if code is None:
            with pytest.raises(grpcio.RpcError) as refused:
                check(request)
            assert refused.value.code() is grpcio.StatusCode.NOT_FOUND
        else:
            assert check(request) == bytes((0x08, code))
            server.call(lambda: setattr(server.server.data_plane, "draining", True))
            assert check(request) == b"\x08\x02"  # NOT_SERVING


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{", "is no model config"),
        ('{"max_batchsize": 2}', "max_batchsize"),
        ('{"max_batch_size": -1}', "must be 0 or more"),
        ('{"sequence_batching": {}}', "sequence_batching is not supported"),
        ('{"backend": "python"}', "not one of this server's"),
    ],
)
def test_a_config_of_a_load_request_is_checked_as_a_files_is(
    repository: Path, serve: Serve, config: str, words: str
) -> None:
    put(repository, "wine", classifier(), BATCHING)
    server = serve(repository, model_control_mode="explicit", load_models=("wine",))
    for library, client in clients(server):
        with pytest.raises(InferenceServerException, match=words) as refused:
            client.load_model("wine", config=config)
        assert refused.value.status() in ("400", "StatusCode.INVALID_ARGUMENT")
        assert client.infer("wine", [given(library)]).as_numpy("probabilities") is not None  # it goes on serving


def test_a_config_of_a_load_request_is_followed_and_files_are_refused(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier(), BATCHING)
    server = serve(repository, model_control_mode="explicit", load_models=("wine",))
    for library, client in clients(server):
        client.load_model("wine", config='{"max_batch_size": 1}')
        with pytest.raises(InferenceServerException, match="takes at most 1"):
            client.infer("wine", [given(library)])
        with pytest.raises(InferenceServerException, match="put them into the repository"):
            client.load_model("wine", config="{}", files={"file:1/model.onnx": b"x"})
        client.load_model("wine")  # the file's own again
        assert client.infer("wine", [given(library)]).as_numpy("probabilities") is not None


def test_what_a_config_sets_in_vain_is_said_when_it_is_loaded(
    repository: Path, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    put(repository, "wine", classifier(), f'{BATCHING} metric_tags {{ key: "team" value: "wine" }}')
    serve(repository)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "config_left_aside" in line]
    assert '"model":"wine","fields":["metric_tags"]' in line


@pytest.mark.parametrize("name", ["../etc", "a/../b", "/etc/passwd", "%2e%2e%2f", "x" * 256, "", ".", "..", "wine\0"])
def test_a_name_that_no_model_has_leads_nowhere(repository: Path, serve: Serve, name: str) -> None:
    put(repository, "wine", classifier(), BATCHING)
    server = serve(repository, model_control_mode="explicit", load_models=("wine",))
    (library, client), _ = clients(server)
    asked: list[Callable[[], Any]] = [
        lambda: client.infer(name, [given(library)]),
        lambda: client.get_model_metadata(name),
        lambda: client.get_model_config(name),
        lambda: client.load_model(name),
    ]
    for ask in asked:
        with pytest.raises(InferenceServerException) as refused:
            ask()
        assert refused.value.status() == "StatusCode.NOT_FOUND"
        assert len(refused.value.message()) < 300
    assert not client.is_model_ready(name)
    client.unload_model(name)  # nothing to do
    assert client.is_model_ready("wine")


@pytest.mark.parametrize("version", ["01", "abc", "0", "-1", "1.0", str(2**63), "9" * 300])
def test_a_version_that_is_none_is_refused(repository: Path, serve: Serve, version: str) -> None:
    put(repository, "wine", classifier(), BATCHING)
    for library, client in clients(serve(repository)):
        with pytest.raises(InferenceServerException) as refused:
            client.infer("wine", [given(library)], model_version=version)
        assert refused.value.status() in ("404", "StatusCode.NOT_FOUND")
        assert not client.is_model_ready("wine", version)
