# SPDX-License-Identifier: Apache-2.0
"""A broker over the years, as docs/BROKER.md tells it: keys that are rotated, end and leak, a store that
is lost, vendors that come and change, products that are licensed before they are released."""

import json
import shutil
import struct
import time
import unittest

from broker_case import POLICY, BrokerCase
from run_case import LIMIT
from sealpack_case import KEY_UNAVAILABLE, OK, REFUSED, TRY_AGAIN, USAGE
from software_tpm import PROGRAM, SoftwareTpm

TPM_POLICY = """
[[environment]]
tee = "tpm"
[environment.claims]
ek_name = { ignore = "the broker's licence names devices" }
pcr_digest = { ignore = "a test" }
pcr_selection = { ignore = "a test" }
"""


class LifeCase(BrokerCase):
    def refused(self, status, pattern, verb, *arguments):
        return self.fail_with(status, pattern, "broker", *verb.split(), *arguments, "--dir", "broker")

    def keys(self, use="grants"):
        return [key for key in self.broker("list", "--json").json()["keys"] if key["use"] == use]

    def in_use(self, use="grants"):
        now = time.time()
        return {key["digest"] for key in self.keys(use)
                if key["not_after"] == 0 or key["not_after"] > now}

    def digest(self, name):
        return "sha256:" + self.digest_of(self.folder / "broker" / name)

    def grant_keys(self):
        for line in (self.folder / "broker/broker.toml").read_text().splitlines():
            if line.startswith("grant_keys = "):
                return json.loads(line.split(" = ")[1])
        return None

    def measured(self, key):
        return self.succeed("run", "--measure", "--json", "--trust", "vendor.pub", "--broker-key",
                            key, "--tee-memory", "16MiB").json()["measurement"]

    def asks(self, server, key="broker/grants.pub", bundle="a.seal"):
        """A run of a TEE that pins this key."""
        return self.run_tool(*[key if part == "broker/grants.pub" else part
                               for part in self.asking(server, bundle=bundle)])

    def lose_the_store(self):
        for path in (self.folder / "broker").glob("store.db*"):
            path.unlink()

    def release_for(self, name, counter, *keys):
        """A release for TEEs that pin any of these keys of the broker."""
        measured = '", "'.join(self.measured(key) for key in keys)
        (self.folder / "sim.toml").write_text(POLICY % (measured, self.root))
        self.build_release(self.succeed, name, counter)


