#!/usr/bin/env python3
"""What ./dev bench makes of what others print: nothing is measured here."""

import json
import pathlib
import sys
import tempfile
import unittest
import unittest.mock
import xml.etree.ElementTree as xml

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import baseline  # noqa: E402
import loads  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402
from compare import Row, result_of  # noqa: E402
from database import Refused, executed  # noqa: E402

WRK = ('Running 2s test @ http://127.0.0.1:1\n{"requests": %d, "microseconds": 2000000, "p50": 900, "p99": 4000, '
       '"exhausted": %s, "status": %d, "connect": 0, "read": 0, "write": 0, "timeout": %d}\n')

PGBENCH = """transaction type: pgbench.sql
number of transactions actually processed: %d
number of failed transactions: %d (0.000%%)
latency average = 10.430 ms
initial connection time = 271.330 ms
tps = 6136.482108 (without initial connection time)
"""

LOG = """2026-05-29 20:54:19.746 UTC [11] LOG:  execute begin: select 1
2026-05-29 20:54:19.746 UTC [11] LOG:  execute read_span: select *
\tfrom item
\twhere id = $2::uuid and ($1::text is null or name = $1) and kind = $3
2026-05-29 20:54:19.746 UTC [11] DETAIL:  parameters: $1 = NULL, $2 = 'key', $3 = 'it''s'
2026-05-29 20:54:19.747 UTC [12] LOG:  statement: select 2
"""

STORE = """with b as (select 1) insert into feedback as f
  (project_id, id, reason, judge_id)
select 1 from b
on conflict (project_id, target_type) do update set reason = excluded.reason
returning f.id"""


def run(rate, **more):
    return loads.Run(requests=10, rate=rate, p50=1.0, p99=2.0, cpu={"gateway": 10.0, "other": 1.0}, **more)


def row(target=1.0, **more):
    return Row("write_new", "a title", "writes/s", target, None, **more)


class Parsing(unittest.TestCase):
    def test_wrk(self):
        self.assertEqual(loads.parse_wrk(WRK % (100, "false", 0, 0))["requests"], 100)

    def test_wrk_refuses_errors(self):
        for what in ((100, "false", 1, 0), (100, "false", 0, 1), (100, "true", 0, 0), (0, "false", 0, 0)):
            with self.subTest(what), self.assertRaises(Refused):
                loads.parse_wrk(WRK % what)

    def test_pgbench(self):
        self.assertEqual(loads.parse_pgbench(PGBENCH % (100, 0)), (100, 6136.482108))

    def test_pgbench_refuses_errors(self):
        for what in ((100, 1), (0, 0)):
            with self.subTest(what), self.assertRaises(Refused):
                loads.parse_pgbench(PGBENCH % what)

    def test_latencies_are_without_the_lag_of_the_schedule(self):
        self.assertEqual(loads.parse_latencies("0 1 1500 0 1795302271 5\n0 2 2500 0 1795302271 9 500\n"), [1.5, 2.0])

    def test_percentile(self):
        self.assertEqual(loads.percentile(range(1, 101), 0.5), 50)
        self.assertEqual(loads.percentile(range(1, 101), 0.99), 99)
        self.assertEqual(loads.percentile([7], 0.99), 7)

    def test_statement_in_the_log(self):
        sql, parameters = executed(LOG, "read_span")
        self.assertEqual(sql.splitlines()[1], "from item")
        self.assertEqual(parameters, {1: None, 2: "key", 3: "it's"})
        self.assertIsNone(executed(LOG, "read_trace"))


class Requests(unittest.TestCase):
    def test_length_counts_the_id_of_the_body(self):
        request = loads.Request("POST", "/a", {"X": "y"}, '{"id": "<id>"}', id_width=10)
        head, tail = request.pieces()
        self.assertIn("Content-Length: 20\r\n", head)
        self.assertTrue(head.endswith('\r\n\r\n{"id": "'))
        self.assertEqual(tail, '"}')

    def test_id_in_the_path(self):
        head, tail = loads.Request("GET", "/a/<id>").pieces()
        self.assertEqual(head, "GET /a/")
        self.assertEqual(tail, " HTTP/1.1\r\nHost: bench\r\n\r\n")


class Types:
    def object(self, _):
        return {"types": {"project_id": "uuid", "id": "uuid", "reason": "text", "judge_id": "uuid"}}


