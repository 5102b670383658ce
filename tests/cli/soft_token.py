# SPDX-License-Identifier: Apache-2.0
"""A PKCS#11 token in files (SoftHSM 2) for tests."""

import os
import pathlib
import shutil
import subprocess

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
INSTALLED = (pathlib.Path(MODULE).exists() and shutil.which("softhsm2-util") is not None
             and shutil.which("pkcs11-tool") is not None)
PIN = "73914682"


class SoftToken:
    """Processes that are started while it is there use it, by the environment."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.tokens = self.folder / "tokens"
        self.tokens.mkdir(parents=True)
        (self.folder / "softhsm2.conf").write_text(
            f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(self.folder / "softhsm2.conf")
        self._run("softhsm2-util", "--init-token", "--free", "--label", "broker", "--pin", PIN,
                  "--so-pin", "4321")
        self.put_pin(PIN)

    @staticmethod
    def _run(*command):
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def put_pin(self, pin):
        path = self.folder / "pin"
        path.touch(mode=0o600)
        path.write_text(pin + "\n")

    def make_key(self, label, number, kind="EC:prime256v1", usage="derive"):
        self._run("pkcs11-tool", "--module", MODULE, "--token-label", "broker", "--login", "--pin",
                  PIN, "--keypairgen", "--key-type", kind, f"--usage-{usage}", "--id",
                  f"{number:02x}", "--label", label)

    def uri(self, label, token="broker"):
        return (f"pkcs11:token={token};object={label}?module-path={MODULE}"
                f"&pin-source=file:{self.folder}/pin")
