# SPDX-License-Identifier: Apache-2.0
"""A TPM in a process (swtpm) for tests."""

import pathlib
import shutil
import socket
import struct
import subprocess
import time

PROGRAM = shutil.which("swtpm")


def listens(path):
    """Whether somebody listens there. Not by connecting: swtpm takes one connection, and that would be it."""
    # Num RefCount Protocol Flags Type St Inode Path; __SO_ACCEPTCON is 0x10000.
    sockets = (line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines())
    return any(fields[-1] == str(path) and fields[3] == "00010000" for fields in sockets)


class SoftwareTpm:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.tcti = f"swtpm:path={self.folder}/tpm"
        self.process = None
        self.start()

    def start(self):
        path = self.folder / "tpm"
        self.process = subprocess.Popen(
            [PROGRAM, "socket", "--tpm2", "--tpmstate", f"dir={self.folder}",
             "--server", f"type=unixio,path={path}", "--ctrl", f"type=unixio,path={path}.ctrl",
             "--flags", "not-need-init,startup-clear"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            if listens(path) and listens(f"{path}.ctrl"):
                return
            time.sleep(0.01)
        self.stop()
        raise RuntimeError("swtpm does not start")

    def stop(self):
        self.process.terminate()
        self.process.wait()
        for name in ("tpm", "tpm.ctrl"):
            (self.folder / name).unlink(missing_ok=True)

    def restart(self):
        """Power off and on: PCRs are zero, what was in NV memory stays."""
        self.stop()
        self.start()

    def command(self, code, handle, parameters, password=b""):
        """What the owner of a TPM does to it, with the password of the handle; the response code."""
        area = struct.pack(">IHBH", 0x40000009, 0, 1, len(password)) + password
        body = struct.pack(">II", handle, len(area)) + area + parameters
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.folder / "tpm"))
            line.sendall(struct.pack(">HII", 0x8002, 10 + len(body), code) + body)
            return struct.unpack(">I", line.recv(10, socket.MSG_WAITALL)[6:])[0]

    def set_password(self, hierarchy, password):
        """Of the owner (0x40000001) or endorsement (0x4000000b) hierarchy."""
        return self.command(0x129, hierarchy, struct.pack(">H", len(password)) + password)
