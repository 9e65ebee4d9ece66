"""The figures of last.json as the table in README.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

Row = Mapping[str, float | int]

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- made by python -m bench.plan -->\n", "<!-- end -->\n"
COLUMNS: Mapping[str, tuple[str, str]] = {
    "specs": ("specs", "{:,}"),
    "resources": ("resources", "{:,}"),
    "plan": ("plan_seconds", "{:.1f} s"),
    "its peak memory": ("plan_peak_mib", "{:,} MiB"),
    "÷ bare monitor": ("plan_to_bare_cpu_seconds", "{:.2f}"),
    "plan of one of them": ("single_seconds", "{:.1f} s"),
    "diff, one changed": ("diff_seconds", "{:.1f} s"),
    "÷ plan of one, by the clock": ("diff_to_single_seconds", "{:.1f}"),
    "by processor time": ("diff_to_single_cpu_seconds", "{:.1f}"),
    "whole diff": ("whole_diff_seconds", "{:.1f} s"),
    "÷ plan, by the clock": ("whole_diff_to_plan_seconds", "{:.1f}"),
    "validate": ("validate_seconds", "{:.2f} s"),
    "helm template": ("helm_seconds", "{:.1f} s"),
}


def write(rows: Sequence[Row], measured: str) -> None:
    """`measured` says when and where."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}{measured}\n\n{table(rows)}{END}{after}", encoding="utf-8")


def table(rows: Sequence[Row]) -> str:
    lines = [list(COLUMNS), ["---"] * len(COLUMNS)]
    lines += [[shape.format(row[key]) if key in row else "" for key, shape in COLUMNS.values()] for row in rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
