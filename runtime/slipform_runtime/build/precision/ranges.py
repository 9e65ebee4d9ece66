"""The range of each activation, from samples: what static quantisation maps to 8 bits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, create_calibrator
from onnxruntime.quantization.calibrate import HistogramCollector

from slipform_runtime.build.manifest import Method
from slipform_runtime.build.onnxfile import WEIGHTS
from slipform_runtime.build.samples import Batch

_BINS, _QUANTISED_BINS, _PERCENTILE = 2048, 128, 99.999


def ranges(model: Path, operators: Sequence[str], batches: Sequence[Batch], method: Method, *, symmetric: bool) -> Any:
    """ONNX Runtime's `TensorsData` for the tensors around `operators`.

    Histograms take two passes, the first for the least and the largest value: ONNX Runtime's own single pass widens a
    histogram by bins of the first sample's width, which fills the memory where that sample was nearly all zeros; or it
    keeps every activation of every sample.
    """
    extremes = _calibrator(model, operators, CalibrationMethod.MinMax, symmetric=symmetric)
    for batch in batches:
        extremes.collect_data(_One(batch))
    found = extremes.compute_data()
    if method == "minmax":
        return found
    kind = CalibrationMethod.Entropy if method == "entropy" else CalibrationMethod.Percentile
    calibrator = _calibrator(model, operators, kind, symmetric=symmetric)
    calibrator.collector = HistogramCollector(
        method, symmetric, _BINS, _QUANTISED_BINS, _PERCENTILE, scenario=calibrator.scenario
    )
    calibrator.collector.histogram_dict = {name: _empty(*data.range_value) for name, data in found.items()}
    for batch in batches:
        calibrator.collect_data(_One(batch))
    return calibrator.compute_data()


def _calibrator(model: Path, operators: Sequence[str], method: Any, *, symmetric: bool) -> Any:
    augmented = model.with_name(f"augmented-{method.name.lower()}.onnx")
    large = model.with_name(WEIGHTS).exists()
    return create_calibrator(
        model,
        list(operators),
        augmented.as_posix(),
        calibrate_method=method,
        use_external_data_format=large,
        extra_options={"symmetric": symmetric},
    )


def _empty(least: Any, largest: Any) -> tuple[Any, ...]:
    """A histogram that is wide enough for every sample: (counts, edges, least, largest, half of its width)."""
    low, high = np.float32(least).reshape(()), np.float32(largest).reshape(())
    half = np.array(max(abs(low), abs(high), np.finfo(np.float32).tiny), np.float32)
    counts, edges = np.histogram(np.empty(0, np.float32), _BINS, range=(-float(half), float(half)))
    return counts, edges, low, high, half


class _One(CalibrationDataReader):  # type: ignore[misc]
    """One batch, once."""

    def __init__(self, batch: Batch) -> None:
        self._batch: Batch | None = batch

    def get_next(self) -> Batch | None:
        batch, self._batch = self._batch, None
        return batch
