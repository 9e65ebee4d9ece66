"""`report.svg`: latency against batch size, the original and the artefact, both axes logarithmic."""

from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log10

from slipform_runtime.build.report import Report

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 616, 56, 308
_EDGE, _MOST_MARKS, _LABEL = 16, 8, 24
_ORIGINAL, _BUILT, _INK, _GRID = "#8a8f98", "#2563eb", "#374151", "#e5e7eb"


def picture(report: Report) -> str:
    """The SVG's text; it needs no font, script or other file."""
    sizes = [one.batch_size for one in report.latency]
    times = [(one.original.p50_ms, one.built.p50_ms) for one in report.latency]
    x = _scale(min(sizes), max(sizes), _LEFT, _RIGHT)
    marks = _marks(min(map(min, times)), max(map(max, times)))
    y = _scale(marks[0], marks[-1], _BOTTOM, _TOP)
    title = escape(f"{report.name} {report.version}: {report.target}, {report.precision}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{_INK}">',
        f"<title>{title}: median latency by batch size</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_EDGE}" y="24" font-size="15" font-weight="600">{title}</text>',
        f'<text x="{_EDGE}" y="42">median latency of a batch, ms (logarithmic)</text>',
        *(_grid(mark, y) for mark in marks),
        *(
            f'<text x="{x(size):.1f}" y="{_BOTTOM + 18}" text-anchor="middle">{size}</text>'
            for size in _apart(sizes, x)
        ),
        _below((_LEFT + _RIGHT) / 2, 38, "batch size"),
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


def _marks(least: float, most: float) -> list[float]:
    """1, 2, 5, 10, … around the values; powers of ten alone where those would be too many."""
    powers = range(floor(log10(least)), ceil(log10(most)) + 2)
    steps = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    below, above = [step for step in steps if step <= least], [step for step in steps if step > most]
    marks = [step for step in steps if below[-1] <= step <= above[0]]
    return marks if len(marks) <= _MOST_MARKS else [10.0**power for power in powers if 10.0 ** (power - 1) < most]


def _apart(sizes: Sequence[int], x: Callable[[float], float]) -> list[int]:
    """Those whose labels have room; the largest always."""
    kept: list[int] = []
    for size in reversed(sizes):
        if not kept or x(kept[-1]) - x(size) > _LABEL:
            kept.append(size)
    return kept


def _below(across: float, down: int, text: str) -> str:
    return f'<text x="{across:.1f}" y="{_BOTTOM + down}" text-anchor="middle">{text}</text>'


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
    """Below the title, which may be long."""
    return [*_entry(_RIGHT - 150, _ORIGINAL, "original"), *_entry(_RIGHT - 60, _BUILT, "built")]


def _entry(x: int, colour: str, text: str) -> list[str]:
    return [f'<circle cx="{x}" cy="38" r="4" fill="{colour}"/>', f'<text x="{x + 10}" y="42">{text}</text>']
