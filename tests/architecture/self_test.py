#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checks find what they are for: each one is given a small tree with a planted violation."""

import contextlib
import io
import pathlib
import tempfile
import unittest

import folder_readmes
import include_layers
import loader_contents
import optee_symbols
import reason_codes
import rule_ids
import sizes
import try_in_new

HERE = pathlib.Path(__file__).parent


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def found(self, check):
        with contextlib.redirect_stdout(io.StringIO()):
            return "\n".join(check(self.root))


class IncludeLayers(Tree):
    def setUp(self):
        super().setUp()
        rows = (HERE / "layers.toml").read_text()
        self.write("tests/architecture/layers.toml", rows)

    def problems(self, path, line):
        self.write(path, f"{line}\n")
        return [p for p in include_layers.check(self.root) if p.startswith(f"{path}:")]

    def refuses(self, path, line):
        self.assertEqual(len(self.problems(path, line)), 1, f"{path}: {line}")

    def accepts(self, path, line):
        self.assertEqual(self.problems(path, line), [])

    def test_an_arrow_may_not_point_up(self):
        self.refuses("unpacker/core/bundle.cc", '#include "packer/core/build.h"')
        self.refuses("unpacker/core/bundle.cc", '#include "formats/files/file_source.h"')
        self.refuses("unpacker/core/bundle.h", '#include "attest/verify/snp.h"')
        self.refuses("formats/base/bytes.h", '#include "formats/bundle/head.h"')
        self.refuses("keymgmt/slots/slots.cc", '#include "keymgmt/keystore/pem.h"')
        self.refuses("formats/bundle/head.cc", '#include "keymgmt/slots/slots.h"')
        self.accepts("unpacker/core/bundle.cc", '#include "keymgmt/slots/slots.h"')

    def test_cryptography_has_one_home(self):
        self.refuses("packer/core/build.cc", "#include <openssl/evp.h>")
        self.refuses("keymgmt/keystore/pem.cc", "#include <sodium.h>")
        self.refuses("keymgmt/crypto/kdf.cc", "#include <sodium.h>")
        self.refuses("formats/bundle/tree.cc", "#include <intel-ipsec-mb.h>")
        self.accepts("keymgmt/crypto/kdf.cc", "#include <openssl/kdf.h>")

    def test_foreign_headers_stay_where_they_belong(self):
        self.refuses("packer/core/build.h", "#include <CLI/CLI.hpp>")
        self.refuses("unpacker/core/bundle.cc", "#include <nlohmann/json.hpp>")
        self.refuses("formats/bundle/head.cc", '#include "formats/bundle/sealpack.pb.h"')
        self.refuses("formats/files/glob.cc", "#include <archive.h>")
        self.refuses("packer/verbs/build.cc", "#  include <toml++/toml.h>")
        self.refuses("formats/models/gguf.cc", "#include <never_heard_of.h>")
        self.accepts("formats/bundle/encode.cc", '#include "formats/bundle/sealpack.pb.h"')

    def test_the_loader_has_no_system_under_it(self):
        self.refuses("unpacker/core/bundle.cc", "#include <unistd.h>")
        self.refuses("formats/bundle/head.cc", "#include <thread>")
        self.refuses("keymgmt/slots/slots.cc", "#include <fstream>")
        self.refuses("formats/models/safetensors_header.cc", "#include <filesystem>")
        self.accepts("formats/files/parallel.cc", "#include <thread>")

    def test_a_new_folder_needs_a_row(self):
        self.refuses("packer/tricks/trick.cc", "#include <vector>")

    def test_a_row_needs_a_file(self):
        rows = (HERE / "layers.toml").read_text() + '[layer."formats/gone.cc"]\nuses = []\n'
        self.write("tests/architecture/layers.toml", rows)
        self.assertIn("formats/gone.cc belongs to no file", self.found(include_layers.check))


class FolderReadmes(Tree):
    def test_a_folder_without_one(self):
        self.write("formats/base/bytes.h", "")
        self.assertIn("formats/base: has no README.md", self.found(folder_readmes.check))

    def test_one_that_says_nothing_or_too_much(self):
        self.write("formats/base/bytes.h", "")
        for lines in (1, 21):
            self.write("formats/base/README.md", "line\n" * lines)
            self.assertIn(f"{lines} lines", self.found(folder_readmes.check))
        self.write("formats/base/README.md", "line\n" * 5)
        self.assertEqual(self.found(folder_readmes.check), "")


