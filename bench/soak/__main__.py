"""`python -m bench.soak`: good, bad, slow and vanishing clients, reloads, and a SIGTERM under load."""

import argparse
import asyncio
import sys

from bench.soak.soak import GROWTH, Outcome, soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="of load before the SIGTERM; default: %(default)g")
    outcome = asyncio.run(soak(parser.parse_args().seconds, lambda line: print(line, file=sys.stderr, flush=True)))
    print(report(outcome))
    return 1 if outcome.failures else 0


def report(outcome: Outcome) -> str:
    """Markdown."""
    tally = outcome.tally
    lines = ["| clients | answers |", "| --- | --- |"]
    for kind in dict.fromkeys(kind for kind, _ in tally.outcomes):
        answers = ", ".join(f"{number:,} × {outcome}" for outcome, number in sorted(tally.of(kind).items()))
        lines.append(f"| {kind} | {answers} |")
    first, most, last = (size / 1e6 for size in (outcome.resident[0], max(outcome.resident), outcome.resident[-1]))
    lines += [
        "",
        f"{tally.total:,} requests in {outcome.seconds:.0f} s of load and a stop under load; {len(tally.lost)} lost, "
        f"{len(tally.wrong)} answered wrong.",
        f"Memory: {first:.0f} MB at the start, {most:.0f} MB at most, {last:.0f} MB at the end: "
        f"{outcome.growth:.3f} of that after the warm-up (at most {GROWTH}).",
        *(
            f"{model}: {seen:,} answers seen, {counted:,} counted."
            for model, (seen, counted) in outcome.counted.items()
        ),
        *(f"FAILED: {failure}" for failure in outcome.failures),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
