"""``model``: what is served, where it comes from and what goes in and out of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from .findings import did_you_mean
from .units import Memory, refuse
from .vocabulary import Dtype, Many, Name, Part, ResourceName, Sha256, TensorName, Version

Format = Literal[
    "onnx", "torchscript", "pytorch", "tensorflow", "keras", "sklearn", "xgboost", "lightgbm", "mlflow", "mar", "bento"
]  # fmt: skip
SCHEMES = ("s3", "gs", "https", "hf", "mlflow", "file")


def _uri(value: str) -> str:
    scheme = urlsplit(value).scheme
    if scheme not in SCHEMES:
        remedy = did_you_mean(scheme, SCHEMES) if scheme else f"write file:{value} for a path in this project"
        raise refuse(
            f"unknown scheme {scheme!r}" if scheme else "no scheme",
            allowed="s3://, gs://, https://, hf://, mlflow:, or file: and a path from the folder of Pulumi.yaml",
            remedy=remedy,
        )
    if scheme in ("s3", "gs", "https", "hf") and not urlsplit(value).netloc:
        raise refuse(
            "no host or bucket in the address",
            allowed=f"{scheme}://…/…",
            remedy=f"write {scheme}://bucket/path",
        )
    if scheme == "https" and "@" in urlsplit(value).netloc:
        raise refuse("a credential in an address", remedy="name a Secret in model.credentials.secret")
    if scheme == "file" and (
        ".." in value.split("/") or urlsplit(value).netloc or urlsplit(value).path.startswith("/")
    ):
        raise refuse("not a path inside the project", allowed="file: and a path relative to the folder of Pulumi.yaml")
    return value.rstrip("/")


Uri = Annotated[str, AfterValidator(_uri)]


def _axis(value: int | str) -> int | str:
    if isinstance(value, int) and value < 1:
        raise refuse(
            f"an axis of {value}",
            allowed="a size from 1, or a name for an axis whose size varies",
            remedy="name it, as in [seq]: build.profiles can then bound it" if value == -1 else None,
        )
    if isinstance(value, str) and not value.isidentifier():
        raise refuse("not a name of an axis", allowed="letters, digits and '_', such as seq or height")
    return value


Axis = Annotated[int | str, AfterValidator(_axis)]


class Tensor(Part):
    """One input of the model."""

    name: TensorName = Field(description="The tensor's name in the model.", examples=["image"])
    dtype: Dtype = Field(description="Element type, by the Open Inference Protocol's name.", examples=["FP32", "INT64"])
    shape: Many[Axis] = Field(
        max_length=16,
        description="Sizes of the axes without the batch axis, which is implied; a name stands for a size that varies.",
        examples=[[3, 224, 224], ["seq"]],
    )

    @property
    def named_axes(self) -> tuple[str, ...]:
        return tuple(axis for axis in self.shape if isinstance(axis, str))


class OutputTensor(Tensor):
    """One output of the model."""

    labels: Many[Annotated[str, Field(min_length=1)]] | None = Field(
        default=None,
        description="Names of the classes, in the order of the last axis; the plain routes answer with them.",
        examples=[["cat", "dog"]],
    )

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        size = self.shape[-1] if self.shape else 1
        if self.labels is not None and isinstance(size, int) and len(self.labels) != size:
            raise refuse(
                f"{len(self.labels)} labels for {size} classes",
                allowed=f"{size} labels, as the last axis of shape",
            )
        return self


class Credentials(Part):
    """Who fetches the model: names only, never values."""

    service_account: ResourceName | None = Field(
        default=None,
        description="An existing Kubernetes ServiceAccount whose cloud role may read the model.",
        examples=["vision-models"],
    )
    secret: ResourceName | None = Field(
        default=None,
        description="An existing Secret whose keys become the fetching container's environment "
        "(AWS_ACCESS_KEY_ID, HF_TOKEN, …).",
        examples=["model-store"],
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.service_account is None) == (self.secret is None):
            raise refuse("credentials name one thing", allowed="{service_account: NAME} or {secret: NAME}")
        return self


class EnsembleStep(Part):
    """One model of an ensemble, with its tensors tied to the ensemble's."""

    model: Name = Field(description="The name of another spec in the same server.", examples=["tokenizer"])
    version: Version | None = Field(
        default=None, description="A version of it; absent: the one that it serves.", examples=[3]
    )
    inputs: dict[str, str] = Field(
        min_length=1,
        description="From the step's input to the ensemble's tensor that feeds it.",
        examples=[{"text": "raw_text"}],
    )
    outputs: dict[str, str] = Field(
        min_length=1,
        description="From the step's output to the ensemble's tensor that it becomes.",
        examples=[{"tokens": "tokens"}],
    )


