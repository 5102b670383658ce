# SPDX-License-Identifier: Apache-2.0
import contextlib
import sqlite3
import unittest

from broker_case import BrokerCase
from sealpack_case import TRY_AGAIN, USAGE


class BrokerClock(BrokerCase):
    def test_a_clock_behind_the_log_stops_it_until_it_is_confirmed(self):
        with contextlib.closing(sqlite3.connect(self.folder / "broker/store.db")) as store, store:
            store.execute("UPDATE head SET last_time = last_time + 1000000")
        server = self.serve()
        self.assertIn("reconcile --clock", server.text())
        run = self.run_tool(*self.asking(server))
        self.assertEqual(run.status, TRY_AGAIN, run.err)
        self.assertIn("broker.clock", run.err)
        self.fail_with(USAGE, "excludes", "broker", "reconcile", "--clock",
                       "--no-lease-is-missing", "--dir", "broker")
        self.broker("reconcile", "--clock")
        self.succeed(*self.asking(server))
        changes = [entry.get("what", "") for entry in self.broker("log show", "--json").json()]
        self.assertIn("confirm clock", "".join(changes))


if __name__ == "__main__":
    unittest.main()
