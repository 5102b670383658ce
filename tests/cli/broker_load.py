# SPDX-License-Identifier: Apache-2.0
"""Many TEEs at once, and what the broker's log says of them (tests/keymgmt/broker/broker_clients.cc)."""

import http.client
import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request

CLIENTS = os.environ.get("BROKER_CLIENTS")
PAGE = 256
NONCE = b"\x28\x01\x32\x20"  # of an entry: field 5 is the network, field 6 is this


class Load:
    """Asks from now on until `finish`."""

    def __init__(self, case, url, clients=4):
        release = case.broker("list", "--json").json()["releases"][0]
        digests = [release[name].removeprefix("sha256:")
                   for name in ("authority", "content", "release")]
        self.process = subprocess.Popen(
            [CLIENTS, url, "broker/tls.crt", "broker/grants.pub", *digests, "sim.key",
             case.measurement, str(clients)],
            cwd=case.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.process.wait)
        case.addCleanup(self.process.kill)

    def finish(self):
        """[(hash of the nonce, what came of the request, and of the same request again)]"""
        lines, _ = self.process.communicate(timeout=600)
        if self.process.returncode != 0:
            raise AssertionError(f"broker_clients ended with {self.process.returncode}")
        return [tuple(line.split()) for line in lines.splitlines()]


def outcomes(asked):
    return [outcome for _, *both in asked for outcome in both]


class LogReader:
    """The log as everybody may read it, over HTTPS."""

    def __init__(self, folder, url):
        self.url = url
        self.context = ssl.create_default_context(cafile=str(folder / "broker/tls.crt"))

    def get(self, path):
        """What a broker answers; another one, where the first is being killed."""
        deadline = time.monotonic() + 300
        while True:
            try:
                with urllib.request.urlopen(self.url + path, context=self.context,
                                            timeout=60) as answer:
                    return answer.read().decode()
            except urllib.error.HTTPError as failure:
                failure.close()
                if failure.code != 503 or time.monotonic() > deadline:
                    raise
            except (OSError, http.client.HTTPException) as failure:
                if time.monotonic() > deadline:
                    raise AssertionError(f"no broker answers at {self.url}") from failure
            time.sleep(0.1)

    def size(self):
        return int(self.get("/v1/log/checkpoint").splitlines()[1])

    def wait_for_more(self, count):
        """Until the log has so many entries more, whichever broker tells of it."""
        deadline = time.monotonic() + 600
        wanted = self.size() + count
        while self.size() < wanted:
            if time.monotonic() > deadline:
                raise AssertionError(f"the log does not grow to {wanted} entries")
            time.sleep(0.1)

    def entries(self):
        """All entries, serialized. Of now: a checkpoint is up to a second old."""
        found = []
        while True:
            page = json.loads(self.get(f"/v1/log/entries?start={len(found)}"
                                       f"&end={len(found) + PAGE}"))["entries"]
            if not page:
                return found
            found += map(bytes.fromhex, page)


def check_against_log(case, asked, entries):
    """Every key that a client has is in the log, once; no challenge was answered twice."""
    kinds = [entry["kind"] for entry in
             case.broker("log show", "--json", "--count", "1000000").json()]
    case.assertEqual(len(kinds), len(entries))
    answered = {}
    for kind, entry in zip(kinds, entries):
        if kind in ("grant", "refusal"):
            place = entry.index(NONCE) + len(NONCE)
            answered.setdefault(entry[place:place + 32].hex(), []).append(kind)
    for nonce, *both in asked:
        case.assertLessEqual(both.count("grant"), 1, "one challenge brought two keys")
        found = answered.get(nonce, [])
        case.assertLessEqual(len(found), 1, "one challenge was answered twice")
        if "grant" in both:
            case.assertEqual(found, ["grant"], "a key is not in the log")
    case.broker("log verify")
