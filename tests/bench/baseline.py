"""What pgbench runs beside the product: its statements for one row, made of what it has really sent to the database, so
that they have its columns, its conflict rule and what it returns, also when these change."""

import json
import re

from database import Refused

# A UUID needs 32 hexadecimal digits, and pgbench has whole numbers and no text, so one is made of two numbers of 16
# digits.
# Time comes first, as in the product's own ids: rows with later ids lie behind those with earlier ones.
OWN_ID = "(:place || :noise)::uuid"
# As random as what the product makes of a caller's text.
FOREIGN_ID = "(:target || :noise)::uuid"
NEW_NUMBERS = r"""\set turn :turn + 1
\set place :first + :turn * 1000 + :client_id
\set noise random(1000000000000000, 9999999999999999)
\set target random(1000000000000000, 9999999999999999)
"""
HOT_NUMBERS = r"""\set turn :turn + 1
\set place :first + :turn * 1000 + :client_id
\set noise random(1000000000000000, 9999999999999999)
\set key random(1, :keys)
\set target 1000000000000000 + abs(hash_murmur2(:key)) % 1000000000000000
"""
HOT_ID = "(:target || :target)::uuid"


def numbers_of_run(number):
    """Variables that set one run's ids behind those of earlier runs."""
    return {"turn": 0, "first": 10**15 + number * 10**12}


def _upsert_parts(sql):
    """Of the product's statement: the columns that it inserts, and what follows its source."""
    columns = re.search(r"insert into feedback as f\s*\(([^)]*)\)", sql)
    rest = re.search(r"on conflict \(project_id, target_type.*", sql, re.DOTALL)
    if not columns or not rest:
        raise Refused("the product's statement for feedback is another one than tests/bench/baseline.py knows")
    return [column.strip() for column in columns[1].split(",")], rest[0]


def _values(database, columns, stored, own):
    """For each column an expression: of `own` where that has it, else what the stored row has, as a parameter. Returns the
    expressions and the parameters."""
    types = database.object(
        "select json_object_agg(attname, format_type(atttypid, atttypmod)) as types from pg_attribute"
        " where attrelid = 'feedback'::regclass and attnum > 0 and not attisdropped")["types"]
    expressions, variables = [], {}
    for column in columns:
        value = stored[column]
        if column in own:
            expressions.append(f"{own[column]}::{types[column]}")
        elif value is None:
            expressions.append(f"null::{types[column]}")
        else:
            expressions.append(f":{column}::{types[column]}")
            variables[column] = value if isinstance(value, str) else json.dumps(value)
    return expressions, variables


def upsert(database, sql, stored, *, hot_keys=None):
    """One vote as the product's statement stores it, on a new target, or on one of so many. `stored` is a row of the
    product's. Returns a script and its variables."""
    columns, rest = _upsert_parts(sql)
    own = {"id": OWN_ID, "target_id": HOT_ID if hot_keys else FOREIGN_ID,
           "target_text": ":key" if hot_keys else ":target", "created_at": "now()", "updated_at": "now()"}
    expressions, variables = _values(database, columns, stored, own)
    if hot_keys:
        variables["keys"] = hot_keys
    return (f"{HOT_NUMBERS if hot_keys else NEW_NUMBERS}"
            f"insert into feedback as f ({', '.join(columns)})\nvalues ({', '.join(expressions)})\n{rest};\n", variables)


def claim_and_upsert(database, sql, stored, claim):
    """One redemption: the claim of a token and its feedback in one statement. `claim` is a row of `redemption`."""
    columns, rest = _upsert_parts(sql)
    own = {"id": OWN_ID, "target_id": FOREIGN_ID, "target_text": ":target", "rater_id": OWN_ID,
           "submitted_by": OWN_ID, "created_at": "now()", "updated_at": "now()"}
    expressions, variables = _values(database, columns, stored, own)
    script = f"""{NEW_NUMBERS}with claim as (
  insert into redemption (project_id, jti, state, fp, exp, at)
  select p.id, {OWN_ID}, 1, :fp::bytea, :exp::timestamptz, now()
    from project p
   where p.id = :project_id::uuid and :exp::timestamptz > now() and now() >= p.tokens_valid_after
  on conflict do nothing
  returning 1)
insert into feedback as f ({', '.join(columns)})
select {', '.join(expressions)} from claim
{rest};
"""
    return script, {**variables, "fp": claim["fp"], "exp": claim["exp"]}


def read(sql, parameters, key, expression):
    """The product's statement as it is, with `expression` in the place of the parameter that was `key`. What was NULL is
    written so, as pgbench has no parameter for it: the planner may leave out what then means nothing, to the good of
    PostgreSQL."""
    variables = {}

    def replace(match):
        number = int(match[1])
        value = parameters[number]
        if value == key:
            return f"({expression})"
        if value is None:
            return "null"
        variables[f"p{number}"] = value
        return f":p{number}"

    return re.sub(r"\$(\d+)", replace, sql) + ";\n", variables
