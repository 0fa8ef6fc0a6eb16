"""The delta rules, one a file: each docstring states rule, state, cost and source; tests/laws/ holds them to it.

Stateless: mfp, flat_map, union, negate, source, constant, turn. On shared arrangements: join, distinct, threshold.
With state of their own: reduce (accumulators, extremes, spliced, whole_group), topk, window and let_rec.
"""
