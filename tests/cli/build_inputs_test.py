#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `sealpack build` takes: sealpack.toml, archives, folders with links.

    build_inputs_test.py SEALPACK [unittest arguments]
"""

import io
import json
import os
import zipfile

from build_case import (IO, MALFORMED, UNSUPPORTED, ALICE, BuildCase, main, public_key,
                        safetensors, tar, zstd)


class Config(BuildCase):
    TEXT = """
[model]
path = "models/m.safetensors"
[seal]
seal = ["head"]
redact = "names"
[recipients]
to = ["keys/r.pub"]
[release]
out = "out/b.seal"
signer = ["../vendor.key"]
product = "acme/ranker"
version = "3"
counter = 12
"""

    def setUp(self):
        super().setUp()
        self.put("project/models/m.safetensors", safetensors({"body": 30, "head": 10}))
        self.put("project/keys/r.pub", public_key("recipient", ALICE))
        (self.home / "project/out").mkdir()
        self.put("project/sealpack.toml", self.TEXT)

    def json_of(self, *arguments, cwd=None):
        return json.loads(self.succeeds(self.run_tool("build", "--json", *arguments, cwd=cwd)).stdout)

    def test_paths_are_relative_to_the_file(self):
        report = self.json_of("--config", "project/sealpack.toml")
        self.assertEqual((report["product"], report["version"], report["counter"]),
                         ("acme/ranker", "3", 12))
        self.assertEqual(report["summary"]["sealed"]["bytes"], 10)
        self.assertTrue((self.home / "project/out/b.seal").exists())

    def test_the_file_in_the_folder_is_enough(self):
        self.json_of(cwd=self.home / "project")
        self.assertTrue((self.home / "project/out/b.seal").exists())

    def test_flags_override_it(self):
        report = self.json_of("--config", "project/sealpack.toml", "--out", "out/other.seal", "--product",
                              "p", "--counter", "99", "--public", "head", "--version", "4")
        self.assertEqual((report["product"], report["version"], report["counter"]), ("p", "4", 99))
        self.assertEqual(report["summary"]["public"]["bytes"], 10)  # instead of sealed
        self.assertEqual(self.bundles(), ["other.seal"])

    def test_faults_are_named_with_their_line(self):
        for line, fault, words in (("[model]", "[model]\nsurprise = 1", [":3:", "unknown key 'surprise'"]),
                                   ("[seal]", "[weights]\nx = 1\n[seal]", [":4:", "'weights'"]),
                                   ("counter = 12", 'counter = "many"', [":14:", "counter"]),
                                   ("counter = 12", "counter = 12\ncounter = 13", [":15:"])):
            self.put("project/sealpack.toml", self.TEXT.replace(line, fault))
            result = self.run_tool("build", "--config", "project/sealpack.toml")
            self.fails(result, MALFORMED, "sealpack.toml", *words)
        self.fails(self.run_tool("build", "--config", "none.toml"), IO, "none.toml")


class Inputs(BuildCase):
    FILES = {"m/config.json": b"{}", "m/w.safetensors": safetensors({"w": 200_000})}

    def check_archive(self, name, data):
        self.put(name, data)
        report = self.report("--force", model=name)
        self.assertEqual({entry["file"]: entry["place"] for entry in report["entries"]},
                         {"config.json": "public", "w.safetensors": "sealed"})
        self.assertEqual(self.bundles(), ["b.seal"])

    def test_archives(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in self.FILES.items():
                archive.writestr(name, data)
        self.check_archive("model.zip", out.getvalue())
        self.check_archive("model.tar", tar(self.FILES))
        self.check_archive("model.tar.gz", tar(self.FILES, mode="w:gz"))
        self.check_archive("model.tgz", tar(self.FILES, mode="w:gz"))
        self.check_archive("model.tar.zst", zstd(tar(self.FILES)))

    def test_archives_that_would_leave_their_folder(self):
        for name in ("../evil", "/etc/evil", "a/../../evil", "a/./b", "a\\b", "C:evil", "e\x1bvil"):
            self.put("model.tar", tar({**self.FILES, name: b"x"}))
            result = self.build(model="model.tar")
            self.fails(result, MALFORMED)
            self.assertNotIn(b"\x1b", result.stderr)
        self.put("model.tar", tar(self.FILES, links=[("m/link", "/etc/passwd")]))
        result = self.build(model="model.tar")
        self.assertIn(result.returncode, (IO, MALFORMED, UNSUPPORTED))
        self.assertEqual(self.bundles(), [])
        self.put("model.tar", tar({"a/x": b"1", "a/X": b"2"}))
        self.fails(self.build(model="model.tar"), MALFORMED)

    def test_archives_that_end_early(self):
        whole = tar(self.FILES, mode="w:gz")
        for size in (len(whole) // 2, len(whole) - 9):
            self.put("model.tar.gz", whole[:size])
            self.fails(self.build(model="model.tar.gz"), MALFORMED)

    def test_links_in_folders(self):
        self.put("folder/w.safetensors", safetensors({"w": 10}))
        for target in ("/etc/passwd", "w.safetensors", "../r.pub", "nowhere"):
            os.symlink(target, self.home / "folder/link")
            self.fails(self.build(model="folder"), IO, "symbolic link")
            os.remove(self.home / "folder/link")
        os.mkfifo(self.home / "folder/fifo")
        self.fails(self.build(model="folder"), IO, "FIFO")

    def test_the_cache_of_the_hub(self):
        self.put("hub/blobs/abc", safetensors({"w": 10}))
        revision = self.home / "hub/snapshots/1234"
        revision.mkdir(parents=True)
        os.symlink("../../blobs/abc", revision / "model.safetensors")
        report = self.report(model=revision)
        self.assertEqual(report["entries"][0]["file"], "model.safetensors")
        os.symlink("../../../r.pub", revision / "stray")
        result = self.build("--force", model=revision)
        self.assertEqual(result.returncode, IO)

    def test_version_control_is_left_out_by_name(self):
        self.put("folder/w.safetensors", safetensors({"w": 10}))
        self.put("folder/.git/config", "[core]")
        self.assertEqual(self.report(model="folder")["excluded"],
                         [{"file": ".git", "because": "version control data"}])


if __name__ == "__main__":
    main()