class Baselines(unittest.TestCase):
    def test_upsert_has_the_columns_and_the_rule_of_the_product(self):
        stored = {"project_id": "p", "id": "i", "reason": "why", "judge_id": None}
        script, variables = baseline.upsert(Types(), STORE, stored)
        self.assertIn("insert into feedback as f (project_id, id, reason, judge_id)\n", script)
        self.assertIn(f"values (:project_id::uuid, {baseline.OWN_ID}::uuid, :reason::text, null::uuid)\n", script)
        self.assertTrue(script.endswith("on conflict (project_id, target_type) do update set reason = excluded.reason\n"
                                        "returning f.id;\n"))
        self.assertEqual(variables, {"project_id": "p", "reason": "why"})

    def test_another_statement_is_refused(self):
        with self.assertRaises(Refused):
            baseline.upsert(Types(), "insert into opinion values (1)", {})

    def test_read_takes_the_parameters_that_were_sent(self):
        script, variables = baseline.read(*executed(LOG, "read_span"), "key", ":a || :b")
        self.assertIn("where id = (:a || :b)::uuid and (null::text is null or name = null) and kind = :p3;", script)
        self.assertEqual(variables, {"p3": "it's"})


class Rules(unittest.TestCase):
    def test_medians_and_ratio(self):
        result = result_of(row(), [run(9), run(30), run(12)], [run(10), run(8), run(9)])
        self.assertEqual((result.ours.value, result.baseline.value), (12, 9))
        self.assertAlmostEqual(result.ratio, 12 / 9)
        self.assertTrue(result.met)
        self.assertTrue(result.unsteady)

    def test_missed(self):
        result = result_of(row(1.5), [run(12)] * 3, [run(9)] * 3)
        self.assertFalse(result.met)
        self.assertFalse(result.unsteady)

    def test_spread_up_to_a_quarter_is_steady(self):
        self.assertFalse(result_of(row(), [run(100), run(100), run(125)], None).unsteady)
        self.assertTrue(result_of(row(), [run(100), run(100), run(126)], None).unsteady)

    def test_lower_is_better(self):
        result = result_of(row(8, lower_is_better=True), [run(2)], [run(18)])
        self.assertEqual(result.ratio, 9)
        self.assertTrue(result.met)

    def test_without_baseline_the_target_is_of_ours(self):
        self.assertTrue(result_of(row(20), [run(20)], None).met)
        self.assertFalse(result_of(row(20), [run(19)], None).met)

    def test_without_target_it_is_reported(self):
        self.assertIsNone(result_of(row(None), [run(2)], [run(1)]).met)

    def test_rows_must_match_what_was_acknowledged(self):
        def stored(rows_after):
            counts = iter((3, 5, 5, 5 + rows_after))  # two were still under way
            with unittest.mock.patch("time.sleep"):
                return rows.acknowledged(lambda: next(counts), lambda: run(1), connections=3)
        for rows_after in (10, 13):
            self.assertEqual(stored(rows_after).requests, 10)
        for rows_after in (9, 14):
            with self.subTest(rows_after), self.assertRaises(Refused):
                stored(rows_after)


class Reports(unittest.TestCase):
    RESULTS = [result_of(row(), [run(12)], [run(9)]), result_of(row(None), [run(12)], None)]

    def test_json(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "bench.json"
            report.write_json(path, self.RESULTS)
            found = json.loads(path.read_text(encoding="utf-8"))["rows"]
        self.assertEqual(list(found[0])[:6], ["name", "ours", "baseline", "ratio", "target", "lower_is_better"])
        self.assertEqual((found[0]["ours"], found[0]["baseline"], found[0]["target"]), (12, 9, 1.0))
        self.assertEqual((found[1]["baseline"], found[1]["ratio"], found[1]["target"]), (None, None, None))

    def test_chart_has_a_bar_a_row_and_the_line(self):
        chart = xml.fromstring(report.svg(self.RESULTS, "a < b"))
        tags = [element.tag.rpartition("}")[2] for element in chart]
        self.assertEqual(tags.count("rect"), 1 + len(self.RESULTS))
        self.assertEqual(tags.count("line"), 1)

    def test_tables_name_every_row(self):
        self.assertEqual(report.main_table(self.RESULTS).count("write_new"), 2)
        self.assertIn("write_new baseline", report.cpu_table(self.RESULTS))

    def test_rows_have_names_of_their_own(self):
        names = [one.name for one in rows.ROWS]
        self.assertEqual(len(set(names)), len(names))


if __name__ == "__main__":
    unittest.main()