class Rotations(LifeCase):
    def test_many_leave_a_broker_that_works(self):
        for number in range(2, 12):
            self.broker("rotate grants", "--end-old", str(int(time.time())))
            self.assertEqual(self.grant_keys(), [f"grants-{number}.key"])
        self.assertEqual(self.in_use(), {self.digest("grants-11.pub")})
        self.assertEqual(len(self.keys()), 11)
        self.release_for("next.seal", 101, "broker/grants-11.pub")
        self.broker("add", "next.seal")
        run = self.asks(self.serve(), "broker/grants-11.pub", "next.seal")
        self.assertEqual(run.status, OK, run.err)

    def test_are_refused_before_anything_is_made_where_no_key_has_ended(self):
        for _ in range(7):
            self.broker("rotate grants")
        self.assertEqual(len(self.grant_keys()), 8)
        self.refused(LIMIT, "8 grants keys, none of which has ended", "rotate grants")
        self.broker("end-key broker/grants-3.pub")
        self.broker("rotate grants")
        self.assertEqual(self.grant_keys(), [f"grants-{n}.key" for n in (9, 8, 7, 6, 5, 4, 2)] +
                         ["grants.key"])

    def test_are_refused_for_a_name_that_the_configuration_cannot_hold(self):
        shutil.copy(self.folder / "broker/grants.key", self.folder / "two\nlines.key")
        self.refused(10, "broker.toml", "rotate grants", "--key", "two\nlines.key")

    # docs/BROKER.md, section 8.
    def test_in_two_steps_end_the_old_key_and_keep_the_one_that_was_rolled_out(self):
        self.broker("rotate grants")
        self.release_for("next.seal", 101, "broker/grants.pub", "broker/grants-2.pub")
        self.broker("add", "next.seal")
        server = self.serve()
        for key in ("broker/grants.pub", "broker/grants-2.pub"):
            run = self.asks(server, key, "next.seal")
            self.assertEqual(run.status, OK, run.err)
        self.broker("end-key broker/grants.pub", "--at", str(int(time.time())))
        run = self.asks(server, "broker/grants.pub", "next.seal")
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertIn("broker.key", run.err)
        run = self.asks(server, "broker/grants-2.pub", "next.seal")
        self.assertEqual(run.status, OK, run.err)
        self.assertEqual(self.in_use(), {self.digest("grants-2.pub")})
        # And after a restart.
        self.stop(server)
        self.assertEqual(self.asks(self.serve(), "broker/grants-2.pub", "next.seal").status, OK)

    def test_end_one_key_and_no_other(self):
        self.broker("rotate grants")
        self.refused(REFUSED, "lists no key", "end-key " + "ab" * 32)
        self.refused(USAGE, "--at", "end-key broker/grants.pub", "--at", "soon")
        self.refused(USAGE, "32 bytes", "end-key aabb")
        self.refused(REFUSED, "no other log key", "end-key broker/log.pub")
        self.broker("end-key " + self.digest("grants.pub"), "--at", "2098-01-01")
        self.refused(REFUSED, "no end is put off", "end-key broker/grants.pub", "--at", "2099-01-01")
        self.refused(REFUSED, "no other grants key is in use at 2098-06-01",
                     "end-key broker/grants-2.pub", "--at", "2098-06-01")
        self.assertEqual({key["digest"]: key["not_after"] for key in self.keys()},
                         {self.digest("grants.pub"): 4039372800, self.digest("grants-2.pub"): 0})

    def test_take_no_release_that_only_an_ended_key_could_open(self):
        self.broker("rotate recipient", "--end-old", "2099-01-01")
        self.broker("end-key broker/broker.pub")
        self.build_release(self.succeed, "next.seal", 101)
        self.refused(KEY_UNAVAILABLE, "no slot", "add", "next.seal")

    # docs/BROKER.md, section 11.
    def test_after_a_leak_end_a_key_that_was_to_end_later(self):
        self.broker("rotate grants", "--end-old", "2099-01-01")
        self.broker("rotate grants", "--end-old", str(int(time.time())))
        self.assertEqual(self.in_use(), {self.digest("grants-3.pub")})
        run = self.asks(self.serve())
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertIn("broker.key", run.err)

    def test_never_put_off_the_end_of_a_key(self):
        self.broker("rotate grants", "--end-old", "2050-01-01")
        self.broker("rotate grants", "--end-old", "2060-01-01")
        self.assertEqual(sorted(key["not_after"] for key in self.keys()), [0, 2524608000, 2840140800])


