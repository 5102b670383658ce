#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A sealed model on a machine that proves what it booted: once to a broker, once to its own TPM.

Makes a vendor, a device in QEMU with a TPM (swtpm), and boots the device four times: to see what
it measures; as it should be, where it gets the key from a broker and then offline; with a changed
initramfs; and with a changed command line."""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

import machine

sys.path.insert(0, str(machine.HERE.parents[1] / "tests" / "cli"))
from software_tpm import SoftwareTpm  # noqa: E402

DEADLINES = {"network_seconds": 120, "handshake_seconds": 60, "request_seconds": 300, "answer_seconds": 300}
MODEL = machine.HERE.parent / "fashion-mnist" / "fashion-cnn.onnx"
SKIPPED = 77
REFUSED = 13
POLICY = """
[[environment]]
tee = "tpm"
[environment.claims]
ek_name = { ignore = "every device of the product" }
pcr_selection = { accept = ["950200"] }
pcr_digest = { accept = ["%s"] }
"""


def say(text):
    print(text, flush=True)


class Vendor:
    """Keys, bundles and boot policies; the tool runs in its folder."""

    def __init__(self, tool, folder):
        self.tool, self.folder = tool, pathlib.Path(folder)
        for role, name in (("authority", "vendor"), ("grantor", "grantor"), ("device", "product")):
            kind = [] if role == "authority" else ["--type", "p256"]
            self.run("keygen", role, *kind, "--out", name, "--no-passphrase")

    def run(self, *arguments):
        done = subprocess.run([self.tool, *map(str, arguments)], cwd=self.folder, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"sealpack {arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def sign(self, verb, *arguments):
        self.run("provision", verb, *arguments, "--grantor", "grantor.key", "--authority",
                 "vendor.pub", "--product", "fashion", "--force")


class Broker:
    """A broker on this host, as the machine's network shows it."""

    def __init__(self, vendor):
        self.vendor, self.log = vendor, vendor.folder / "serve.log"
        vendor.run("broker", "init", "--dir", "broker", "--listen", "127.0.0.1:0", "--admin", "none",
                   "--name", "10.0.2.2", "--name", "127.0.0.1")
        # An emulated machine on a busy host takes its time.
        config = vendor.folder / "broker" / "broker.toml"
        text = config.read_text()
        for name, seconds in DEADLINES.items():
            text = re.sub(rf"(?m)^{name} = .*$", f"{name} = {seconds}", text)
        config.write_text(text)
        vendor.run("broker", "enrol", "--proof", "dev.proof", "--record", "dev.record", "--dir",
                   "broker", "--name", "the machine")

    @contextlib.contextmanager
    def serve(self, bundle):
        """Gives the port on which it answers."""
        self.vendor.run("broker", "add", bundle, "--dir", "broker", "--trust", "vendor.pub")
        with open(self.log, "wb") as log:
            process = subprocess.Popen([self.vendor.tool, "broker", "serve", "--dir", "broker"],
                                       cwd=self.vendor.folder, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=log)
        try:
            while not (ready := re.search(r'"event":"ready","port":(\d+)', self.log.read_text())):
                if process.poll() is not None:
                    raise RuntimeError(f"the broker does not start: {self.log.read_text()}")
                time.sleep(0.05)
            yield int(ready[1])
        finally:
            process.terminate()
            process.wait()


class Device:
    """Files of the device, and its TPM in `state`."""

    def __init__(self, vendor, kernel, work):
        self.vendor, self.kernel, self.work = vendor, kernel, pathlib.Path(work)
        self.tpm = SoftwareTpm(self.work / "tpm")
        self.name = None

    def on_tpm(self, verb, *arguments):
        return self.vendor.run("provision", verb, *arguments, "--tpm", self.tpm.tcti)

    def enrol(self):
        self.on_tpm("enrol", "--out", "dev.request")
        name = json.loads(self.vendor.run("provision", "show", "dev.request", "--json"))["device"]
        self.vendor.sign("answer", "dev.request", "--key", "product.key", "--ek-name", name,
                         "--floor", "0", "--minimum-policy", "0", "--out", "dev.answer",
                         "--record", "dev.record")
        self.on_tpm("install", "dev.answer", "--key", "device.tpmkey", "--grantor", "grantor.pub",
                    "--proof", "dev.proof")
        self.vendor.run("provision", "accept", "dev.proof", "--record", "dev.record")

    def install_policy(self, pcrs):
        (self.vendor.folder / "golden.pcrs").write_text(pcrs)
        self.vendor.sign("policy", "--number", "1", "--pcrs", "golden.pcrs", "--out", "boot-1")
        self.on_tpm("install", "boot-1", "--key", "device.tpmkey")

    def boot(self, name, initrd, files, command_line=machine.COMMAND_LINE):
        """The console of one boot. Each has a copy of the TPM, so that several run at once."""
        state = self.work / f"tpm-{name}"
        state.mkdir()
        for path in (self.work / "tpm").glob("*.permall"):
            shutil.copy(path, state)
        image, disk = self.work / f"{name}.cpio.gz", self.work / f"{name}.disk"
        image.write_bytes(initrd)
        machine.disk(disk, files)
        return machine.Machine(state, self.kernel, image, disk, command_line).console()


