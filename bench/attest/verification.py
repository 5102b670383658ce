# SPDX-License-Identifier: Apache-2.0
"""Section `verification` of bench/attest/run: evidence of every TEE, on one core."""

import subprocess

COLUMNS = ("name", "signatures", "limit", "warm", "warm_ratio", "among_others",
           "among_others_ratio", "cold")
LIMIT = 0.8  # of what its signatures alone take


def per_second(rate):
    return f"{rate:,.0f}/s"


def figures(program, rounds, slice_ms):
    """A dict for each TEE: rates a second (medians), and ratios to the limit (of pairs)."""
    words = [str(program), "verification", str(rounds), str(slice_ms)]
    process = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    for line in process.stdout.splitlines():
        row = dict(zip(COLUMNS, line.split("\t"), strict=True))
        yield {key: value if key in COLUMNS[:2] else float(value) for key, value in row.items()}


def measure(options, table):
    rows = list(figures(options.programs / "attest_bench", options.rounds, options.slice))
    for row in rows:
        against = f"{row['signatures']}: {per_second(row['limit'])}"
        name, cold = row["name"], f"nothing remembered: {per_second(row['cold'])}"
        # A log is replayed besides, and no signature says how long that may take.
        if name.endswith("with a log"):
            table.add(name, per_second(row["warm"]), f"{against}; {cold}",
                      f"{row['warm_ratio']:.2f}")
            continue
        table.at_least(name, per_second(row["warm"]), f"{against}; {cold}", row["warm_ratio"],
                       LIMIT, wall=True)
        table.at_least(f"{name}, among 250 other endorsements", per_second(row["among_others"]),
                       against, row["among_others_ratio"], LIMIT, wall=True)
    return rows
