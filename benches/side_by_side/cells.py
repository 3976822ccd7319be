"""Single measurements: throughput with the proxy's CPU time, and memory of idle clients."""

import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

from .client import Client
from .servers import HOST, give_up, note

# Seconds at the start of every cell that are not counted: connections are made, fresh server processes
# fault their memory in, which a pooler's reused ones need not.
SETTLE = 1

# So long one target's client runs, seconds, before it stands still and the next one's does: shorter than the machine's moods, and long
# beside what it has asked for when it is stopped, which the next one's time pays for.
SLICE = 0.25


def cpu_seconds(pid):
    """CPU time of a process with all its threads: clock_getcpuclockid(3) without the C call."""
    return time.clock_gettime((~pid) << 3 | 2)


def resident_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) * 1024


def measure(servers, target, command, duration):
    """Transactions per second and CPU of the proxy for each (µs), by the progress that `command` says; its first and
    its last second do not count."""
    process = subprocess.Popen(command, env=servers.environment(target), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: os.sched_setaffinity(0, servers.cores))
    pid, said, marks = servers.pids.get(target), [], []
    try:
        for line in process.stderr:
            progress = re.match(r"progress: ([\d.]+) s, ([\d.]+) tps", line)
            if not progress:
                said.append(line)
                continue
            marks.append((float(progress.group(1)), float(progress.group(2)), cpu_seconds(pid) if pid else 0.0))
        process.wait(30)
    finally:
        process.kill()
        process.wait()
    counted = [mark for mark in marks if mark[0] >= SETTLE - 0.1][:duration + 1]
    said = "".join(said)
    if process.returncode or "aborted" in said or len(counted) < 2:
        give_up(f"{' '.join(map(str, command))} on {target} failed:\n{said[-1500:]}")
    (begin, _, cpu_before), (end, _, cpu_after) = counted[0], counted[-1]
    spans = [later[0] - earlier[0] for earlier, later in zip(counted, counted[1:])]
    done = sum(mark[1] * span for mark, span in zip(counted[1:], spans))
    return done / (end - begin), (cpu_after - cpu_before) / max(1.0, done) * 1e6


class Runner:
    """A client of a target that is let run for slices of time, and stands still in between."""

    def __init__(self, servers, target, command):
        self.command, self.target, self.pid = command, target, servers.pids.get(target)
        self.ran = 0.0
        self.process = subprocess.Popen(command, env=servers.environment(target), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        preexec_fn=lambda: os.sched_setaffinity(0, servers.cores))

    def settle(self):
        """Waits for the first progress, which does not count."""
        said = []
        for line in self.process.stderr:
            progress = re.match(r"progress: ([\d.]+) s, ([\d.]+) tps", line)
            if progress:
                self.process.send_signal(signal.SIGSTOP)
                self.uncounted = float(progress.group(1)) * float(progress.group(2))
                self.cpu = cpu_seconds(self.pid) if self.pid else 0.0
                return
            said.append(line)
        give_up(f"{' '.join(map(str, self.command))} on {self.target} failed:\n{''.join(said)[-1500:]}")

    def run(self):
        begun = time.monotonic()
        self.process.send_signal(signal.SIGCONT)
        time.sleep(SLICE)
        self.process.send_signal(signal.SIGSTOP)
        self.ran += time.monotonic() - begun

    def end(self):
        """As at the end of its time. Gives transactions per second, and CPU of the proxy for each (µs)."""
        cpu = cpu_seconds(self.pid) - self.cpu if self.pid else 0.0
        self.process.send_signal(signal.SIGALRM)
        self.process.send_signal(signal.SIGCONT)
        said, errors = self.process.communicate(timeout=30)
        processed = re.search(r"transactions actually processed: (\d+)", said)
        if self.process.returncode or "aborted" in errors or not processed:
            give_up(f"{' '.join(map(str, self.command))} on {self.target} failed:\n{errors[-1500:]}")
        done = int(processed.group(1)) - self.uncounted
        return done / self.ran, cpu / max(1.0, done) * 1e6

    def kill(self):
        self.process.kill()
        self.process.wait()


def in_slices(servers, order, make, duration):
    """What `measure` gives, for each of these targets, of clients that run in turns until each has run for so many seconds."""
    slices = max(1, round(duration / SLICE))
    runners = []
    try:
        for target in order:
            # They end when they are told to.
            runners.append(Runner(servers, target, make((SETTLE + duration) * 10 * len(order))))
            runners[-1].settle()
        for number in range(slices):
            for runner in runners if number % 2 else reversed(runners):
                runner.run()
        return {runner.target: runner.end() for runner in runners}
    finally:
        for runner in runners:
            runner.kill()


def label(target):
    """What it is called in the tables: of two holdpoints that differ in their policy, one takes part in each workload."""
    return "holdpoint" if target == "holdpoint, all allowed" else target


def run(servers, workloads, rounds, duration):
    """Per workload and target: the cells."""
    results = {}
    for name, writes, make in workloads:
        left_out = ["holdpoint", "holdpoint, recording", "holdpoint, before"] if writes else ["holdpoint, all allowed"]
        targets = [target for target in servers.targets if target not in left_out]
        cells = results[name] = {label(target): [] for target in targets}
        for number in range(rounds):
            turn = number % len(targets)
            order = targets[turn:] + targets[:turn]
            if number % 2:
                order.reverse()
            if writes:
                # One that stood still would keep its locks.
                done = {target: measure(servers, target, make(SETTLE + duration + 1), duration) for target in order}
            else:
                done = in_slices(servers, order, make, duration)
            for target, cell in done.items():
                cells[label(target)].append(cell)
        note(f"{name}: " + ", ".join(f"{t} {statistics.median(c[0] for c in cs):,.1f}" for t, cs in cells.items()))
    return results


def idle(servers, clients):
    """Bytes of the proxy for each idle client: after its login, and after a query of each."""
    results = {}
    for target in servers.targets:
        pid = servers.pids.get(target)
        if not pid or target.startswith("holdpoint,"):
            continue
        sessions = []
        first = Client(HOST, servers.ports[target], "bench", servers.password_for(target), "bench")
        first.query("SELECT 1")
        before = resident_bytes(pid)
        try:
            for _ in range(clients):
                sessions.append(Client(HOST, servers.ports[target], "bench", servers.password_for(target), "bench"))
            after_login = resident_bytes(pid)
            for session in sessions:
                session.query("SELECT 1")
            after_query = resident_bytes(pid)
        finally:
            for session in [*sessions, first]:
                session.close()
        results[target] = [(after - before) / clients for after in (after_login, after_query)]
        note(f"idle clients, {target}: " + " / ".join(f"{size:,.0f} B" for size in results[target]))
    return results


def drain(statement):
    """A command that repeats a statement and throws the answers away."""
    return lambda seconds: [sys.executable, str(pathlib.Path(__file__).with_name("client.py")), str(seconds), statement]
