"""The table, bench.json and the chart."""

import html
import json

PROCESSES = ("gateway", "token", "feedback", "aggregator", "postgres", "backend", "client")


def say(text):
    print(text, flush=True)


def number(value):
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def table(header, lines):
    """Columns as wide as they must be; the first to the left, the others to the right."""
    rows = [header, *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return "\n".join(
        "  ".join(text.rjust(width) if column else text.ljust(width)
                  for column, (text, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows)


def verdict(result):
    if result.met is None:
        return "reported"
    return "ok" if result.met else "MISSED"


def main_table(results):
    lines = []
    for result in results:
        ours, baseline = result.ours, result.baseline
        lines.append([
            result.row.name + (" ~" if result.unsteady else ""), result.row.unit, number(ours.value),
            number(baseline and baseline.value), number(result.ratio), number(result.row.target), verdict(result),
            number(ours.p50), number(baseline and baseline.p50), number(ours.p99), number(baseline and baseline.p99)])
    return table(["row", "unit", "ours", "baseline", "ratio", "target", "", "p50 ms", "baseline", "p99 ms", "baseline"], lines)


def cpu_table(results):
    """CPU microseconds a request of each process, of both sides; and what the rest of the machine used meanwhile."""
    lines = []
    for result in results:
        for name, side in (("ours", result.ours), ("baseline", result.baseline)):
            if side is None or not side.cpu:
                continue
            # What a side does not use has next to nothing to show.
            used = {process: side.cpu.get(process, 0) for process in PROCESSES}
            lines.append([f"{result.row.name} {name}",
                          *(number(used[process]) if used[process] >= 0.05 else "" for process in PROCESSES),
                          number(sum(used.values())), number(side.cpu["other"])])
    return table(["CPU us a request", *PROCESSES, "all", "others"], lines)


def write_json(path, results):
    """`{"rows": [...]}`: of each row its name, both values, their ratio and its target first, and behind them all else."""
    rows = []
    for result in results:
        sides = {"ours": result.ours, "baseline": result.baseline}
        rows.append({
            "name": result.row.name, "ours": result.ours.value,
            "baseline": result.baseline and result.baseline.value, "ratio": result.ratio,
            "target": result.row.target, "lower_is_better": result.row.lower_is_better,
            "unit": result.row.unit, "met": result.met, "unsteady": result.unsteady,
            "p50_ms": {name: side and side.p50 for name, side in sides.items()},
            "p99_ms": {name: side and side.p99 for name, side in sides.items()},
            "cpu_us": {name: side and side.cpu for name, side in sides.items()},
            "spread": {name: side and side.spread for name, side in sides.items()},
        })
    path.write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")


def score(result):
    """How many times the target was reached; without a target, the ratio itself."""
    value = result.ours.value if result.ratio is None else result.ratio
    return value / result.row.target if result.row.target else value


def svg(results, caption):
    """One bar a row, as long as it has reached of its target, which is the line."""
    left, unit, height, full = 190, 260, 26, 2.0  # a bar ends at twice its target
    lines = []
    for index, result in enumerate(results):
        top = 34 + index * height
        reached = score(result)
        colour = {True: "#2a7d4f", False: "#c0392b", None: "#7f8c8d"}[result.met]
        ratio = f"{number(result.ratio)}x" if result.ratio is not None else f"{number(result.ours.value)} {result.row.unit}"
        target = "" if result.row.target is None else f" (target {number(result.row.target)})"
        lines.append(
            f'<text x="{left - 8}" y="{top + 14}" text-anchor="end">{html.escape(result.row.name)}</text>'
            f'<rect x="{left}" y="{top + 3}" width="{min(reached, full) * unit:.0f}" height="14" fill="{colour}"/>'
            f'<text x="{left + min(reached, full) * unit + 6:.0f}" y="{top + 14}">{html.escape(ratio + target)}</text>')
    bottom = 34 + len(results) * height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + full * unit + 190:.0f}" height="{bottom + 10}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n<text x="8" y="18">{html.escape(caption)}</text>\n'
        + "\n".join(lines)
        + f'\n<line x1="{left + unit}" y1="28" x2="{left + unit}" y2="{bottom}" stroke="black" stroke-dasharray="3 2"/>\n'
        "</svg>\n")
