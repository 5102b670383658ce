#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`sealpack run --broker-files` before a second broker: what may lie in the folder instead of an answer."""

import os
import subprocess
import time
import unittest

from broker_stand_in_case import ONE, HostileBroker

import broker_messages as m
from broker_stand_in import refusal
from edited_bundle import put
from sealpack_case import IO, KEY_UNAVAILABLE, LIMIT, MALFORMED, NOT_AUTHENTIC, OK, REFUSED, TOOL, Run


class HostileFiles(HostileBroker):
    def exchange(self, challenge, grant):
        """A run whose requests are answered by challenge(path, request) and grant(path, request), which write the file."""
        number = next(self.numbers)
        usb, output = self.folder / f"usb{number}", self.folder / f"y{number}.npy"
        usb.mkdir()
        command = [TOOL, "run", "a.seal", "--trust", "vendor.pub", "--broker-files", usb.name,
                   "--broker-key", "broker/grants.pub", "--evidence-key", "sim.key", "--tee-memory", "16MiB",
                   "--input", "x.npy", "--output", output.name]
        site = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            for kind, answer, wanted in (("challenge-request", challenge, "challenge"), ("release-request", grant, "grant")):
                request = self.wait_for(site, usb, kind)
                if request:
                    answer(request.with_suffix("." + wanted), m.from_file(request.read_bytes())[1])
            _, err = site.communicate(timeout=300)
        finally:
            site.kill()
            site.wait()
        self.assertEqual(output.exists(), site.returncode == OK, err)
        return Run(subprocess.CompletedProcess(command, site.returncode, "", err))

    @staticmethod
    def wait_for(site, usb, kind):
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and site.poll() is None:
            found = list(usb.glob(f"exchange-*.{kind}"))
            if found:
                return found[0]
            time.sleep(0.01)
        return None

    @staticmethod
    def writing(content):
        """content(request) appears as a whole, as somebody's copy does."""
        def write(path, request):
            path.with_suffix(".part").write_bytes(content(request))
            path.with_suffix(".part").rename(path)
        return write

    def honest(self):
        return (self.writing(lambda request: m.to_file("challenge", self.broker.challenge(request))),
                self.writing(lambda request: m.to_file("grant", self.broker.release(request))))

    def refuse_files(self, status, pattern, challenge=None, grant=None):
        honest = self.honest()
        run = self.exchange(challenge or honest[0], grant or honest[1])
        self.assertEqual(run.status, status, run.err)
        self.assertRegex(run.err, pattern)

    def test_a_second_broker_answers_in_files(self):
        run = self.exchange(*self.honest())
        self.assertEqual(run.status, OK, run.err)

    def test_files_that_are_no_answer(self):
        cases = (("nothing", b"", MALFORMED),
                 ("noise", ONE * 99, MALFORMED),
                 ("a word cut short", b"sealpack broker chal", MALFORMED),
                 ("an unknown kind", m.to_file("gift", ONE), MALFORMED),
                 ("another kind", m.to_file("grant", ONE), MALFORMED),
                 ("a request", m.to_file("challenge-request", ONE), MALFORMED),
                 ("a refusal that is none", m.to_file("refusal", ONE * 9), MALFORMED))
        self.all_at_once(lambda what, data, status: self.refuse_files(
            status, "sealpack: error", challenge=self.writing(lambda request: data)), cases)

    def test_things_that_are_no_files(self):
        cases = (("a folder", lambda path, request: path.mkdir(), IO), ("a pipe", lambda path, request: os.mkfifo(path), IO),
                 ("a device", lambda path, request: path.symlink_to("/dev/zero"), IO),
                 ("too large", lambda path, request: (path.touch(), os.truncate(path, 2**34)), LIMIT))
        self.all_at_once(lambda what, make, status: self.refuse_files(status, "sealpack: error", challenge=make), cases)

    def test_grants_in_files_are_judged_as_over_the_network(self):
        def changed(change):
            return self.writing(lambda request: m.to_file("grant", change(self.broker.release(request))))

        self.refuse_files(MALFORMED, "signature", grant=changed(lambda grant: grant[:-1]))
        self.refuse_files(NOT_AUTHENTIC, "not-authentic", grant=changed(lambda grant: put(grant, 2)))
        no = m.to_file("refusal", refusal(REFUSED, ("broker.tee", "no")))
        self.refuse_files(REFUSED, "broker.tee", grant=self.writing(lambda request: no))
        earlier = []
        honest = self.honest()
        keep = changed(lambda grant: earlier.append(grant) or grant)
        self.assertEqual(self.exchange(honest[0], keep).status, OK)
        self.refuse_files(KEY_UNAVAILABLE, "key-unavailable", grant=changed(lambda grant: earlier[0]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
