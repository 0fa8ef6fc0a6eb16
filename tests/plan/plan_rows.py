"""What a graph.Plan means, over dictionaries row -> count."""

from collections import Counter
from collections.abc import Mapping

from engine.dataflow import graph
from tests.plan.bound_rows import nonzero, topk
from tests.plan.sql_values import aggregate, evaluate


def plan_rows(plan: graph.Plan, contents: Mapping[int, Counter]) -> Counter:
    """The rows of a plan. A join is run along each of its paths, which must agree."""
    done: dict[int, Counter] = {}

    def run(node: graph.Plan) -> Counter:
        if id(node) not in done:
            done[id(node)] = nonzero(once(node))
        return done[id(node)]

    def once(node: graph.Plan) -> Counter:
        out: Counter = Counter()
        match node:
            case graph.Source():
                return contents[node.id]
            case graph.Constant():
                for row, count in node.rows:
                    out[row] += count
            case graph.Mfp():
                for row, count in run(node.input).items():
                    for step in node.steps:
                        if isinstance(step, graph.Keep):
                            if evaluate(step.predicate, row) is not True:
                                break
                        else:
                            row = (*row, evaluate(step.expression, row))
                    else:
                        out[tuple(row[i] for i in node.project)] += count
            case graph.Join():
                inputs = [run(child) for child in node.inputs]
                answers = [along(node, start, inputs) for start in range(len(inputs))]
                assert all(answer == answers[0] for answer in answers), node
                return answers[0]
            case graph.Reduce():
                groups: dict[tuple, list] = {}
                for row, count in run(node.input).items():
                    groups.setdefault(tuple(row[i] for i in node.key), []).append((row, count))
                for key, rows in groups.items():
                    results = [
                        aggregate(a.kind.name, [(tuple(row[i] for i in a.columns), count) for row, count in rows])
                        for a in node.aggregates
                    ]
                    out[(*key, *results)] += 1
            case graph.Distinct():
                out = Counter({row: 1 for row, count in run(node.input).items() if count > 0})
            case graph.Threshold():
                out = Counter({row: count for row, count in run(node.input).items() if count > 0})
            case graph.Negate():
                out = Counter({row: -count for row, count in run(node.input).items()})
            case graph.Union():
                for child in node.inputs:
                    for row, count in run(child).items():
                        out[row] += count
            case graph.TopK():
                return topk(run(node.input), node)
            case _:
                raise AssertionError(node)
        return out

    def along(node: graph.Join, start: int, inputs: list[Counter]) -> Counter:
        widths = [len(graph.output_types(child)) for child in node.inputs]
        stream = [(row, count) for row, count in inputs[start].items()]
        visited = [start]
        for lookup in node.paths[start]:
            index: dict[tuple, list] = {}
            for row, count in inputs[lookup.input].items():
                key = tuple(row[i] for i in lookup.key)
                if not any(flag and word is None for flag, word in zip(lookup.strict, key, strict=False)):
                    index.setdefault(key, []).append((row, count))
            stream = [
                ((*row, *other), count * times)
                for row, count in stream
                for other, times in index.get(tuple(row[i] for i in lookup.stream_key), ())
            ]
            visited.append(lookup.input)
        offsets = {i: sum(widths[j] for j in visited[: visited.index(i)]) for i in visited}
        out: Counter = Counter()
        for row, count in stream:
            whole = [value for i in range(len(widths)) for value in row[offsets[i] : offsets[i] + widths[i]]]
            out[tuple(whole[i] for i in node.project)] += count
        return nonzero(out)

    return run(plan)