class Restores(LifeCase):
    def restore(self):
        self.lose_the_store()
        self.broker("restore", "backup.db")

    def test_after_a_rotation_take_the_keys_of_the_configuration(self):
        self.broker("backup", "--out", "backup.db")
        self.broker("rotate grants", "--end-old", str(int(time.time())))
        self.broker("rotate recipient")
        self.broker("rotate log")
        self.restore()
        self.refused(REFUSED, "does not list the recipient key.*\n.*--keys-as-configured", "serve",
                     "--listen", "127.0.0.1:0", "--admin", "none")
        run = self.refused(REFUSED, "keys changed since the backup", "reconcile", "--floors-unchanged")
        for name in ("grants-2.pub", "broker-2.pub", "log-2.pub"):
            self.assertIn(f"{self.digest(name)} ('{name[:-4]}.key') is not in the store", run.err)
        self.assertIn(f"{self.digest('grants.pub')} is not in broker.toml", run.err)
        run = self.broker("reconcile", "--floors-unchanged", "--keys-as-configured")
        for name in ("grants", "log"):
            self.assertRegex(run.err, f"{name} key sha256:{self.digest(name + '.pub')[-64:]} is ended")
        self.assertEqual(self.in_use(), {self.digest("grants-2.pub")})
        self.assertEqual(self.in_use("log"), {self.digest("log-2.pub")})
        self.assertEqual(self.in_use("recipient"),
                         {self.digest("broker.pub"), self.digest("broker-2.pub")})
        self.release_for("next.seal", 101, "broker/grants-2.pub")
        self.broker("add", "next.seal")
        server = self.serve()
        run = self.asks(server, "broker/grants-2.pub", "next.seal")
        self.assertEqual(run.status, OK, run.err)
        self.assertEqual(self.asks(server, bundle="next.seal").status, REFUSED)
        self.broker("checkpoint", "--out", "kept")
        self.broker("log verify", "--checkpoint", "kept")

    def test_end_a_key_that_had_ended(self):
        self.broker("rotate grants")
        self.broker("backup", "--out", "backup.db")
        self.broker("end-key broker/grants.pub")
        self.restore()
        self.refused(USAGE, "no '='", "reconcile", "--end-key", "broker/grants.pub")
        self.refused(USAGE, "--end-key", "reconcile", "--end-key", "broker/grants.pub=soon")
        self.refused(REFUSED, "there is no key", "reconcile", "--floors-unchanged", "--end-key",
                     "ab" * 32 + "=2020-01-01")
        self.broker("reconcile", "--floors-unchanged", "--end-key", "broker/grants.pub=2020-01-01")
        self.assertEqual(self.in_use(), {self.digest("grants-2.pub")})

    def test_give_out_no_release_that_was_followed_by_another(self):
        self.broker("backup", "--out", "backup.db")
        self.build_release(self.succeed, "next.seal", 120)
        self.broker("add", "next.seal")
        self.restore()
        run = self.refused(REFUSED, "nobody said", "reconcile", "--no-lease-is-missing")
        self.assertIn("'acme/clothes' (counter 100 is registered)", run.err)
        self.assertIn("--floors-unchanged", run.err)
        self.broker("reconcile", "--no-lease-is-missing", "--floor", "acme/clothes=120")
        server = self.serve()
        run = self.run_tool(*self.asking(server))
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertIn("broker.below-floor", run.err)
        self.broker("add", "next.seal")
        self.succeed(*self.asking(server, bundle="next.seal"))

    def test_take_what_is_said_before_they_are_reconciled(self):
        self.broker("backup", "--out", "backup.db")
        self.restore()
        self.build_release(self.succeed, "next.seal", 120)
        self.broker("add", "next.seal")
        self.broker("licence acme/clothes", "--instances", "1", "--lease", "600")
        server = self.serve()
        self.assertEqual(self.run_tool(*self.asking(server, bundle="next.seal")).status, TRY_AGAIN)
        self.broker("reconcile", "--no-lease-is-missing", "--floor", "acme/clothes=120")
        self.succeed(*self.asking(server, bundle="next.seal"))
        self.assertEqual(len(self.broker("list", "--json").json()["leases"]), 1)


