"""ZeroEval's Python SDK against the stack: prompts, spans, feedback, judges."""

import hashlib
import os
import unittest
import uuid

import stack

# Where an application of ZeroEval's points its SDK, and all that changes for it.
os.environ["ZEROEVAL_API_URL"] = os.environ["ZEROEVAL_BASE_URL"] = stack.URL
os.environ["ZEROEVAL_API_KEY"] = stack.KEY

import zeroeval as ze  # noqa: E402
from opentelemetry.trace import format_trace_id  # noqa: E402
from zeroeval.client import ZeroEval  # noqa: E402
from zeroeval.errors import PromptNotFoundError, PromptRequestError  # noqa: E402
from zeroeval.observability.tracer import tracer  # noqa: E402

ze.init()


def new_slug():
    return f"prompt-{uuid.uuid4()}"


class Prompts(unittest.TestCase):
    def test_the_first_use_of_a_prompt_creates_it(self):
        slug = new_slug()
        text = ze.prompt(name=slug, content="Hello {{name}}.\r\n", variables={"name": "Ada"})
        self.assertIn("Hello {{name}}.", text)
        self.assertIn(f'"prompt_slug": "{slug}"', text)
        self.assertIn('"prompt_version": 1', text)
        stored = ze.get_prompt(slug)
        self.assertEqual((stored.content, stored.version, stored.tag, stored.is_latest),
                         ("Hello {{name}}.", 1, "latest", True))
        self.assertIn(stored.version_id, text)

    def test_versions_are_found_by_content_number_and_hash(self):
        slug = new_slug()
        ze.prompt(name=slug, content="One")
        self.assertIn("One", ze.prompt(name=slug, content="Two"), "the latest wins over what the code has")
        self.assertIn('"prompt_version": 2', ze.prompt(name=slug, content="Zwei\u00a0☕", from_="explicit"))
        self.assertIn('"prompt_version": 1', ze.prompt(name=slug, content="One", from_="explicit"))
        self.assertIn('"prompt_version": 2', ze.prompt(name=slug, from_="latest"))
        client = ZeroEval()
        first = client.get_prompt(slug, version=1)
        self.assertEqual((first.content, first.is_latest), ("One", False))
        self.assertIn("One", ze.prompt(name=slug, from_=first.content_hash))
        by_text = hashlib.sha256(b"One").hexdigest()  # what older versions of the SDK send
        self.assertEqual(client.get_task_prompt_version_by_hash(task_name=slug, content_hash=by_text).version, 1)

    def test_a_tag_names_a_version(self):
        slug = new_slug()
        ze.prompt(name=slug, content="One")
        ze.prompt(name=slug, content="Two", from_="explicit")
        client = ZeroEval()
        with self.assertRaises(PromptNotFoundError):
            client.get_prompt(slug, tag="production")
        stack.call("POST", f"/projects/{stack.PROJECT}/prompts/{slug}/tags/production:pin", json={"version": 1})
        pinned = client.get_prompt(slug, tag="production")
        self.assertEqual((pinned.content, pinned.tag, pinned.is_latest), ("One", "production", False))

    def test_the_model_of_a_version_is_inherited(self):
        slug = new_slug()
        stack.call("POST", f"/v1/tasks/{slug}/prompt/versions/ensure", json={"content": "One", "model_id": "gpt-4o"})
        client = ZeroEval()
        second = client.ensure_task_prompt_version(task_name=slug, content="Two")
        self.assertEqual((second.version, second.model), (2, "zeroeval/gpt-4o"))
        self.assertEqual(client.get_model_for_prompt_version(prompt_version_id=second.version_id), "zeroeval/gpt-4o")

    def test_what_is_not_there_is_not_found(self):
        with self.assertRaises(PromptNotFoundError):
            ZeroEval().get_prompt(new_slug())
        with self.assertRaises(PromptRequestError):
            ze.prompt(name=new_slug(), from_="latest")
        with self.assertRaises(PromptNotFoundError):
            ze.prompt(name="support-bot", from_="0" * 64)


class Trace:
    """A root, a step and a completion in a session, made by the SDK as an application would."""

    def __init__(self, session_id):
        self.slug = new_slug()
        with ze.span(name="root", session={"id": session_id, "name": "A chat"}) as root:
            self.text = ze.prompt(name=self.slug, content="Be helpful.")
            with ze.span(name="step"):
                with ze.span(name="completion", kind="llm") as leaf:
                    leaf.set_io("question", "answer")
        tracer.flush()
        self.trace_id, self.root, self.leaf = str(root.trace_id), str(root.span_id), str(leaf.span_id)


