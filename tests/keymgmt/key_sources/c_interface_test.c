/* SPDX-License-Identifier: Apache-2.0 */
/* The header in C11, against the shared library. */
#include <sealpack/key_sources.h>
#include <stdio.h>

static int failures = 0;

static void expect(int got, int wanted, const char* what) {
  if (got == wanted) return;
  (void)fprintf(stderr, "%s: %s, not %s\n", what, sealpack_code_name(got),
                sealpack_code_name(wanted));
  ++failures;
}

int main(void) {
  sealpack_error error;
  sealpack_machine* machine = NULL;
  sealpack_machine_options options = SEALPACK_INIT(sealpack_machine_options);
  expect(sealpack_machine_open(&options, &machine, &error), SEALPACK_USAGE, "a machine of no type");
  options.tee = "tdx";
  expect(sealpack_machine_open(&options, &machine, &error), SEALPACK_OK, "a machine");
  sealpack_environment environment = SEALPACK_INIT(sealpack_environment);
  expect(sealpack_machine_describe(machine, &environment, NULL, &error), SEALPACK_OK, "describe");
  expect(environment.evidence == NULL, 0, "its evidence");
  expect(sealpack_machine_cap(machine, &error), SEALPACK_UNSUPPORTED, "cap without a key");
  sealpack_machine_close(machine);

  sealpack_broker* broker = NULL;
  sealpack_broker_options where = SEALPACK_INIT(sealpack_broker_options);
  expect(sealpack_broker_open(&where, &broker, &error), SEALPACK_USAGE, "a broker nowhere");
  where.url = "https://127.0.0.1:1";
  expect(sealpack_broker_open(&where, &broker, &error), SEALPACK_OK, "a broker");
  expect(sealpack_bundle_unlock_broker(NULL, broker, "tdx", &error), SEALPACK_USAGE, "no bundle");
  sealpack_broker_close(broker);
  return failures == 0 ? 0 : 1;
}
