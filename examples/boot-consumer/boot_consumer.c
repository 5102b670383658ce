/* SPDX-License-Identifier: Apache-2.0 */
/* A service that brings up a sealed model at boot: open and verify the bundle, unlock it, make the
 * model ready, see whether it answers, and only then confirm the release, so that a device whose
 * new model does not work can fall back to the one before. The exit status is the code of the
 * error, as with the sealpack tool. */
#include <sealpack/loader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
  const char* bundle;
  const char* trust;
  const char* key;
  const char* counters; /* or NULL */
  unsigned long memory; /* bytes; 0: no limit */
} arguments;

static void print_log(void* context, int level, const char* message) {
  (void)context;
  /* <4> and <6> are the priorities that systemd's journal reads. */
  fprintf(stderr, "<%d>%s\n", level == SEALPACK_LOG_WARNING ? 4 : 6, message);
}

static int fail(const char* what, const sealpack_error* error) {
  fprintf(stderr, "<3>boot-consumer: %s: %s (%s)\n", what, error->message,
          sealpack_code_name(error->code));
  if (error->hint[0] != 0) fprintf(stderr, "<3>boot-consumer: %s\n", error->hint);
  return error->code;
}

static void wipe(void* memory, size_t size) {
  volatile unsigned char* bytes = memory;
  while (size-- > 0) *bytes++ = 0;
}

/* The key comes as a credential of the service, whose file belongs to root: its bytes are read here
 * and given to the loader, whose own function insists on a file of this user alone. */
static int unlock(sealpack_bundle* bundle, const char* path, sealpack_error* error) {
  static unsigned char key[65536];
  FILE* file = fopen(path, "rb");
  if (file == NULL) {
    snprintf(error->message, sizeof error->message, "cannot open the key %s", path);
    error->hint[0] = 0;
    return error->code = SEALPACK_IO;
  }
  setvbuf(file, NULL, _IONBF, 0); /* no second copy */
  const size_t size = fread(key, 1, sizeof key, file);
  fclose(file);
  const int code = sealpack_bundle_unlock_key_bytes(bundle, key, size, NULL, error);
  wipe(key, sizeof key);
  return code;
}

/* The health check: the model answers a run on zeros. What is healthy is the application's affair;
 * a real one compares answers to known questions. */
static int try_model(sealpack_bundle* bundle, sealpack_error* error) {
  sealpack_model_info info = SEALPACK_INIT(sealpack_model_info);
  int code = sealpack_model_load(bundle, NULL, &info, error);
  if (code != SEALPACK_OK) return code;
  sealpack_value* inputs = calloc(info.input_count + 1, sizeof *inputs);
  sealpack_value* outputs = calloc(info.output_count + 1, sizeof *outputs);
  for (size_t i = 0; code == SEALPACK_OK && i < info.input_count; ++i) {
    inputs[i].struct_size = sizeof inputs[i];
    code = sealpack_model_input(bundle, i, &inputs[i], error);
    inputs[i].data = calloc(1, inputs[i].size + 1);
  }
  for (size_t i = 0; code == SEALPACK_OK && i < info.output_count; ++i) {
    outputs[i].struct_size = sizeof outputs[i];
    code = sealpack_model_output(bundle, i, &outputs[i], error);
    outputs[i].data = calloc(1, outputs[i].size + 1);
  }
  sealpack_run_counters counters = SEALPACK_INIT(sealpack_run_counters);
  if (code == SEALPACK_OK) {
    code = sealpack_model_run(bundle, inputs, info.input_count, outputs, info.output_count,
                              &counters, error);
  }
  if (code == SEALPACK_OK) {
    printf("model: answers, %llu bytes at its peak, %llu bytes of weights read\n",
           (unsigned long long)info.peak, (unsigned long long)counters.weights_read);
  }
  for (size_t i = 0; i < info.input_count; ++i) free(inputs[i].data);
  for (size_t i = 0; i < info.output_count; ++i) free(outputs[i].data);
  free(inputs);
  free(outputs);
  return code;
}

/* A bundle of weights without a graph: one tensor is read instead. */
static int try_tensor(sealpack_bundle* bundle, sealpack_error* error) {
  size_t count = 0;
  int code = sealpack_tensor_count(bundle, &count, error);
  if (code != SEALPACK_OK || count == 0) return code;
  sealpack_tensor tensor = SEALPACK_INIT(sealpack_tensor);
  code = sealpack_tensor_describe(bundle, 0, &tensor, error);
  if (code != SEALPACK_OK) return code;
  void* bytes = malloc(tensor.size + 1);
  code = sealpack_tensor_pread(bundle, 0, 0, bytes, tensor.size, error);
  if (code == SEALPACK_OK) {
    printf("tensor %s: %llu bytes\n", tensor.name, (unsigned long long)tensor.size);
    wipe(bytes, tensor.size);
  }
  free(bytes);
  return code;
}

static int bring_up(sealpack_session* session, const arguments* given, sealpack_error* error) {
  sealpack_bundle* bundle = NULL;
  if (sealpack_bundle_open_path(session, given->bundle, NULL, &bundle, error) != SEALPACK_OK) {
    return fail("opening", error);
  }
  sealpack_bundle_info info = SEALPACK_INIT(sealpack_bundle_info);
  sealpack_bundle_get_info(bundle, &info, NULL);
  printf("%s %s, counter %llu\n", info.product, info.version, (unsigned long long)info.counter);
  int code = unlock(bundle, given->key, error);
  if (code != SEALPACK_OK) {
    fail("unlocking", error);
  } else {
    code = try_model(bundle, error);
    if (code == SEALPACK_UNSUPPORTED) code = try_tensor(bundle, error);
    if (code != SEALPACK_OK) fail("health check", error);
  }
  if (code == SEALPACK_OK && given->counters != NULL) {
    code = sealpack_bundle_confirm(bundle, error);
    if (code != SEALPACK_OK) fail("confirming", error);
    if (code == SEALPACK_OK) printf("confirmed: releases before this one will not open again\n");
  }
  sealpack_bundle_close(bundle);
  return code;
}

int main(int argc, char** argv) {
  if (argc < 4 || argc > 6) {
    fprintf(stderr, "usage: boot_consumer BUNDLE TRUST KEY [COUNTERS [MEMORY-BYTES]]\n");
    return SEALPACK_USAGE;
  }
  if (sealpack_loader_abi() != SEALPACK_LOADER_ABI) {
    fprintf(stderr, "<3>boot-consumer: built for another libsealpack-loader\n");
    return SEALPACK_INTERNAL;
  }
  const arguments given = {argv[1], argv[2], argv[3], argc > 4 ? argv[4] : NULL,
                           argc > 5 ? strtoul(argv[5], NULL, 10) : 0};
  sealpack_error error;
  sealpack_trust* trust = NULL;
  if (sealpack_trust_load(given.trust, &trust, &error) != SEALPACK_OK) {
    return fail("trust", &error);
  }
  sealpack_hooks hooks = SEALPACK_INIT(sealpack_hooks);
  hooks.log = print_log;
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.trust = trust;
  options.hooks = &hooks;
  options.counter_file = given.counters;
  options.memory_limit = given.memory;
  sealpack_session* session = NULL;
  int code = sealpack_session_create(&options, &session, &error);
  sealpack_trust_free(trust);
  if (code != SEALPACK_OK) return fail("session", &error);
  code = bring_up(session, &given, &error);
  sealpack_session_close(session);
  return code;
}
