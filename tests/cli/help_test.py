# SPDX-License-Identifier: Apache-2.0
"""The help of every verb that has an example: the example is one, and all exit codes are said."""

import re
import shlex
import subprocess
import unittest

from sealpack_case import TOOL

# Words of another group than the verb itself: `sealpack broker log show`.
GROUPS = ("attest", "broker", "policy", "provision")
CODES = {0, 2, 3, 10, 11, 12, 13, 14, 15, 16}


def help_of(*words):
    done = subprocess.run([TOOL, *words, "--help"], capture_output=True, text=True, check=True,
                          timeout=600)
    return done.stdout


def verbs_below(*words):
    """Every verb, as the words that name it."""
    listed = help_of(*words).partition("Subcommands:\n")[2]
    names = re.findall(r"(?m)^  ([a-z][a-z-]*)\b", listed)
    return [verb for name in names for verb in verbs_below(*words, name)] if names else [words]


def all_verbs():
    return [verb for group in GROUPS for verb in verbs_below(group)]


class Help(unittest.TestCase):
    def test_knows_the_verbs(self):
        verbs = all_verbs()
        self.assertGreater(len(verbs), 30)
        self.assertIn(("broker", "log", "verify"), verbs)
        self.assertIn(("attest", "measure", "snp"), verbs)

    def test_has_an_example_of_options_that_exist(self):
        for verb in all_verbs():
            text = help_of(*verb)
            with self.subTest(verb=verb):
                self.assertIn("\nExample:\n", text)
                examples = text.partition("\nExample:\n")[2].partition("\n\n")[0].splitlines()
                for line in examples:
                    words = shlex.split(line.partition(" > ")[0])
                    self.assertEqual(words[:1 + len(verb)], ["sealpack", *verb])
                    for word in words:
                        if word.startswith("--"):
                            self.assertRegex(text, rf"(?m)^  (-\w,)?(--[\w-]+,)*{word}\b", f"{verb}: {word}")

    def test_says_exit_codes_that_exist_once_and_in_order(self):
        for verb in all_verbs():
            listed = help_of(*verb).partition("Exit status:\n")[2]
            codes = [int(code) for code in re.findall(r"(?m)^  (\d+) +\S", listed)]
            with self.subTest(verb=verb):
                self.assertEqual(codes, sorted(set(codes)))
                self.assertLessEqual(set(codes), CODES)
                # Every verb takes a command line and reads files of limited size.
                self.assertLessEqual({0, 2, 3}, set(codes))


if __name__ == "__main__":
    unittest.main()
