"""ZeroEval's command line against the stack: what it lists, and its exit codes."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import uuid

import stack

ZEROEVAL = pathlib.Path(sys.executable).parent / "zeroeval"
SUCCESS, USER_ERROR, AUTH_ERROR, REMOTE_ERROR = 0, 2, 3, 4


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.home.cleanup)
        cls.trace_id, cls.span_id, cls.session_id = str(uuid.uuid4()), str(uuid.uuid4()), f"cli {uuid.uuid4()}"
        cls.child_id = str(uuid.uuid4())
        stack.call("POST", "/spans", json=[
            {"id": cls.child_id, "trace_id": cls.trace_id, "parent_span_id": cls.span_id, "name": "child",
             "kind": "llm", "started_at": "2026-05-29T20:54:19.800Z", "ended_at": "2026-05-29T20:54:20.050Z"},
            {"id": cls.span_id, "trace_id": cls.trace_id, "session": {"id": cls.session_id, "name": "A chat"},
             "name": "root", "started_at": "2026-05-29T20:54:19.746Z", "ended_at": "2026-05-29T20:54:20.246Z"}])
        cls.judge = stack.new_judge(name=f"Tone {uuid.uuid4()}")
        stack.call("POST", f"/projects/{stack.PROJECT}/judges/{cls.judge['id']}/evaluations",
                   json={"span_id": cls.child_id, "evaluation_result": True})

    def run_cli(self, *arguments, key=stack.KEY, url=stack.URL, project=("--project-id", stack.PROJECT)):
        """Exit code and, after a success, what was printed."""
        environment = {"PATH": os.environ["PATH"], "HOME": self.home.name}
        if key is not None:
            environment["ZEROEVAL_API_KEY"] = key
        finished = subprocess.run(
            [ZEROEVAL, "--output", "json", "--api-base-url", url, *project, *arguments],
            env=environment, capture_output=True, text=True, timeout=60, check=False)
        return finished.returncode, json.loads(finished.stdout) if finished.returncode == SUCCESS else finished.stderr

    def test_spans(self):
        code, spans = self.run_cli("spans", "list", "--limit", "500")
        self.assertEqual(code, SUCCESS)
        self.assertLessEqual({self.span_id, self.child_id}, {span["id"] for span in spans})
        code, ((span,),) = self.run_cli("spans", "get", self.child_id)
        self.assertEqual(code, SUCCESS)
        self.assertEqual(
            stack.without(span, "created_at"),
            {"id": self.child_id, "trace_id": self.trace_id, "parent_span_id": self.span_id,
             "session_id": self.session_id, "project_id": stack.PROJECT, "name": "child", "kind": "llm",
             "started_at": "2026-05-29T20:54:19.800Z", "ended_at": "2026-05-29T20:54:20.050Z", "duration_ms": 250})
        code, spans = self.run_cli("traces", "spans", self.trace_id)
        self.assertEqual((code, {span["name"] for span in spans}), (SUCCESS, {"root", "child"}))

    def test_traces(self):
        code, traces = self.run_cli("traces", "list", "--start-date", "2020-01-01", "--where", f"id={self.trace_id}")
        self.assertEqual((code, len(traces)), (SUCCESS, 1))
        code, ((trace,),) = self.run_cli("traces", "get", self.trace_id)
        self.assertEqual(code, SUCCESS)
        self.assertEqual(
            stack.without(trace, "created_at"),
            {"id": self.trace_id, "session_id": self.session_id, "project_id": stack.PROJECT, "name": "root",
             "started_at": "2026-05-29T20:54:19.746Z", "ended_at": "2026-05-29T20:54:20.246Z", "duration_ms": 500,
             "span_count": 2})

    def test_sessions(self):
        code, sessions = self.run_cli("sessions", "list", "--limit", "500", "--select", "id,name")
        self.assertEqual(code, SUCCESS)
        self.assertIn({"id": self.session_id, "name": "A chat"}, sessions)
        code, ((session,),) = self.run_cli("sessions", "get", self.session_id)
        self.assertEqual(code, SUCCESS)
        self.assertEqual(
            stack.without(session, "created_at"),
            {"id": self.session_id, "project_id": stack.PROJECT, "name": "A chat", "trace_count": 1})
        self.assertEqual(self.run_cli("sessions", "get", "nobody's"), (SUCCESS, [[]]))

    def test_judges(self):
        code, judges = self.run_cli("judges", "list")
        self.assertEqual(code, SUCCESS)
        self.assertIn(self.judge["name"], {judge["name"] for judge in judges})
        code, (judge,) = self.run_cli("judges", "get", self.judge["id"])
        self.assertEqual((code, judge["evaluation_count"]), (SUCCESS, 1))
        code, (evaluation,) = self.run_cli("judges", "evaluations", self.judge["id"], "--evaluation-result", "true")
        self.assertEqual((code, evaluation["span_id"]), (SUCCESS, self.child_id))
        code, criteria = self.run_cli("judges", "criteria", self.judge["id"])
        self.assertEqual((code, criteria["judge_id"]), (SUCCESS, self.judge["id"]))
        name = f"Scored {uuid.uuid4()}"
        code, created = self.run_cli(
            "judges", "create", "--name", name, "--prompt", "Is it kind?", "--evaluation-type", "scored",
            "--tag", "team=a,b")
        self.assertEqual((code, created["name"], created["pass_threshold"]), (SUCCESS, name, 7))

    def test_feedback_on_a_span(self):
        span_id = str(uuid.uuid4())
        arguments = ("judges", "feedback", "create", "--span-id", span_id, "--thumbs-down", "--reason", "Too long")
        ids = set()
        for _ in range(2):
            code, sent = self.run_cli(*arguments)
            self.assertEqual((code, sent["completion_id"], sent["thumbs_up"], sent["reason"]),
                             (SUCCESS, span_id, False, "Too long"))
            ids.add(sent["id"])
        self.assertEqual({item["id"] for item in stack.feedback_on("span", span_id)["items"]}, ids)
        self.assertEqual(len(ids), 1)
        self.assertEqual(self.run_cli(*arguments, "--expected-score", "3")[0], REMOTE_ERROR, "of which judge?")

    def test_prompts(self):
        slug = f"cli-{uuid.uuid4()}"
        stack.call("POST", f"/v1/tasks/{slug}/prompt/versions/ensure", json={"content": "Be brief."})
        stack.call("POST", f"/projects/{stack.PROJECT}/prompts/{slug}/tags/production:pin", json={"version": 1})
        code, (prompt,) = self.run_cli("prompts", "get", slug, "--tag", "production")
        self.assertEqual((code, prompt["content"], prompt["version"]), (SUCCESS, "Be brief.", 1))
        code, versions = self.run_cli("prompts", "versions", slug)
        self.assertEqual((code, [version["version"] for version in versions]), (SUCCESS, [1]))
        code, tags = self.run_cli("prompts", "tags", slug)
        self.assertEqual((code, [tag["tag"] for tag in tags]), (SUCCESS, ["production"]))
        code, sent = self.run_cli(
            "prompts", "feedback", "create", "--prompt-slug", slug, "--completion-id", self.child_id, "--thumbs-down",
            "--reason", "Too long", "--metadata", '{"channel": "cli"}')
        self.assertEqual((code, sent["thumbs_up"], sent["metadata"]), (SUCCESS, False, {"channel": "cli"}))

    def test_failures_have_their_exit_codes(self):
        self.assertEqual(self.run_cli("spans", "list", project=())[0], USER_ERROR)
        self.assertEqual(self.run_cli("spans", "list", key=None)[0], AUTH_ERROR)
        self.assertEqual(self.run_cli("spans", "list", key="sk_ze_bad")[0], AUTH_ERROR)
        foreign = ("--project-id", str(uuid.uuid4()))
        self.assertEqual(self.run_cli("spans", "list", project=foreign)[0], AUTH_ERROR)
        code, error = self.run_cli("judges", "get", str(uuid.uuid4()))
        self.assertEqual(code, REMOTE_ERROR)
        self.assertEqual(json.loads(error)["error"]["details"]["code"], "JUDGE_NOT_FOUND")
        self.assertEqual(self.run_cli("prompts", "get", "no-such-prompt")[0], REMOTE_ERROR)
        self.assertEqual(self.run_cli("spans", "list", "--limit", "0")[0], REMOTE_ERROR)
        self.assertEqual(self.run_cli("spans", "list", url="http://127.0.0.1:1")[0], REMOTE_ERROR)


if __name__ == "__main__":
    stack.main()
