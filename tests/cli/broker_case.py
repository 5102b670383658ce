# SPDX-License-Identifier: Apache-2.0
"""What the tests of `sealpack broker` share: a folder with a broker in it, a network whose policy
names the simulated TEE of this build, and a server that runs."""

import base64
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

from run_case import RunCase
from sealpack_case import TOOL

POLICY = """
[[environment]]
tee = "simulated"
[environment.claims]
measurement = { accept = ["%s"] }
root = { accept = ["%s"] }
"""
# A machine that is slow or busy keeps within them; none of them is what a test waits for.
PATIENCE = {"network_seconds": 120, "handshake_seconds": 60, "request_seconds": 300, "answer_seconds": 300,
            "idle_seconds": 300, "shutdown_seconds": 300}


def configure(folder, **lines):
    """Gives values to lines of a broker's configuration that are there."""
    path = folder / "broker.toml"
    text = path.read_text()
    for name, value in lines.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert count == 1, name
    path.write_text(text)


class Server:
    """`sealpack broker serve`, on ports of its own unless they are given."""

    def __init__(self, folder, *more, broker="broker", listen="127.0.0.1:0", admin="127.0.0.1:0",
                 log="serve.log", lab=True):
        self.log = open(folder / log, "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [TOOL, "broker", "serve", "--dir", broker, "--listen", listen, "--admin", admin or "none",
             *(("--lab",) if lab else ()), *more],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log)
        try:
            ready = self.wait_for("ready")
        except AssertionError:
            self.stop(signal.SIGKILL)
            raise
        self.port, self.admin_port = ready["port"], ready["admin_port"]
        self.url = f"https://127.0.0.1:{self.port}"

    def text(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text(encoding="utf-8")

    def events(self):
        return [json.loads(line) for line in self.text().splitlines(True)
                if line.startswith("{") and line.endswith("\n")]

    def wait_for(self, name, count=1):
        """Until there were so many events of this name; gives the last one."""
        deadline = time.monotonic() + 300
        while True:
            over = self.process.poll() is not None or time.monotonic() > deadline
            found = [event for event in self.events() if event["event"] == name]
            if len(found) >= count:
                return found[-1]
            if over:
                raise AssertionError(f"no event {name}: {self.text()}")
            time.sleep(0.02)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(timeout=600)
        self.log.close()
        return status


class BrokerCase(RunCase):
    """A broker, its keys, and `a.seal`, which opens in the simulated TEE of this build alone."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        made = cls.folder

        def tool(*arguments):
            run = cls.run_in(made, *arguments)
            if run.status != 0:
                raise AssertionError(f"{arguments}: {run.err}")
            return run

        tool("broker", "init", "--dir", "broker", "-q")
        configure(made / "broker", **PATIENCE)
        tool("keygen", "simulated-root", "--out", "sim", "--no-passphrase", "-q")
        cls.root = cls.digest_of(made / "sim.pub")
        cls.measurement = cls.measure(tool)
        (made / "sim.toml").write_text(POLICY % (cls.measurement, cls.root))
        cls.build_release(tool, "a.seal", 100)
        tool("broker", "add", "a.seal", "--dir", "broker", "--trust", "vendor.pub", "-q")

    @staticmethod
    def digest_of(path):
        """SHA-256 of the SubjectPublicKeyInfo in a .pub file."""
        block = re.search("-----BEGIN PUBLIC KEY-----(.*)-----END", path.read_text(), re.S)
        return hashlib.sha256(base64.b64decode("".join(block.group(1).split()))).hexdigest()

    @staticmethod
    def measure(tool, *more):
        return json.loads(tool("run", "--measure", "--json", "--trust", "vendor.pub",
                               "--broker-key", "broker/grants.pub", "--tee-memory", "16MiB",
                               *more).out)["measurement"]

    @staticmethod
    def build_release(tool, name, counter):
        tool("build", "net.onnx", "--out", name, "--signer", "vendor.key", "--to",
             "broker/broker.pub", "--product", "acme/clothes", "--counter", str(counter),
             "--policy", "sim.toml", "-q")

    def setUp(self):
        super().setUp()
        os.chmod(self.folder / "broker", 0o700)
        self.servers = []
        self.addCleanup(lambda: [server.stop(signal.SIGKILL) for server in self.servers])

    def serve(self, *more, **options):
        server = Server(self.folder, *more, **options)
        self.servers.append(server)
        return server

    def stop(self, server, how=signal.SIGTERM):
        self.servers.remove(server)
        return server.stop(how)

    def broker(self, verb, *arguments):
        return self.succeed("broker", *verb.split(), "--dir", "broker", *arguments)

    @staticmethod
    def asking(server, *more, bundle="a.seal", memory="16MiB", output="y.npy"):
        """The command that runs a bundle with a key of the broker."""
        return ("run", bundle, "--trust", "vendor.pub", "--broker", server.url, "--broker-key",
                "broker/grants.pub", "--broker-ca", "broker/tls.crt", "--evidence-key", "sim.key",
                "--tee-memory", memory, "--input", "x.npy", "--output", output, "--force", *more)