class Feedback(unittest.TestCase):
    def test_feedback_on_a_completion_is_read_on_its_span_trace_and_session(self):
        session_id = f"chat {uuid.uuid4()}"
        trace = Trace(session_id)
        first = ze.send_feedback(prompt_slug=trace.slug, completion_id=trace.leaf, thumbs_up=True)
        self.assertEqual((first["completion_id"], first["thumbs_up"]), (trace.leaf, True))
        self.assertIn(first["prompt_version_id"], trace.text)
        again = ze.send_feedback(
            prompt_slug=trace.slug, completion_id=trace.leaf, thumbs_up=False, reason="Too vague",
            expected_output="Steps", metadata={"channel": "web", "n": 1})
        self.assertEqual(again["id"], first["id"])
        ze.send_feedback(prompt_slug=trace.slug, completion_id=trace.root, thumbs_up=True, metadata={})

        on_leaf = {"kind": "human_feedback", "id": first["id"], "span_id": trace.leaf, "thumbs_up": False,
                   "reason": "Too vague", "expected_output": "Steps", "metadata": {"channel": "web", "n": 1},
                   "source_type": "human", "via": "api", "created_at": first["created_at"]}
        for entity_type, entity_id, count in (
                ("span", trace.leaf, 1), ("trace", trace.trace_id, 2), ("session", session_id, 2)):
            with self.subTest(entity_type):
                read = stack.feedback_on(entity_type, entity_id)
                self.assertEqual((read["summary"]["total"], read["summary"]["human_feedback_count"]), (count, count))
                item = next(item for item in read["items"] if item["span_id"] == trace.leaf)
                self.assertEqual(on_leaf, {name: item.get(name) for name in on_leaf})
                self.assertEqual(item["trace_id"].replace("-", ""), trace.trace_id.replace("-", ""))

        spans = {span["name"]: span for span in stack.spans_of(trace.trace_id)}
        self.assertEqual(set(spans), {"root", "step", "completion"})
        self.assertEqual(spans["completion"]["parent_span_id"], spans["step"]["id"])
        self.assertEqual(spans["step"]["parent_span_id"], spans["root"]["id"])
        self.assertEqual({span["session_id"] for span in spans.values()}, {session_id})
        self.assertEqual(spans["completion"]["kind"], "llm")
        (session,) = stack.call("GET", "/sessions", params={"id": session_id})
        self.assertEqual((session["name"], session["trace_count"]), ("A chat", 1))

    def test_nothing_in_attributes_loses_a_span(self):
        with ze.span(name="root", attributes={"huge": 2 ** 200, "deep": {"list": [1, None]}}) as root:
            pass
        tracer.flush()
        self.assertEqual([span["id"] for span in stack.spans_of(str(root.trace_id))], [str(root.span_id)])

    def test_opentelemetrys_spans_join_those_of_the_sdk(self):
        provider = ze.ZeroEvalOTLPProvider(api_key=stack.KEY, api_url=stack.URL)
        with provider.get_tracer("shop").start_as_current_span("otel root") as root:
            with ze.span(name="inside") as inside:
                pass
        tracer.flush()
        self.assertTrue(provider.force_flush())
        trace_id = format_trace_id(root.get_span_context().trace_id)
        spans = {span["name"]: span for span in stack.spans_of(trace_id)}
        self.assertEqual(set(spans), {"otel root", "inside"})
        self.assertEqual(spans["inside"]["parent_span_id"], spans["otel root"]["id"])
        self.assertEqual(spans["inside"]["id"], str(inside.span_id))
        self.assertEqual(spans["otel root"]["session_id"], os.environ["ZEROEVAL_SESSION_ID"])

    def test_feedback_waits_for_its_span(self):
        with ze.span(name="root", session_id=f"late {uuid.uuid4()}") as root:
            trace_id = str(root.trace_id)
            ze.send_feedback(prompt_slug="support-bot", completion_id=str(root.span_id), thumbs_up=True)
        self.assertEqual(stack.feedback_on("trace", trace_id)["summary"]["total"], 0)
        tracer.flush()
        self.assertEqual(stack.feedback_on("trace", trace_id)["summary"]["total"], 1)

    def test_a_wrong_slug_and_a_bad_key_are_refused(self):
        with self.assertRaises(PromptRequestError) as refused:
            ze.send_feedback(prompt_slug=new_slug(), completion_id=str(uuid.uuid4()), thumbs_up=True)
        self.assertEqual(refused.exception.status, 404)
        self.assertIn("PROMPT_NOT_FOUND", str(refused.exception))
        with self.assertRaises(PromptRequestError) as refused:
            ZeroEval(api_key="sk_ze_bad").send_feedback(
                prompt_slug="support-bot", completion_id=str(uuid.uuid4()), thumbs_up=True)
        self.assertEqual(refused.exception.status, 401)


