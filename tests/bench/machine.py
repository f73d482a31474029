"""What processes have cost, as Linux counts it, and what the machine is."""

import os
import pathlib
import platform
import time

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields of /proc/PID/stat behind the name, which may hold blanks."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return text.rpartition(")")[2].split()


def own_seconds(pid):
    user, system = _stat(pid)[11:13]
    return (int(user) + int(system)) / TICKS


def tree_seconds(pid):
    """With all children of the process: those that have ended, and those that run."""
    seconds = sum(int(ticks) for ticks in _stat(pid)[11:15]) / TICKS
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        try:
            seconds += own_seconds(child)
        except FileNotFoundError:  # it ended just now
            pass
    return seconds


def busy_seconds():
    """Of all processors, whoever used them."""
    user, nice, system, _, _, interrupts, softirqs, stolen = (
        int(ticks) for ticks in pathlib.Path("/proc/stat").read_text(encoding="ascii").split()[1:9])
    return (user + nice + system + interrupts + softirqs + stolen) / TICKS


class Processes:
    """The processes whose cost is shown, by name. PostgreSQL is its postmaster and all that it has started; `other` is what
    the rest of the machine used meanwhile: much of it, and something else was running."""

    def __init__(self, pids, postmaster=None):
        self.pids = pids
        self.postmaster = postmaster

    def cpu_seconds(self):
        seconds = {name: own_seconds(pid) for name, pid in self.pids.items()}
        if self.postmaster is not None:
            seconds["postgres"] = tree_seconds(self.postmaster)
        return {**seconds, "other": busy_seconds() - sum(seconds.values())}

    def beside(self, name, pid):
        return Processes({**self.pids, name: pid}, self.postmaster)


class Usage:
    """CPU seconds a second of each process, between start() and stop()."""

    def __init__(self, processes):
        self._processes = processes

    def start(self):
        self._since, self._before = time.monotonic(), self._processes.cpu_seconds()

    def stop(self):
        elapsed, after = time.monotonic() - self._since, self._processes.cpu_seconds()
        # `other` is a difference of counts of ticks, and may come out as a little less than nothing.
        return {name: max(0.0, after[name] - before) / elapsed for name, before in self._before.items()}


def memory_kib(pid, field):
    """VmRSS (now) or VmHWM (the most since reset_peak)."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no {field}")


def reset_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def description():
    model = platform.machine()
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}"
