"""Rows as the product would have written them, made in the database itself: loading is not what is measured."""

# Ids of spans and sessions that hold only decimal digits, which pgbench can make as well.
SPAN_PREFIX, SESSION_ID, BIG_SPAN_ID = "1000000000000001", "2" * 32, "3" * 32


def uuid_text(digits):
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def span_id(number):
    """An SQL expression."""
    return f"('{SPAN_PREFIX}' || (1000000000000000 + {number}))::uuid"


def items(project_id, key_id, judge_id, rows, *, feedback, evaluations):
    """SQL that makes so many items of each kind on each span of `rows`, a query of span_id, trace_id, session_id."""
    place = "s.span_id, s.span_id::text, s.trace_id, s.session_id, now(), now()"
    return f"""
insert into feedback (project_id, id, target_type, rater_kind, rater_id, rater_name, thumbs_up, reason, via, submitted_by,
                      target_id, target_text, trace_id, session_id, created_at, updated_at)
select '{project_id}', gen_random_uuid(), 1, 1, 'user-' || r, 'User ' || r, r % 2 = 0, 'Response was too vague', 1,
       '{key_id}', {place}
  from ({rows}) s, generate_series(1, {feedback}) r;
insert into evaluation (project_id, id, client_id, judge_id, evaluation_type, evaluation_result, evaluation_reason,
                        confidence_score, model_used, evaluation_duration_ms, submitted_by,
                        span_id, span_text, trace_id, session_id, created_at, updated_at)
select '{project_id}', e.id, e.id, '{judge_id}', 1, true, 'Answers what was asked', 0.9, 'a-model', 800, '{key_id}', {place}
  from (select s.*, gen_random_uuid() as id from ({rows}) s, generate_series(1, {evaluations})) e
  cross join lateral (select e.span_id, e.trace_id, e.session_id) s;
"""


def spans(project_id, rows):
    """SQL that makes the spans of `rows`, a query of span_id, trace_id, session_id, and their traces."""
    return f"""
insert into span (project_id, span_id, trace_id, name, kind, started_at, ended_at, session_id)
select '{project_id}', s.span_id, s.trace_id, 'answer', 'llm', now(), now(), s.session_id from ({rows}) s;
insert into trace (project_id, trace_id, started_at, session_id)
select distinct on (s.trace_id) '{project_id}'::uuid, s.trace_id, now(), s.session_id from ({rows}) s;
"""


def many_spans(count):
    """A query of so many spans in traces of ten."""
    return (f"select {span_id('n')} as span_id, ('4000000000000000' || (1000000000000000 + n / 10))::uuid as trace_id,"
            f" null::uuid as session_id from generate_series(1, {count}) n")


def session_spans(count):
    """A query of the so many spans of one session, in traces of a hundred."""
    return (f"select ('5000000000000000' || (1000000000000000 + n))::uuid as span_id,"
            f" ('6000000000000000' || (1000000000000000 + n / 100))::uuid as trace_id,"
            f" '{SESSION_ID}'::uuid as session_id from generate_series(1, {count}) n")


def one_span(identifier=BIG_SPAN_ID):
    return f"select '{identifier}'::uuid as span_id, '{identifier}'::uuid as trace_id, null::uuid as session_id"


def old_feedback(project_id, key_id, first, last):
    """SQL that makes spans first + 1 to last with two pieces of feedback each. Their ids are as random as ids of callers
    are; sorted here, so that loading is quick."""
    rows = (f"select md5(n::text)::uuid as span_id, ('8000000000000000' || (1000000000000000 + (n - 1) / 10))::uuid as trace_id,"
            f" null::uuid as session_id, n from generate_series({first + 1}, {last}) n order by 1")
    return spans(project_id, rows) + f"""
insert into feedback (project_id, id, target_type, rater_kind, rater_id, thumbs_up, reason, expected_output, via,
                      submitted_by, target_id, target_text, trace_id, created_at, updated_at)
select '{project_id}', ('9' || r || '00000000000000' || (1000000000000000 + s.n))::uuid, 1, 1, 'user-' || s.n % 1000 || r,
       true, 'Response was too vague', 'Should provide specific steps', 1, '{key_id}', s.span_id, s.span_id::text,
       s.trace_id, at.at, at.at
  from ({rows}) s, generate_series(1, 2) r, lateral (select now() - s.n * interval '1 second' as at) at;
"""