class ReasonCodes(Tree):
    PAGE = "| code | |\n|---|---|\n"

    def setUp(self):
        super().setUp()
        self.write("attest/verify/snp/snp.cc", 'add("snp.size"); add("snp.key-" + kind);\n')
        self.write("attest/verify/snp/kinds.cc", 'kind = "missing";\n')
        self.write("docs/snp.md", self.PAGE + "| `snp.size`, `snp.key-missing` | it is wrong |\n")
        self.write("tests/snp_test.cc", 'Refused("snp.size"); Refused("snp.key-missing");\n')

    def test_documented_and_tested(self):
        self.assertEqual(self.found(reason_codes.check), "")

    def test_a_code_without_documentation(self):
        self.write("attest/verify/snp/more.cc", 'add("snp.age");\n')
        self.assertIn("snp.age is in no table", self.found(reason_codes.check))

    def test_a_mention_outside_the_tables_is_no_documentation(self):
        self.write("attest/verify/snp/more.cc", 'add("snp.age");\n')
        self.write("docs/more.md", "`snp.age`\n\n| claim | |\n|---|---|\n| `snp.age` | |\n")
        self.assertIn("snp.age is in no table", self.found(reason_codes.check))

    def test_a_code_on_two_pages(self):
        self.write("docs/more.md", self.PAGE + "| `snp.size` | once more |\n")
        self.assertIn("snp.size is on 2 pages", self.found(reason_codes.check))

    def test_documentation_of_no_code(self):
        self.write("docs/more.md", self.PAGE + "| `snp.gone`, `.key-broken` | |\n")
        found = self.found(reason_codes.check)
        self.assertIn("snp.gone is given by no code", found)
        self.assertIn("snp.key-broken is given by no code", found)

    def test_a_code_that_no_test_expects(self):
        self.write("tests/snp_test.cc", 'Refused("snp.size"); // snp.key-missing\n')
        self.assertIn("snp.key-missing is expected by no test", self.found(reason_codes.check))

    def test_a_family_that_is_not_known(self):
        self.write("attest/verify/new/new.cc", 'add("new.size"); load("root.der");\n')
        found = self.found(reason_codes.check)
        self.assertIn("new.size is of no family", found)
        self.assertNotIn("root.der", found)


class RuleIds(Tree):
    def test_a_rule_that_does_not_exist(self):
        self.write("docs/FORMAT.md", "### 1.1 Rules\n* **[F-1.1.1]** A rule.\n")
        self.write("tests/a_test.cc", "// F-1.1.1, F-1.1, UTF-8.1\n")
        self.assertEqual(self.found(rule_ids.check), "")
        self.write("tests/b_test.cc", "// F-1.1.2\n")
        self.write("formats/b.cc", "// [F-9.9]\n")
        found = self.found(rule_ids.check)
        self.assertIn("tests/b_test.cc: cites F-1.1.2", found)
        self.assertIn("formats/b.cc: cites F-9.9", found)

    def test_a_rule_defined_twice(self):
        self.write("docs/FORMAT.md", "* **[F-1.1.1]** A rule.\n* **[F-1.1.1]** Another.\n")
        self.assertIn("F-1.1.1 is defined twice", self.found(rule_ids.check))


class Sizes(Tree):
    def setUp(self):
        super().setUp()
        self.write("tests/architecture/sizes_allowed.txt", "")

    def test_a_long_file(self):
        self.write("formats/long.cc", "int x;\n" * 450)
        self.assertEqual(self.found(sizes.check), "")
        self.write("formats/long.cc", "int x;\n" * 451)
        self.assertIn("formats/long.cc: 451 lines", self.found(sizes.check))

    def test_a_long_function(self):
        short = "int f(int a,\n      int b) {\n" + "  a;\n" * 57 + "}\n"
        self.write("formats/f.cc", short)
        self.assertEqual(self.found(sizes.check), "")
        self.write("formats/f.cc", short.replace("}", "  b;\n}"))
        self.assertIn("formats/f.cc:1: a function of 61 lines", self.found(sizes.check))

    def test_the_allow_list_needs_a_reason_and_a_use(self):
        self.write("tests/architecture/sizes_allowed.txt", "formats/f.cc\n")
        found = self.found(sizes.check)
        self.assertIn("formats/f.cc has no reason", found)
        self.assertIn("formats/f.cc is no longer long", found)


class TryInNew(Tree):
    def test_on_one_line_and_on_several(self):
        for text in ("*out = new T{TRY(f())};\n", "p.reset(new a::T<int>(\n    1, TRY(f())));\n"):
            self.write("formats/f.cc", "\n" + text)
            self.assertEqual(self.found(try_in_new.check), "formats/f.cc:2: TRY inside a new-expression")

    def test_before_it_and_after_it(self):
        self.write("formats/f.cc", "T t = TRY(f());\n*out = new T{t};\nTRY(g());\n// a new one: TRY(x)\n")
        self.assertEqual(self.found(try_in_new.check), "")


class LoaderContents(unittest.TestCase):
    GOLDEN = "# why\na.cc\nforeign library Crypto\noptional: fast.cc\n"

    def test_the_same(self):
        for actual in ("a.cc\nforeign library Crypto\n", "a.cc\nfast.cc\nforeign library Crypto\n"):
            self.assertEqual(loader_contents.differences(self.GOLDEN, actual), [])

    def test_more_or_less(self):
        found = loader_contents.differences(self.GOLDEN, "a.cc\nb.cc\n")
        self.assertEqual(found, ["new in the loader: b.cc",
                                 "no longer in the loader: foreign library Crypto"])


class OpteeSymbols(unittest.TestCase):
    GOLDEN = "# comment\nmemcpy\nEVP_*\noptional: sqrt\nget*\n"

    def test_the_same(self):
        for symbols in ({"memcpy", "EVP_Digest", "getauxval"}, {"memcpy", "EVP_X", "getauxval", "sqrt"}):
            self.assertEqual(optee_symbols.differences(self.GOLDEN, symbols), [])

    def test_more_or_less(self):
        found = optee_symbols.differences(self.GOLDEN, {"memcpy", "getenv", "write", "open64"})
        self.assertEqual(found, ["forbidden in a TEE: getenv", "forbidden in a TEE: open64",
                                 "new in the trusted application: write",
                                 "no longer in the trusted application: EVP_*"])

    def test_reads_what_nm_prints(self):
        self.assertEqual(optee_symbols.undefined_symbols("                 U memcpy\n\n  U abort\n"),
                         {"memcpy", "abort"})


if __name__ == "__main__":
    unittest.main()
