# SPDX-License-Identifier: Apache-2.0
"""Variables of the environment that libraries listen to: none makes them give secrets away."""

import os
import shutil
import unittest
from unittest import mock

from broker_case import BrokerCase
from software_tpm import PROGRAM, SoftwareTpm


class Environment(BrokerCase):
    def test_keys_of_tls_are_not_logged(self):
        log = self.folder / "tls.keys"
        server = self.serve()
        with mock.patch.dict(os.environ, {"SSLKEYLOGFILE": str(log)}):
            self.succeed(*self.asking(server))
        self.assertFalse(log.exists())

    @unittest.skipUnless(PROGRAM, "swtpm is not installed")
    def test_passwords_and_sessions_of_a_tpm_are_not_logged(self):
        tpm = SoftwareTpm(self.folder.parent / (self.folder.name + "-tpm"))
        self.addCleanup(lambda: (tpm.stop(), shutil.rmtree(tpm.folder)))
        self.assertEqual(tpm.set_password(0x4000000b, b"hush, a secret"), 0)
        (self.folder / "password").write_text("hush, a secret\n")
        (self.folder / "password").chmod(0o600)
        log = self.folder / "tss.log"
        for where in ({}, {"TSS2_LOGFILE": str(log)}):
            with mock.patch.dict(os.environ, {"TSS2_LOG": "all+trace", **where}):
                run = self.succeed("keygen", "log", "--tpm", tpm.tcti, "--out", "log",
                                   "--passphrase-file", "password", "--force")
            said = run.out + run.err + (log.read_text() if log.exists() else "")
            self.assertNotIn(b"hush".hex(), said)
            self.assertNotIn("ession key", said.lower())


if __name__ == "__main__":
    unittest.main()
