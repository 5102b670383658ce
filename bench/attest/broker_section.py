# SPDX-License-Identifier: Apache-2.0
"""Section `broker` of bench/attest/run: releases end to end, over TLS, on two cores with the load."""

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from measuring import REPOSITORY

MODEL = REPOSITORY / "examples/fashion-mnist/fashion-cnn.onnx"
CLIENTS = 48
MEASUREMENT = "ab" * 32
COLUMNS = ("releases", "rate", "p50", "p99", "load_seconds", "making_seconds", "refused")
# releases a second, end to end
GOALS = {"simulated": 2500, "sev-snp": 700}
P99_GOAL = 20  # milliseconds at half load
SLOW_CONNECTIONS = 1000
WARM_RELEASES = 5000
MEMORY_GOAL = 1.05
MEMORY_READINGS = 20
MEMORY_PAUSE = 0.05  # seconds between two looks
GIVEN_BACK_AFTER = 5  # seconds after connections ended; the broker does it every second
LIMITS = {"connections": 8192, "connections_per_address": 8192, "handshakes_per_second": 100000,
          "handshake_burst": 100000, "requests_per_second": 1000000, "request_burst": 1000000,
          "in_flight": 4096, "in_flight_per_address": 4096}
SIMULATED_POLICY = """[[environment]]
tee = "simulated"
[environment.claims]
measurement = { accept = ["%s"] }
root = { accept = ["%s"] }
"""