class Judges(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.judge = stack.new_judge(
            evaluation_type="scored", score_min=0, score_max=10, pass_threshold=7,
            criteria=[{"key": "clarity", "label": "Clarity", "description": "Is it clear?"}])
        cls.spans = [str(uuid.uuid4()) for _ in range(25)]
        stack.call(
            "POST", f"/projects/{stack.PROJECT}/judges/{cls.judge['id']}/evaluations",
            json=[{"span_id": span, "score": i % 10, "evaluation_reason": f"Reason {i}"}
                  for i, span in enumerate(cls.spans)])
        cls.client = ZeroEval()

    def evaluations(self, **filters):
        return self.client.get_judge_evaluations(stack.PROJECT, self.judge["id"], **filters)

    def test_the_paging_loop_sees_each_evaluation_once(self):
        seen, offset, limit = [], 0, 5  # a full last page is followed by an empty one
        while True:
            page = self.evaluations(limit=limit, offset=offset)
            self.assertEqual((page["total"], page["limit"], page["offset"]), (25, limit, offset))
            seen += [evaluation["span_id"] for evaluation in page["evaluations"]]
            if len(page["evaluations"]) < limit:
                break
            offset += limit
        self.assertEqual((sorted(seen), offset), (sorted(self.spans), 25))

    def test_every_filter(self):
        passed = self.evaluations(evaluation_result=True)
        self.assertEqual(passed["total"], sum(i % 10 >= 7 for i in range(25)))
        self.assertTrue(all(evaluation["score"] >= 7 for evaluation in passed["evaluations"]))
        self.assertEqual(self.evaluations(evaluation_result=False)["total"], 25 - passed["total"])
        self.assertEqual(self.evaluations(start_date="2020-01-01T00:00:00Z")["total"], 25)
        self.assertEqual(self.evaluations(end_date="2020-01-01T00:00:00Z")["total"], 0)

    def test_feedback_on_an_evaluation(self):
        span = self.spans[3]
        for _ in range(2):
            sent = ze.send_feedback(
                prompt_slug=f"judge-{uuid.UUID(self.judge['id']).hex}", completion_id=span, thumbs_up=False,
                judge_id=self.judge["id"], expected_score=9.0, score_direction="too_low",
                criteria_feedback={"clarity": {"expected_score": 8.5, "reason": "Clear enough"}})
        self.assertEqual(sent["criteria_feedback"], {"clarity": {"expected_score": 8.5, "reason": "Clear enough"}})
        with_feedback = self.evaluations(feedback_state="with_user_feedback")
        self.assertEqual([evaluation["span_id"] for evaluation in with_feedback["evaluations"]], [span])
        self.assertEqual(self.evaluations(feedback_state="without_user_feedback")["total"], 24)
        kinds = [(item["kind"], item.get("source_type")) for item in stack.feedback_on("span", span)["items"]]
        self.assertEqual(kinds, [("judge_evaluation", None), ("human_feedback", "judge")])

    def test_evaluations_of_a_span_and_criteria_of_a_judge(self):
        (evaluation,) = self.client.get_span_evaluations(stack.PROJECT, self.spans[8])["evaluations"]
        self.assertEqual(
            (evaluation["judge_name"], evaluation["score"], evaluation["evaluation_result"],
             evaluation["evaluation_reason"]), (self.judge["name"], 8, True, "Reason 8"))
        criteria = self.client.get_judge_criteria(stack.PROJECT, self.judge["id"])
        self.assertEqual(criteria, {
            "judge_id": self.judge["id"], "evaluation_type": "scored", "score_min": 0, "score_max": 10,
            "pass_threshold": 7,
            "criteria": [{"key": "clarity", "label": "Clarity", "description": "Is it clear?"}]})


if __name__ == "__main__":
    stack.main()
