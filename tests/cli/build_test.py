#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`sealpack build` from outside: exit status, messages, reports and what it leaves behind.

    build_test.py SEALPACK [unittest arguments]
"""

import json
import os
import pty
import struct
import subprocess

from build_case import (USAGE, IO, MALFORMED, UNSUPPORTED, REFUSED, AUTHORITY_SEED, ALICE,
                        BuildCase, main, private_key, public_key, safetensors)


class Refusals(BuildCase):
    def test_missing_arguments(self):
        self.fails(self.run_tool("build"), USAGE, "no model given")
        self.fails(self.run_tool("build", "ranker.safetensors"), USAGE, "no --out given")
        self.fails(self.build(signer=None), USAGE, "no --signer given", "keygen authority")
        self.fails(self.build(to=None), USAGE, "no recipient given", "keygen recipient")
        self.fails(self.build("--surprise"), USAGE, "surprise")

    def test_globs_that_match_nothing(self):
        for option in ("--public", "--seal", "--exclude"):
            self.fails(self.build(option, "nothing.*"), USAGE, f"{option} 'nothing.*' matches nothing")
        self.fails(self.build("--exclude", "**"), USAGE, "nothing is left to pack")
        self.fails(self.build("--seal", "[a"), USAGE, "--seal: ")

    def test_input_and_output(self):
        self.fails(self.build(model="none"), IO, "none", "no such file")
        self.fails(self.build(out="missing/b.seal"), IO, "missing")
        self.fails(self.build(out="out"), IO, "out")
        (self.home / "empty").mkdir()
        self.fails(self.build(model="empty"), USAGE, "there are no files")
        os.mkfifo(self.home / "fifo")
        self.fails(self.build(model="fifo"), IO, "not a regular file")

    def test_an_existing_output(self):
        self.put("old.seal", "old")
        self.fails(self.build(out="old.seal"), IO, "exists already", "--force")
        self.assertEqual((self.home / "old.seal").read_bytes(), b"old")
        self.succeeds(self.build("--force", out="old.seal"))
        self.assertGreater((self.home / "old.seal").stat().st_size, 70_000)

    def test_the_model_as_output(self):
        model = (self.home / "ranker.safetensors").read_bytes()
        self.put("folder/m.safetensors", model)
        os.symlink("ranker.safetensors", self.home / "link")
        for name, out in (("ranker.safetensors", "ranker.safetensors"), ("link", "ranker.safetensors"),
                          ("ranker.safetensors", "./out/../ranker.safetensors"),
                          ("folder", "folder/m.safetensors")):
            self.fails(self.build("--force", model=name, out=out), USAGE, "is the model itself")
        self.assertEqual((self.home / "ranker.safetensors").read_bytes(), model)
        self.assertEqual((self.home / "folder/m.safetensors").read_bytes(), model)

    def test_a_bundle_in_the_folder_is_replaced_and_not_packed(self):
        self.put("folder/m.safetensors", safetensors({"w": 10}))
        self.succeeds(self.build(model="folder", out="folder/b.seal"))
        report = self.report("--force", model="folder", out="folder/b.seal")
        self.assertEqual(report["excluded"], [{"file": "b.seal", "because": "the bundle being written"}])
        self.assertEqual([entry["file"] for entry in report["entries"]], ["m.safetensors"])

    def test_broken_and_dangerous_models(self):
        self.put("broken.safetensors", struct.pack("<Q", 8) + b"{broken}")
        result = self.build(model="broken.safetensors")
        self.fails(result, MALFORMED, "'broken.safetensors'")
        self.assertEqual(result.stderr.count(b"broken.safetensors"), 1)
        self.put("model.pt", b"\x80\x02}q\x00.")
        self.fails(self.build(model="model.pt"), UNSUPPORTED, "pickle", "opaque")
        self.succeeds(self.build("--opaque", model="model.pt"))

    def test_private_keys_in_the_model(self):
        self.put("folder/m.safetensors", safetensors({"w": 10}))
        self.put("folder/vendor.key", private_key("authority", AUTHORITY_SEED), 0o600)
        self.fails(self.build(model="folder"), REFUSED, "vendor.key' is a private key", "--exclude")
        self.fails(self.build("--dry-run", model="folder"), REFUSED, "private key")
        report = self.report("--exclude", "*.key", model="folder")
        self.assertEqual(report["excluded"], [{"file": "vendor.key", "because": "--exclude"}])

    def test_keys(self):
        self.fails(self.build(signer="none.key"), IO, "none.key")
        self.fails(self.build(signer="ci.key"), USAGE, "publisher", "--authority")
        self.fails(self.build("--signer", "vendor.key", "--authority", "vendor.pub"), USAGE, "twice")
        self.fails(self.build("--signer", "ci.key"), USAGE, "no --authority")
        self.fails(self.build("--authority", "r.pub"), USAGE, "recipient")
        self.fails(self.build(to="vendor.pub"), USAGE, "authority", "signs")
        self.fails(self.build(to="ranker.safetensors"), MALFORMED)
        os.chmod(self.home / "vendor.key", 0o644)
        self.fails(self.build(), REFUSED, "vendor.key")

    def test_values(self):
        for counter in ("0", "-1", "1.5", "x", "99999999999999999999"):
            self.fails(self.build(f"--counter={counter}"), USAGE, "--counter")
        for time in ("tomorrow", "2030-02-31", "2030-01-01T25:00:00Z", "2030-01-01 "):
            self.fails(self.build("--not-after", time), USAGE, "not a time")
        self.fails(self.build("--not-before", "2031-01-01", "--not-after", "2030-01-01"), USAGE,
                   "is not after --not-before")
        self.fails(self.build("--redact", "some"), USAGE, "--redact takes")
        self.fails(self.build("--product", "p" * 5000), MALFORMED, "release to be signed")
        self.fails(self.build("--licence", "none.txt"), IO, "none.txt")
        self.put("licence.txt", b"\xff\xfe")
        result = self.build("--licence", "licence.txt")
        self.fails(result, USAGE, "the licence is not UTF-8")
        self.assertNotIn(b"protobuf", result.stderr)
        self.fails(self.build("--parent", "ranker.safetensors"), MALFORMED, "ranker.safetensors")
        self.fails(self.build("--policy", "r.pub"), MALFORMED)

    def test_policy_against_recipients(self):
        self.fails(self.build("--policy", "policy.toml"), REFUSED, "demands attestation", "r.pub")
        self.succeeds(self.build("--policy", "policy.toml", to="broker.pub"))

    def test_escrow(self):
        self.fails(self.build("--escrow-reason", "x"), USAGE, "--escrow-reason without --escrow")
        self.fails(self.build("--escrow", "broker.pub"), USAGE, "--escrow takes")
        report = self.report("--policy", "policy.toml", "--escrow", "escrow.pub",
                             "--escrow-reason", "to recover it", to="broker.pub")
        self.assertEqual(report["recipients"], 2)
        self.assertTrue(report["requires_attestation"])

    def test_an_unreadable_file(self):
        if os.geteuid() == 0:
            self.skipTest("root can read everything")
        self.put("folder/m.bin", b"x", 0)
        self.fails(self.build(model="folder"), IO, "m.bin", "permission denied")


class Reports(BuildCase):
    KEYS = {"bundle", "bytes", "uuid", "content_digest", "release_digest", "product", "version", "counter",
            "recipients", "requires_attestation", "scheme", "summary", "entries", "excluded"}

    def test_json_of_a_build(self):
        report = self.report("--seal", "head.*", "--product", "acme/ranker", "--version", "2",
                             "--counter", "17")
        self.assertEqual(set(report), self.KEYS)
        self.assertEqual((report["product"], report["version"], report["counter"]),
                         ("acme/ranker", "2", 17))
        self.assertEqual(report["bytes"], (self.home / "out/b.seal").stat().st_size)
        self.assertEqual(report["summary"]["sealed"], {"tensors": 1, "files": 0, "bytes": 100})
        self.assertEqual(report["entries"][1],
                         {"file": "ranker.safetensors", "place": "sealed", "bytes": 100,
                          "tensor": "head.w", "dtype": "U8", "shape": [100]})
        self.assertEqual(len(report["content_digest"]), 71)
        self.assertEqual(self.members(),
                         ["sealpack/head", "sealpack/content", "sealpack/tree",
                          "public/ranker.safetensors", "sealed/ranker.safetensors",
                          "sealed/ranker.safetensors.residue"])

    def test_dry_run_needs_no_key_and_writes_nothing(self):
        result = self.succeeds(self.run_tool("build", "ranker.safetensors", "--dry-run", "--json"))
        self.assertEqual(set(json.loads(result.stdout)), {"scheme", "summary", "entries", "excluded"})
        result = self.succeeds(self.run_tool("build", "ranker.safetensors", "--dry-run", "--out",
                                             "out/b.seal"))
        self.assertIn(b"head.w", result.stdout)
        self.assertEqual(self.bundles(), [])

    def test_the_product_is_called_like_the_model(self):
        self.assertEqual(self.report()["product"], "ranker")
        self.put("acme-7b/m.safetensors", safetensors({"w": 1}))
        for model in ("acme-7b", "acme-7b/", "./acme-7b/."):
            report = self.report("--force", model=model)
            self.assertEqual(report["product"], "acme-7b")

    def test_times_and_counters(self):
        for time in ("2090-01-31", "2090-01-31T12:00:00Z", "3789000000"):
            self.succeeds(self.build("--force", "--not-after", time))
        for counter in (1, 9223372036854775807):
            self.assertEqual(self.report("--force", "--counter", counter)["counter"], counter)
        self.assertGreater(self.report("--force")["counter"], 1_700_000_000)

    def test_recipients_in_a_file(self):
        self.put("fleet/a.pub", public_key("recipient", ALICE))
        self.put("fleet/list", "# the fleet\na.pub\n\n../r.pub # by the door\r\n")
        self.assertEqual(self.report("--to-file", "fleet/list", to=None)["recipients"], 2)
        self.put("fleet/list", "a.pub\nnone.pub\n")
        os.remove(self.home / "out/b.seal")
        self.fails(self.build("--to-file", "fleet/list", to=None), IO, "line 2", "none.pub")
        self.put("fleet/list", "# nobody\n")
        self.fails(self.build("--to-file", "fleet/list", to=None), USAGE, "names no recipient")

    def test_a_passphrase_as_recipient(self):
        self.put("pass", "correct horse\n", 0o644)
        self.fails(self.build("--to-passphrase", "pass", to=None), REFUSED, "pass")
        os.chmod(self.home / "pass", 0o600)
        self.assertEqual(self.report("--to-passphrase", "pass", to=None)["recipients"], 1)
        self.assertNotIn(b"correct horse", (self.home / "out/b.seal").read_bytes())

    def test_a_parent(self):
        self.succeeds(self.build(out="out/base.seal"))
        self.succeeds(self.build("--parent", "out/base.seal"))

    def test_publisher_signs_for_the_authority(self):
        self.succeeds(self.build("--authority", "vendor.pub", signer="ci.key"))

    def test_text_from_outside_is_shown_escaped(self):
        self.put("odd.safetensors", safetensors({"\x1b[31mred\x07": 5}))
        for arguments in (("--dry-run",), ("--force", "--version", "1\x1b[2J", "--product", "p\x1b[H")):
            result = self.succeeds(self.build(*arguments, model="odd.safetensors"))
            self.assertNotIn(b"\x1b", result.stdout + result.stderr)
        result = self.build("--seal", "\x1b[5m*")
        self.assertNotIn(b"\x1b", result.stderr)
        os.rename(self.home / "odd.safetensors", self.home / "\x1b[31m.safetensors")
        for model in ("\x1b[31m.safetensors", "\x1b[32mnone"):
            result = self.build(model=model)
            self.assertNotEqual(result.returncode, 0)
            self.assertNotIn(b"\x1b", result.stdout + result.stderr)

    def test_progress_is_for_terminals(self):
        with open(self.home / "big.safetensors", "wb") as file:
            text = json.dumps({"w": {"dtype": "U8", "shape": [30 << 20], "data_offsets": [0, 30 << 20]}})
            file.write(struct.pack("<Q", len(text)) + text.encode())
            file.truncate(8 + len(text) + (30 << 20))
        result = self.succeeds(self.build(model="big.safetensors"))
        self.assertNotIn(b"\r", result.stderr)
        self.assertIn(b"\x1b[K", self.errors_on_a_terminal("--force"))
        self.assertNotIn(b"\x1b[K", self.errors_on_a_terminal("--force", "--quiet"))

    def errors_on_a_terminal(self, *arguments):
        ours, theirs = pty.openpty()
        with subprocess.Popen([self.TOOL, "build", "big.safetensors", "--out", "out/b.seal", "--signer",
                               "vendor.key", "--to", "r.pub", *arguments], cwd=self.home,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs) as process:
            os.close(theirs)
            text = b""
            try:
                while part := os.read(ours, 4096):
                    text += part
            except OSError:  # the other end is closed
                pass
            os.close(ours)
        self.assertEqual(process.returncode, 0, text)
        return text

    def test_the_model_may_come_last(self):
        """An option that may be repeated takes one value each time and never the model."""
        for option in (["--public", "body*"], ["--seal", "head*"], ["--to", "r.pub"]):
            self.succeeds(self.run_tool("build", "--out", "out/b.seal", "--force", "--signer", "vendor.key",
                                        "--to", "r.pub", *option, "ranker.safetensors"))

    def test_a_bundle_that_seals_nothing_is_refused(self):
        self.fails(self.build("--public", "**"), 2, "nothing would be sealed")

    def test_an_escrow_has_the_role(self):
        self.fails(self.build("--escrow", "r.pub"), 2, "--escrow takes a key of role escrow")

    def test_a_public_key_is_no_signer(self):
        self.fails(self.build(signer="vendor.pub"), 2, "is a public key", "the .key file")

    def test_settings_that_were_found_name_no_programs(self):
        self.put("sealpack.toml", '[release]\nsigner = ["exec:/bin/true"]\n')
        self.fails(self.build(signer=None), 13, "names a program to run")

    def test_recipients_of_the_command_line_replace_those_of_the_file(self):
        self.put("more.txt", "escrow.pub\n")
        self.put("sealpack.toml", '[recipients]\nto_file = ["more.txt"]\n')
        result = self.succeeds(self.build("--json"))
        self.assertEqual(json.loads(result.stdout)["recipients"], 1)
        self.assertIn("settings from ./sealpack.toml", result.stderr.decode())

    def test_an_openssl_configuration_changes_nothing(self):
        path = self.put("openssl.cnf", "openssl_conf = a\n[a]\nalg_section = b\n[b]\n"
                        "default_properties = provider=nope\n")
        os.environ["OPENSSL_CONF"] = path
        self.addCleanup(os.environ.pop, "OPENSSL_CONF")
        self.succeeds(self.build())

    def test_an_unknown_verb_is_named(self):
        result = self.run_tool("buld", "x")
        self.assertEqual(result.returncode, 2)
        self.assertIn("there is no verb 'buld'", result.stderr.decode())

    def test_no_output_is_an_error(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([self.TOOL, "build", "ranker.safetensors", "--dry-run"], cwd=self.home,
                                    stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(result.returncode, IO)
        self.assertIn(b"cannot write the output", result.stderr)


if __name__ == "__main__":
    main()