class Model(Part):
    """What is served: a trained model, or an ensemble of other specs' models."""

    format: Format | None = Field(
        default=None,
        description="The framework's format of the files; mar: an archive of torch-model-archiver; bento: BentoML's "
        "folder of code and models.",
        examples=["onnx"],
    )
    uri: Uri | None = Field(
        default=None,
        description="Where the versions are: <uri>/<version>/… holds the files of one; "
        "absent: the bento that serving.image holds.",
        examples=["s3://models/resnet50"],
    )
    version: Version = Field(default=1, description="The version that serves.", examples=[3])
    sha256: Sha256 | None = Field(
        default=None,
        description="Digest of the version's file; of a folder, that of its sorted '<sha256>  <path>' lines. "
        "The model is not served when it differs.",
        examples=["3b1f6a3c0f6f8a3ed8f2f6b1b4d3c2a1908f7e6d5c4b3a291807f6e5d4c3b2a1"],
    )
    size: Memory | None = Field(
        default=None,
        description="Size of the version's files: memory and the time to start are checked against it.",
        examples=["98Mi"],
    )
    credentials: Credentials | None = Field(
        default=None,
        description="Who fetches it; absent: the service account that Slipform makes.",
        examples=[{"service_account": "vision-models"}],
    )
    ensemble: Many[EnsembleStep] | None = Field(
        default=None,
        min_length=1,
        description="The steps of an ensemble, in place of format and uri.",
        examples=[[{"model": "tokenizer", "inputs": {"text": "text"}, "outputs": {"tokens": "tokens"}}]],
    )
    inputs: Many[Tensor] = Field(
        default=(), description="Tensors that a request carries.",
        examples=[[{"name": "image", "dtype": "FP32", "shape": [3, 224, 224]}]],
    )  # fmt: skip
    outputs: Many[OutputTensor] = Field(
        default=(), description="Tensors that an answer carries.",
        examples=[[{"name": "probs", "dtype": "FP32", "shape": [1000]}]],
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.ensemble is None:
            missing = [name for name in ("format", "uri") if getattr(self, name) is None]
            if missing == ["uri"] and self.format == "bento":
                self._is_in_its_image()
            elif missing:
                raise refuse(
                    f"{' and '.join(missing)} missing",
                    allowed="format and uri, or ensemble",
                    remedy="say where the model is",
                )
        else:
            foreign = [n for n in ("format", "uri", "sha256", "size", "credentials") if getattr(self, n) is not None]
            if foreign:
                raise refuse(
                    f"an ensemble has no {' or '.join(foreign)}: its steps have",
                    remedy=f"remove {', '.join(foreign)}, or ensemble",
                )
        return self

    def _is_in_its_image(self) -> None:
        if about := [name for name in ("sha256", "size", "credentials") if getattr(self, name) is not None]:
            raise refuse(
                f"{' and '.join(about)} of files that have no address: without uri the bento is in serving.image",
                allowed="uri, or the image's own digest alone",
                remedy=f"add uri, or remove {', '.join(about)}",
            )

    @model_validator(mode="after")
    def _tensors_once(self) -> Self:
        for side, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            names = [tensor.name for tensor in tensors]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise refuse(f"{side} name {', '.join(twice)} twice", allowed="each tensor once")
        return self

    @property
    def scheme(self) -> str | None:
        return urlsplit(self.uri).scheme if self.uri else None

    @property
    def named_axes(self) -> tuple[str, ...]:
        """The inputs' axes whose size varies, each once, in the order in which they appear."""
        return tuple(dict.fromkeys(axis for tensor in self.inputs for axis in tensor.named_axes))