def image():
    """One picture as NumPy writes it."""
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 28, 28), }"
    head += " " * (-(11 + len(head)) % 64) + "\n"
    pixels = [(x * y % 29) / 29 for x in range(28) for y in range(28)]
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() +
            struct.pack("<784f", *pixels))


def pcr_digest(pcrs):
    values = [bytes.fromhex(line.split()[1]) for line in pcrs.splitlines()]
    return hashlib.sha256(b"".join(values)).hexdigest()


def check(name, console, expected, digest):
    """`expected`: exit status of each step; the answers must be those of the model in the clear."""
    found = machine.results(console)
    statuses = {step: status for step, (status, _) in found.items()}
    right = statuses == expected and all(
        answer == digest for status, answer in found.values() if status == 0)
    say(f"{name:12} {'as expected' if right else 'WRONG'}: {statuses}")
    if not right:
        say(console[-4000:])
    return right


def boot_all(device, boots, files):
    """The console of each, by name; all at once."""
    consoles = {}
    threads = [threading.Thread(target=lambda n=name, b=boot: consoles.update(
        {n: device.boot(n, b[0], files, b[1])})) for name, boot in boots.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return consoles


def demonstrate(tool, kernel, work):
    vendor = Vendor(tool, work)
    device = Device(vendor, kernel, work)
    (work / "x.npy").write_bytes(image())
    device.enrol()
    broker = Broker(vendor)
    trust = {"etc/vendor.pub": (work / "vendor.pub").read_bytes(),
             "etc/grants.pub": (work / "broker" / "grants.pub").read_bytes()}
    good = machine.initramfs(tool, kernel, work, trust)
    device.tpm.stop()

    say("booting once to see what it measures")
    console = device.boot("golden", good, {"golden": b""})
    pcrs = console.partition("PCRS-BEGIN\n")[2].partition("PCRS-END")[0]
    if not pcrs:
        say(console[-4000:])
        return False
    (work / "policy.toml").write_text(POLICY % pcr_digest(pcrs))
    device.tpm.start()
    device.install_policy(pcrs)
    device.tpm.stop()
    vendor.run("build", MODEL, "--out", "model.seal", "--signer", "vendor.key", "--to",
               "product.pub", "--to", "broker/broker.pub", "--policy", "policy.toml",
               "--product", "fashion", "-q")
    vendor.run("run", MODEL, "--tee", "none", "--input", "x.npy", "--output", "clear.npy")
    digest = hashlib.sha256((work / "clear.npy").read_bytes()).hexdigest()
    files = {name: work / name for name in ("model.seal", "x.npy", "device.tpmkey",
                                            "device.tpmkey.policy", "device.tpmkey.floors")}
    files["broker.crt"] = work / "broker" / "tls.crt"
    boots = {
        "good": (good, machine.COMMAND_LINE, {"online": 0, "offline": 0, "again": REFUSED}),
        "initramfs": (machine.initramfs(tool, kernel, work, {**trust, "etc/more": b"x"}),
                      machine.COMMAND_LINE,
                      {"online": REFUSED, "offline": REFUSED, "again": REFUSED}),
        "command-line": (good, machine.COMMAND_LINE + " debug",
                         {"online": REFUSED, "offline": REFUSED, "again": REFUSED}),
    }
    with broker.serve("model.seal") as port:
        files["broker.url"] = f"https://10.0.2.2:{port}\n".encode()
        consoles = boot_all(device, boots, files)
    return all([check(name, consoles.get(name, ""), boot[2], digest)
                for name, boot in boots.items()])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sealpack", required=True, help="the tool")
    parser.add_argument("--kernel", required=True,
                        help="a folder for Debian's cloud kernel, which is fetched into it")
    options = parser.parse_args()
    lacking = machine.missing()
    if lacking:
        say(f"SKIPPED: this machine lacks {', '.join(lacking)}")
        return SKIPPED
    if subprocess.run([machine.HERE / "fetch-kernel", options.kernel], check=False).returncode != 0:
        say("SKIPPED: Debian's cloud kernel is not to be had")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        return 0 if demonstrate(os.path.abspath(options.sealpack), options.kernel,
                                pathlib.Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