class Vendors(LifeCase):
    def foreign(self, name="theirs.seal", product="theirs/net", signer="stranger.key", counter=1):
        self.succeed("build", "net.onnx", "--out", name, "--signer", signer, "--to",
                     "broker/broker.pub", "--product", product, "--counter", str(counter), "--policy",
                     "sim.toml", "-q")

    def test_do_not_take_the_place_of_another(self):
        self.foreign()
        run = self.refused(REFUSED, "known here by another trust", "add", "theirs.seal", "--trust",
                           "stranger.pub")
        self.assertIn("--vendor NAME", run.err)
        self.broker("add", "theirs.seal", "--trust", "stranger.pub", "--vendor", "stranger")
        server = self.serve()
        self.succeed(*self.asking(server))
        releases = self.broker("list", "--json").json()["releases"]
        self.assertEqual({one["product"]: one["vendor"] for one in releases},
                         {"acme/clothes": "vendor", "theirs/net": "stranger"})

    def test_may_be_believed_by_the_same_trust_again(self):
        self.build_release(self.succeed, "next.seal", 101)
        self.broker("add", "next.seal", "--trust", "vendor.pub")

    def test_whose_trust_is_replaced_are_served_what_the_new_one_vouches_for(self):
        server = self.serve()
        self.succeed(*self.asking(server))
        self.foreign()
        run = self.broker("add", "theirs.seal", "--trust", "stranger.pub", "--replace-trust")
        self.assertIn("'acme/clothes' counter 100 is given out no longer", run.err)
        refused = {one["product"]: one["refused"] for one in self.broker("list", "--json").json()["releases"]}
        self.assertEqual(refused, {"acme/clothes": ["broker.vendor"], "theirs/net": []})
        run = self.run_tool(*self.asking(server))
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertIn("broker.vendor", run.err)

    def test_are_not_changed_by_a_bundle_that_is_refused(self):
        self.build_release(self.succeed, "old.seal", 5)
        (self.folder / "trust.toml").write_text(
            '[[signer]]\nrole = "authority"\nthreshold = 1\nkeys = ["vendor.pub"]\n')
        before = self.broker("log show", "--json").json()
        run = self.run_tool("broker", "add", "old.seal", "--dir", "broker", "--vendor", "new-one",
                            "--trust", "vendor.pub")
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertEqual(self.broker("log show", "--json").json(), before)


    def test_who_come_with_the_product_of_another_are_told_that_its_limits_are_not_theirs(self):
        self.broker("licence acme/clothes", "--instances", "1", "--lease", "600")
        (self.folder / "own.toml").write_text(POLICY % (self.measurement, self.root))
        self.broker("policy acme/clothes", "own.toml")
        theirs = self.digest_of(self.folder / "stranger.pub")
        self.foreign(product="acme/clothes")
        run = self.broker("add", "theirs.seal", "--vendor", "stranger", "--trust", "stranger.pub")
        for what, verb in (("a licence", "licence"), ("a policy of the broker's own", "policy")):
            self.assertIn(f"'acme/clothes' has {what} under another authority and none under this one: "
                          f"sealpack broker {verb} 'acme/clothes' --authority {theirs}", run.err)
        # Who has his own is told nothing, and nor is who has the limits already.
        self.broker("licence acme/clothes", "--lease", "60", "--authority", theirs)
        self.broker("policy acme/clothes", "own.toml", "--authority", theirs)
        self.foreign("later.seal", product="acme/clothes", counter=2)
        run = self.broker("add", "later.seal", "--vendor", "stranger")
        self.assertNotIn("under another authority", run.err)
        self.build_release(self.succeed, "next.seal", 101)
        self.assertNotIn("under another authority", self.broker("add", "next.seal").err)


class Licences(LifeCase):
    def test_hold_from_the_first_release_on(self):
        self.refused(USAGE, "--authority", "licence acme/new", "--lease", "60")
        said = self.broker("licence acme/new", "--authority", "vendor.pub", "--instances", "1", "--lease",
                           "600")
        self.assertIn("here yet", said.err)
        (self.folder / "own.toml").write_text(POLICY % (self.measurement, self.root))
        self.broker("policy acme/new own.toml", "--authority", self.digest_of(self.folder / "vendor.pub"))
        # It is known by its name now.
        self.broker("licence acme/new", "--instances", "1", "--lease", "900")
        self.succeed("build", "net.onnx", "--out", "new.seal", "--signer", "vendor.key", "--to",
                     "broker/broker.pub", "--product", "acme/new", "--counter", "1", "--policy",
                     "sim.toml", "-q")
        self.broker("add", "new.seal")
        server = self.serve()
        self.succeed(*self.asking(server, bundle="new.seal"))
        lease, = self.broker("list", "--json").json()["leases"]
        self.assertEqual(lease["product"], "acme/new")
        run = self.run_tool(*self.asking(server, bundle="new.seal"))
        self.assertIn("broker.licence-instances", run.err)

    def test_may_recall_what_is_not_here_yet(self):
        self.broker("revoke counter acme/new", "--below", "5", "--authority", "vendor.pub")
        self.succeed("build", "net.onnx", "--out", "new.seal", "--signer", "vendor.key", "--to",
                     "broker/broker.pub", "--product", "acme/new", "--counter", "4", "--policy",
                     "sim.toml", "-q")
        self.refused(REFUSED, "floor", "add", "new.seal")