class Broker:
    """A broker in a folder of its own with one bundle, and the load that asks it; none of them
    outlives `stack`."""

    def __init__(self, programs, folder, kind, stack):
        self.stack = stack
        self.tool, self.folder, self.kind = programs / "sealpack", folder, kind
        self._run("keygen", "authority", "--out", "vendor", "--no-passphrase", "-q")
        self._run("broker", "init", "--dir", "broker", "-q")
        self._configure()
        words = [str(programs / "broker_load")]
        if kind == "simulated":
            digest = json.loads(self._run("keygen", "simulated-root", "--out", "sim",
                                          "--no-passphrase", "--json").stdout)["digest"]
            (folder / "policy.toml").write_text(
                SIMULATED_POLICY % (MEASUREMENT, digest.removeprefix("sha256:")))
            words += ["simulated", "sim.key", MEASUREMENT]
        else:
            words += ["snp", "broker"]
        self.load = subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        stack.callback(self.load.kill)
        if self.load.stdout.readline().strip() != "prepared":
            raise SystemExit("bench: broker_load does not start")
        if kind != "simulated":
            self._run("policy", "init", "--from", "broker/evidence", "--endorsements",
                      "broker/endorsements", "--roots", "broker/roots.toml", "--out", "policy.toml")
        self._run("build", str(MODEL), "--out", "m.seal", "--signer", "vendor.key", "--to",
                  "broker/broker.pub", "--product", "bench", "--policy", "policy.toml", "-q")
        added = json.loads(self._run("broker", "add", "m.seal", "--dir", "broker", "--trust",
                                     "vendor.pub", "--json").stdout)
        self.digests = [added[name].removeprefix("sha256:")
                        for name in ("authority", "content", "release")]
        self._serve()

    def _run(self, *words):
        return subprocess.run([self.tool, *words], cwd=self.folder, check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def _configure(self):
        path = self.folder / "broker/broker.toml"
        text = path.read_text()
        for key, value in LIMITS.items():
            text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        if self.kind != "simulated":
            text = 'endorsements = "endorsements"\nroots = "roots.toml"\n' + text
            (self.folder / "broker/roots.toml").write_text('amd = ["ark.pem"]\n')
        path.write_text(text)

    def _serve(self):
        self.log = open(self.folder / "serve.log", "w+", encoding="utf-8")
        self.server = subprocess.Popen(
            [self.tool, "broker", "serve", "--dir", "broker", "--lab", "--listen", "127.0.0.1:0",
             "--admin", "127.0.0.1:0"], cwd=self.folder, stderr=self.log)
        self.stack.callback(self.server.kill)
        while self.server.poll() is None:
            text = pathlib.Path(self.log.name).read_text(encoding="utf-8")
            ready = re.search(r'"event":"ready","port":(\d+),"admin_port":(\d+)', text)
            if ready:
                self.port, self.admin_port = map(int, ready.groups())
                return
            time.sleep(0.02)
        raise SystemExit(f"bench: the broker does not start: {text}")

    def ask(self, seconds, rate=0, clients=CLIENTS):
        words = [f"https://127.0.0.1:{self.port}", "broker/tls.crt", "broker/grants.pub",
                 *self.digests, clients, seconds, rate]
        before = self._processor_seconds()
        self.load.stdin.write(" ".join(map(str, words)) + "\n")
        self.load.stdin.flush()
        row = dict(zip(COLUMNS, map(float, self.load.stdout.readline().split("\t")), strict=True))
        row["broker_seconds"] = self._processor_seconds() - before
        if row["refused"]:
            raise SystemExit("bench: the broker refused, so there is nothing to measure")
        return row

    def _processor_seconds(self):
        words = pathlib.Path(f"/proc/{self.server.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        pages = int(pathlib.Path(f"/proc/{self.server.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def close(self):
        self.load.stdin.close()
        self.load.wait()
        self.server.send_signal(signal.SIGTERM)
        if self.server.wait(timeout=60) != 0:
            raise SystemExit("bench: the broker did not end well")
        self.log.close()
        self._run("broker", "log", "verify", "--dir", "broker")


@contextlib.contextmanager
def slow_connections(port, count):
    """Clients that connect and say nothing."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    try:
        yield
    finally:
        for one in sockets:
            one.close()


def add_rows(table, name, row, half):
    load, making, broker = (row[key] / row["releases"] * 1e6
                            for key in ("load_seconds", "making_seconds", "broker_seconds"))
    table.at_least(f"{name}: releases end to end", f"{row['rate']:,.0f}/s",
                   f"{GOALS[name]:,}/s; processor time for each: broker {broker:.0f} µs, load "
                   f"{load:.0f} µs, {making:.0f} of them to make the request",
                   row["rate"] / GOALS[name], 1.0,
                   wall=True)
    table.at_most(f"{name}: p99 at half of that", half["p99"], "ms", P99_GOAL,
                  f"p50 {half['p50']:.1f} ms at {half['rate']:,.0f}/s", wall=True)


class HighestMemory:
    """Looks at the broker's resident memory all the time, under load and between."""

    def __init__(self, broker, stack):
        self.broker, self.looks, self.ends = broker, [], threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        stack.callback(self.end)

    def _look(self):
        while not self.ends.wait(MEMORY_PAUSE):
            self.looks.append(self.broker.resident())

    def end(self):
        self.ends.set()
        self.thread.join()

    def take(self):
        """The highest since this was asked last."""
        looks, self.looks = self.looks, []
        return max([*looks, self.broker.resident()])


def read_memory(broker, requests):
    """After the warm-up, and after each part of `requests` releases: how many there were, and the
    highest memory since the reading before. Prints them as they come."""
    part = requests / MEMORY_READINGS
    seconds = min(2, part / GOALS["simulated"])
    readings, asked, end = [], 0, WARM_RELEASES
    with contextlib.ExitStack() as stack:
        memory = HighestMemory(broker, stack)
        while len(readings) <= MEMORY_READINGS:  # however many releases that takes a fast machine
            rates = []
            while not rates or asked < end:
                row = broker.ask(seconds)
                asked += row["releases"]
                rates.append(row["rate"])
            readings.append((asked, memory.take()))
            end = readings[0][0] + len(readings) * part
            print(f"{asked:>12,.0f} releases  {readings[-1][1] / 2**20:7.2f} MiB  "
                  f"{statistics.mean(rates):,.0f}/s", file=sys.stderr)
    return readings


def line_through(readings):
    """Bytes that a release adds, and the standard error of that."""
    slope, start = statistics.linear_regression(*zip(*readings, strict=True))
    counts = [count for count, _ in readings]
    rest = sum((memory - start - slope * count) ** 2 for count, memory in readings)
    spread = statistics.pvariance(counts) * len(counts)
    return slope, (rest / (len(counts) - 2) / spread) ** 0.5


def measure_memory(broker, table, requests):
    """Resident memory while `requests` keys are given out."""
    readings = read_memory(broker, requests)
    (warm, first), (count, last) = readings[0], readings[-1]
    most = max(memory for _, memory in readings)
    table.at_most_times(f"broker: memory over {count - warm:,.0f} releases",
                        f"{most / 2**20:.1f} MiB at most, {last / 2**20:.1f} last",
                        f"{first / 2**20:.1f} MiB in the {warm:,.0f} before them",
                        most / first, MEMORY_GOAL)
    slope, error = line_through(readings)
    table.at_most_times(f"broker: the same by a line through {len(readings)} readings",
                        f"{slope:+.2f} ± {error:.2f} bytes a release", "flat",
                        1 + (slope + 2 * error) * (count - warm) / first, MEMORY_GOAL)
    return readings


def measure_slow_connections(broker, table, seconds, rate):
    before = broker.resident()
    with slow_connections(broker.port, SLOW_CONNECTIONS):
        slow = broker.ask(seconds, rate=rate)
        during = broker.resident()
    table.at_most(f"broker: p99 beside {SLOW_CONNECTIONS:,} connections that say nothing",
                  slow["p99"], "ms", P99_GOAL, f"at {slow['rate']:,.0f}/s", wall=True)
    time.sleep(GIVEN_BACK_AFTER)
    after = broker.resident()
    table.add(f"broker: memory {GIVEN_BACK_AFTER} s after them", f"{after / 2**20:.1f} MiB",
              f"{before / 2**20:.1f} MiB before, {during / 2**20:.1f} beside them",
              f"{after / before:.2f}")
    return {**slow, "memory": [before, during, after]}


def measure_kind(options, table, kind):
    seconds = 2 if options.quick else 10
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        broker = Broker(options.programs.resolve(), pathlib.Path(name), kind, stack)
        broker.ask(1)  # warm
        full = broker.ask(seconds)
        half = broker.ask(seconds, rate=full["rate"] / 2)
        add_rows(table, kind, full, half)
        figures = {"full": full, "half": half}
        if kind == "simulated":
            figures["memory"] = measure_memory(broker, table, options.requests)
            figures["slow"] = measure_slow_connections(broker, table, seconds, full["rate"] / 2)
        broker.close()
    return figures


def measure(options, table):
    return {kind: measure_kind(options, table, kind) for kind in GOALS}
