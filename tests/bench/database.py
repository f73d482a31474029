"""A database of the private cluster, as its superuser sees it, through psql."""

import json
import re
import subprocess
import time

ENTRY = re.compile(
    r"^\S+ \S+ UTC \[\d+\] LOG:  execute (?P<name>\w+): (?P<sql>.*\n(?:\t.*\n)*)"
    r"(?:\S+ \S+ UTC \[\d+\] DETAIL:  parameters: (?P<parameters>.*\n(?:\t.*\n)*))?",
    re.MULTILINE,
)


class Refused(Exception):
    """There is no result to report."""


def executed(log, name):
    """The last execution of a prepared statement in a server's log: its text, and its parameters by number, None for NULL.
    None when there is none."""
    found = [entry for entry in ENTRY.finditer(log) if entry["name"] == name]
    if not found:
        return None
    parameters = {
        int(number): None if value == "NULL" else value[1:-1].replace("''", "'")
        for number, value in re.findall(r"\$(\d+) = (NULL|'(?:[^']|'')*')", found[-1]["parameters"] or "")
    }
    return found[-1]["sql"].replace("\n\t", "\n").strip(), parameters


class Database:
    """`dsn` is a connection string of keywords and values (tests/support/database.cc)."""

    def __init__(self, dsn, name=None):
        values = dict(re.findall(r"(\w+)='?([^ ']+)'?", dsn))
        self.host, self.port, self.passfile = values["host"], values["port"], values["passfile"]
        self.name = name or values["dbname"]

    def sql(self, text, name=None):
        """Runs SQL and returns what it printed: a line a row."""
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.host, "-p", self.port, "-U", "postgres"]
        finished = subprocess.run(
            [*command, name or self.name], input=text, capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin", "PGPASSFILE": self.passfile}, check=False,
        )
        if finished.returncode != 0:
            raise Refused(f"psql: {finished.stderr.strip()}")
        return finished.stdout.strip()

    def number(self, text):
        return int(self.sql(text))

    def object(self, text):
        """The one row of a query."""
        return json.loads(self.sql(f"select row_to_json(r) from ({text}) r"))

    def copy_from_template(self, name):
        """A new database of the same cluster with the same schema."""
        self.sql(f"create database {name} template verdict_template owner verdict_owner", name="postgres")
        return Database(f"host={self.host} port={self.port} passfile={self.passfile}", name)

    def postmaster(self):
        return self.number(
            "select split_part(pg_read_file(current_setting('data_directory') || '/postmaster.pid'), E'\\n', 1)")

    def statement(self, name, provoke):
        """The prepared statement `name` as a service has just sent it, when provoke() makes it do so: text and parameters.
        What the server itself logs cannot differ from what the product does."""
        log = "current_setting('data_directory') || '/../log'"
        begin = self.number(f"select size from pg_stat_file({log})")
        self.sql("alter system set log_statement = 'all'")
        self.sql("select pg_reload_conf()")
        try:
            for _ in range(50):  # a connection reads the setting before its next statement, once it has the signal
                provoke()
                text = self.sql(f"select pg_read_file({log}, {begin}, 16 << 20)")
                if found := executed(text + "\n", name):
                    return found
                time.sleep(0.1)
        finally:
            self.sql("alter system reset log_statement")
            self.sql("select pg_reload_conf()")
        raise Refused(f"no service has executed a prepared statement called {name}")