@unittest.skipUnless(PROGRAM, "swtpm is not installed")
class Tpms(LifeCase):
    """From provisioning to a broker's licence and revocation, with a TPM in a process."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        made = cls.folder
        (made / "tpm.toml").write_text(TPM_POLICY)
        for arguments in (
                ("keygen", "grantor", "--type", "p256", "--out", "grantor", "--no-passphrase", "-q"),
                ("keygen", "device", "--type", "p256", "--out", "product", "--no-passphrase", "-q"),
                ("build", "net.onnx", "--out", "tpm.seal", "--signer", "vendor.key", "--to",
                 "broker/broker.pub", "--product", "camera", "--counter", "1", "--policy", "tpm.toml",
                 "-q"),
                ("broker", "add", "tpm.seal", "--dir", "broker", "-q")):
            run = cls.run_in(made, *arguments)
            assert run.status == OK, run.err

    def setUp(self):
        super().setUp()
        self.tpm = SoftwareTpm(self.folder.parent / (self.folder.name + "-tpm"))
        self.addCleanup(lambda: (self.tpm.stop(), shutil.rmtree(self.tpm.folder)))
        self.boot()

    def boot(self):
        """Measures something into PCRs 0 to 7, as firmware does (TPM2_PCR_Extend, SHA-256)."""
        for pcr in range(8):
            extended = struct.pack(">IH", 1, 0x0b) + bytes([pcr + 1]) * 32
            self.assertEqual(self.tpm.command(0x182, pcr, extended), 0)

    def provision(self):
        """The device's name, and proof and record of it."""
        def device(verb, *arguments):
            self.succeed("provision", verb, *arguments, "--tpm", self.tpm.tcti)

        device("enrol", "--out", "dev.request")
        name = self.succeed("provision", "show", "dev.request", "--json").json()["device"]
        self.succeed("provision", "answer", "dev.request", "--key", "product.key", "--ek-name", name,
                     "--grantor", "grantor.key", "--authority", "vendor.pub", "--product", "camera",
                     "--out", "dev.answer", "--record", "dev.record", "--floor", "0", "--minimum-policy", "0")
        device("install", "dev.answer", "--key", "dev.tpmkey", "--grantor", "grantor.pub", "--proof",
               "dev.proof")
        return name

    def asks_with_tpm(self, server):
        return self.run_tool("run", "tpm.seal", "--tee", "vm", "--tpm", self.tpm.tcti, "--trust",
                             "vendor.pub", "--broker", server.url, "--broker-key", "broker/grants.pub",
                             "--broker-ca", "broker/tls.crt", "--input", "x.npy", "--output", "y.npy",
                             "--force")

    def test_are_enrolled_by_what_provisioning_wrote_then_licensed_then_revoked(self):
        device = self.provision()
        server = self.serve()
        self.assertEqual(self.asks_with_tpm(server).status, REFUSED)
        said = self.broker("enrol", "--proof", "dev.proof", "--record", "dev.record", "--name", "rack 4")
        self.assertIn(device, said.err)
        self.broker("licence camera", "--device", "000b" + "ab" * 32)
        run = self.asks_with_tpm(server)
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertIn("broker.licence-device", run.err)
        self.broker("licence camera", "--device", device)
        run = self.asks_with_tpm(server)
        self.assertEqual(run.status, OK, run.err)
        self.broker("revoke device", device, "--because", "sold")
        run = self.asks_with_tpm(server)
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertIn("broker.revoked-device", run.err)
        self.broker("revoke device", device, "--end")
        self.broker("enrol", "--proof", "dev.proof", "--record", "dev.record", "--remove")
        self.assertEqual(self.asks_with_tpm(server).status, REFUSED)

    def test_are_not_enrolled_by_the_proof_of_another(self):
        self.provision()
        forged = bytearray((self.folder / "dev.proof").read_bytes())
        lines = forged.decode().split("\n")
        (self.folder / "cut.proof").write_text("\n".join(lines[:-3] + lines[-2:]))
        self.refused(10, "cut.proof", "enrol", "--proof", "cut.proof", "--record", "dev.record")
        self.refused(USAGE, "--record", "enrol", "--proof", "dev.proof")
        self.refused(USAGE, "--proof", "enrol", "--record", "dev.record")
        self.refused(USAGE, "--proof and --record", "enrol")
        self.refused(USAGE, "dev.record", "enrol", "--proof", "dev.record", "--record", "dev.record")


if __name__ == "__main__":
    unittest.main()
