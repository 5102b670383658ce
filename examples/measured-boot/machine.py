# SPDX-License-Identifier: Apache-2.0
"""A virtual machine that is measured as it boots: OVMF, Debian's cloud kernel, an initramfs, a TPM.

OVMF measures itself (PCRs 0, 2, 7) and the kernel (PCR 4); the kernel's EFI stub measures the command
line and the initramfs (PCR 9)."""

import gzip
import io
import os
import pathlib
import re
import shutil
import stat
import subprocess
import time
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
FIRMWARE = pathlib.Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
COMMAND_LINE = "console=ttyS0 quiet panic=-1"
NETWORK_MODULES = ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev",
                   "virtio_pci", "failover", "net_failover", "virtio_net")


def missing():
    """What of the tools this machine lacks."""
    tools = ["qemu-system-x86_64", "swtpm", "dpkg-deb", "ldd"]
    names = [tool for tool in tools if shutil.which(tool) is None]
    return names + [str(path) for path in (FIRMWARE, pathlib.Path("/bin/busybox"))
                    if not path.exists()]


class Cpio:
    """An archive as the kernel unpacks it (newc). The same content gives the same bytes."""

    def __init__(self):
        self.out = io.BytesIO()
        self.folders = set()

    def _entry(self, name, mode, data=b""):
        head = "070701" + "".join(f"{value:08x}" for value in (
            0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
        self.out.write(head.encode() + name.encode() + b"\0")
        self.out.write(b"\0" * (-self.out.tell() % 4) + data)
        self.out.write(b"\0" * (-self.out.tell() % 4))

    def add(self, name, data, mode=0o755):
        for parent in reversed(pathlib.PurePath(name).parents):
            if str(parent) != "." and str(parent) not in self.folders:
                self.folders.add(str(parent))
                self._entry(str(parent), stat.S_IFDIR | 0o755)
        self._entry(name, stat.S_IFREG | mode, data)

    def finish(self):
        self._entry("TRAILER!!!", 0)
        return gzip.compress(self.out.getvalue(), compresslevel=1, mtime=0)


def libraries(program):
    """Paths of all that the program is linked with, its loader too."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return sorted(set(re.findall(r"(/\S+) \(0x", text)))


def stripped(path, work):
    copy = pathlib.Path(work) / "stripped"
    subprocess.run(["strip", "-o", copy, path], check=True)
    return copy.read_bytes()


def initramfs(tool, kernel, work, extra):
    """The tool with what it needs, busybox, `init`, and `extra` {name: bytes}."""
    archive = Cpio()
    archive.add("init", (HERE / "init").read_bytes())
    archive.add("bin/busybox", pathlib.Path("/bin/busybox").read_bytes())
    archive.add("bin/sealpack", stripped(tool, work))
    tcti = "/usr/lib/x86_64-linux-gnu/libtss2-tcti-device.so.0"  # opened by name, when it is needed
    for path in sorted({*libraries(tool), *libraries(tcti), tcti}):
        archive.add(path.lstrip("/"), pathlib.Path(path).read_bytes())
    for name in NETWORK_MODULES:
        (found,) = pathlib.Path(kernel).glob(f"lib/modules/*/kernel/**/{name}.ko")
        archive.add(f"lib/modules/{name}.ko", found.read_bytes(), 0o644)
    for name, data in sorted(extra.items()):
        archive.add(name, data, 0o644)
    return archive.finish()


def disk(path, files):
    """A raw disk whose content is a tar archive."""
    with tarfile.open(path, "w") as archive:
        for name, source in files.items():
            data = source if isinstance(source, bytes) else pathlib.Path(source).read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o600
            archive.addfile(entry, io.BytesIO(data))
    size = path.stat().st_size
    os.truncate(path, (size + (1 << 20) - 1) >> 20 << 20)


def listens(path):
    """Whether somebody accepts connections there: the file is there before that."""
    sockets = (line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines())
    return any(fields[-1] == str(path) and fields[3] == "00010000" for fields in sockets)


class Machine:
    """One boot; `state` is the folder of its TPM."""

    def __init__(self, state, kernel, initrd, disk_path, command_line=COMMAND_LINE):
        self.state = pathlib.Path(state)
        socket = self.state / "vm"
        self.tpm = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl",
             f"type=unixio,path={socket}", "--flags", "startup-clear", "--terminate"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not listens(socket):
            if self.tpm.poll() is not None:
                raise RuntimeError("swtpm ended")
            time.sleep(0.01)
        (image,) = pathlib.Path(kernel).glob("boot/vmlinuz-*")
        self.qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-m", "768",
             "-display", "none", "-serial", f"file:{self.state}/console", "-no-reboot",
             "-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}",
             "-kernel", image, "-initrd", initrd, "-append", command_line,
             "-chardev", f"socket,id=c,path={socket}", "-tpmdev", "emulator,id=t,chardev=c",
             "-device", "tpm-crb,tpmdev=t",
             "-drive", f"if=none,id=d,format=raw,readonly=on,file={disk_path}",
             "-device", "nvme,drive=d,serial=1",
             "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n,romfile="],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def console(self, timeout=1200):
        """All that the machine wrote, when it is off, and what QEMU said."""
        try:
            said, _ = self.qemu.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.qemu.kill()
            said, _ = self.qemu.communicate()
            said += b"(the machine did not end)"
        self.tpm.terminate()
        self.tpm.wait()
        (self.state / "vm").unlink(missing_ok=True)
        out = (self.state / "console").read_bytes() + b"\n" + said
        return out.decode(errors="replace").replace("\r", "")


def results(console):
    """{name: (exit status, digest of the answer)}"""
    return {name: (int(status), digest) for name, status, digest in
            re.findall(r"^RESULT (\S+) (\d+) (\w*)$", console, re.M)}
