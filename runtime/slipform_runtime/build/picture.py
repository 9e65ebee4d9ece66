"""`report.svg`: latency against batch size, the original and the artefact, both axes logarithmic."""

from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log10

from slipform_runtime.build.report import Report

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 616, 56, 308
_ORIGINAL, _BUILT, _INK, _GRID = "#8a8f98", "#2563eb", "#374151", "#e5e7eb"


def picture(report: Report) -> str:
    """The SVG's text; it needs no font, script or other file."""
    sizes = [one.batch_size for one in report.latency]
    times = [(one.original.p50_ms, one.built.p50_ms) for one in report.latency]
    x = _scale(min(sizes), max(sizes), _LEFT, _RIGHT)
    low, high = floor(log10(min(map(min, times)))), ceil(log10(max(map(max, times))))
    y = _scale(10.0**low, 10.0 ** max(high, low + 1), _BOTTOM, _TOP)
    title = escape(f"{report.name} {report.version}: {report.target}, {report.precision}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{_INK}">',
        f"<title>{title}: median latency by batch size</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="24" font-size="15" font-weight="600">{title}</text>',
        f'<text x="{_LEFT}" y="42">median latency of a batch, ms (logarithmic)</text>',
        *(_grid(10.0**power, y) for power in range(low, max(high, low + 1) + 1)),
        *(f'<text x="{x(size):.1f}" y="{_BOTTOM + 18}" text-anchor="middle">{size}</text>' for size in sizes),
        f'<text x="{(_LEFT + _RIGHT) / 2}" y="{_BOTTOM + 38}" text-anchor="middle">batch size</text>',
        *_line(sizes, [one for one, _ in times], x, y, _ORIGINAL),
        *_line(sizes, [other for _, other in times], x, y, _BUILT),
        *_legend(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """A logarithmic axis; one value alone stands in its middle."""
    if low == high:
        return lambda _: (start + end) / 2
    return lambda value: start + (end - start) * log10(value / low) / log10(high / low)


def _grid(value: float, y: Callable[[float], float]) -> str:
    at = f"{y(value):.1f}"
    return (
        f'<path d="M{_LEFT} {at}H{_RIGHT}" stroke="{_GRID}"/>'
        f'<text x="{_LEFT - 8}" y="{at}" dy="4" text-anchor="end">{value:g}</text>'
    )


def _line(
    sizes: Sequence[int],
    values: Sequence[float],
    x: Callable[[float], float],
    y: Callable[[float], float],
    colour: str,
) -> list[str]:
    points = [(x(size), y(value)) for size, value in zip(sizes, values, strict=True)]
    path = "L".join(f"{across:.1f} {up:.1f}" for across, up in points)
    dots = [f'<circle cx="{across:.1f}" cy="{up:.1f}" r="3.5" fill="{colour}"/>' for across, up in points]
    return [f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots]


def _legend() -> list[str]:
    return [*_entry(_RIGHT - 150, _ORIGINAL, "original"), *_entry(_RIGHT - 60, _BUILT, "built")]


def _entry(x: int, colour: str, text: str) -> list[str]:
    return [f'<circle cx="{x}" cy="20" r="4" fill="{colour}"/>', f'<text x="{x + 10}" y="24">{text}</text>']
