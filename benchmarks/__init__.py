"""What Tailrace costs, beside a peer or a lower bound measured in the same run: `make bench`, or one by name:

    .venv/bin/python -m benchmarks aggregate join latency growth views memory planning tpch nexmark

data.py makes the inputs (fixed seeds, one cache folder), measure.py times and prints, the others are a workload each.
Timings are never asserted: an answer that is not DuckDB's ends the run.
"""
