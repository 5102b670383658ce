/* SPDX-License-Identifier: Apache-2.0 */
/* The interface from C11: every function rightly used on a released bundle, and every function
 * misused. c_interface_test VECTORS */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sealpack/loader.h"

static int failures = 0;

/* Expects a code of a call, and that the error says the same. */
#define EXPECT(expected, call)                                                               \
  do {                                                                                       \
    sealpack_error error;                                                                    \
    memset(&error, 0x7f, sizeof error);                                                      \
    int got = (call);                                                                        \
    if (got != (expected)) {                                                                 \
      ++failures;                                                                            \
      fprintf(stderr, "line %d: %s gave %s: %s\n", __LINE__, #call, sealpack_code_name(got), \
              got == 0 ? "" : error.message);                                                \
    } else if (got != 0 && (error.code != got || error.message[0] == 0 ||                    \
                            memchr(error.message, 0, sizeof error.message) == NULL ||        \
                            memchr(error.hint, 0, sizeof error.hint) == NULL)) {             \
      ++failures;                                                                            \
      fprintf(stderr, "line %d: %s does not explain itself\n", __LINE__, #call);             \
    }                                                                                        \
  } while (0)
#define CHECK(condition)                                                \
  do {                                                                  \
    if (!(condition)) {                                                 \
      ++failures;                                                       \
      fprintf(stderr, "line %d: not true: %s\n", __LINE__, #condition); \
    }                                                                   \
  } while (0)

static char folder[1024];

static const char* vector(const char* name) {
  static char path[4][2048];
  static int next = 0;
  char* out = path[next++ % 4];
  snprintf(out, sizeof path[0], "%s/%s", folder, name);
  return out;
}

/* A whole small file; the caller frees it. */
static void* load(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  char* bytes = malloc(65536);
  if (file == NULL || bytes == NULL) {
    fprintf(stderr, "cannot read %s\n", path);
    exit(1);
  }
  *size = fread(bytes, 1, 65536, file);
  fclose(file);
  return bytes;
}

static int is_zero(const void* buffer, size_t size) {
  const unsigned char* bytes = buffer;
  for (size_t i = 0; i < size; ++i) {
    if (bytes[i] != 0) return 0;
  }
  return 1;
}

static void versions(void) {
  CHECK(sealpack_loader_abi() == SEALPACK_LOADER_ABI);
  CHECK(strchr(sealpack_loader_version(), '.') != NULL);
  CHECK(strcmp(sealpack_code_name(SEALPACK_NOT_AUTHENTIC), "not-authentic") == 0);
  CHECK(strcmp(sealpack_code_name(4711), "unknown") == 0);
}

static sealpack_trust* tiny_trust(void) {
  sealpack_trust* trust = NULL;
  EXPECT(SEALPACK_OK,
         sealpack_trust_load(vector("keys/NOT-A-SECRET-vendor-ed25519.pub"), &trust, &error));
  return trust;
}

static void trusts(void) {
  sealpack_trust* trust = (sealpack_trust*)&failures;
  EXPECT(SEALPACK_IO, sealpack_trust_load("/nowhere/a.pub", &trust, &error));
  CHECK(trust == NULL);
  EXPECT(SEALPACK_USAGE, sealpack_trust_load(NULL, &trust, &error));
  EXPECT(SEALPACK_USAGE, sealpack_trust_load("a", NULL, &error));
  EXPECT(SEALPACK_USAGE,
         sealpack_trust_load(vector("keys/NOT-A-SECRET-recipient-x25519.pub"), &trust, &error));

  const char* toml =
      "product = \"tiny\"\ncounter_floor = 3\n"
      "[authority]\nkeys = [\"NOT-A-SECRET-vendor-ed25519.pub\"]\n";
  EXPECT(SEALPACK_OK, sealpack_trust_parse(toml, strlen(toml), vector("keys"), &trust, &error));
  sealpack_trust_free(trust);
  EXPECT(SEALPACK_MALFORMED,
         sealpack_trust_parse(toml, strlen(toml) - 3, vector("keys"), &trust, &error));
  EXPECT(SEALPACK_IO, sealpack_trust_parse(toml, strlen(toml), "/nowhere", &trust, &error));
  EXPECT(SEALPACK_USAGE, sealpack_trust_parse(NULL, 3, "/", &trust, &error));
  EXPECT(SEALPACK_USAGE, sealpack_trust_parse(toml, strlen(toml), NULL, &trust, &error));
  EXPECT(SEALPACK_LIMIT, sealpack_trust_parse(toml, (size_t)1 << 40, "/", &trust, &error));
  CHECK(trust == NULL);
  sealpack_trust_free(NULL);
}

static void trust_structs(void) {
  sealpack_trust* trust = NULL;
  sealpack_public_key key = SEALPACK_INIT(sealpack_public_key);
  key.role = "authority";
  key.path = vector("keys/NOT-A-SECRET-vendor-ed25519.pub");
  sealpack_trust_options options = SEALPACK_INIT(sealpack_trust_options);
  EXPECT(SEALPACK_USAGE, sealpack_trust_create(NULL, &trust, &error));
  EXPECT(SEALPACK_USAGE, sealpack_trust_create(&options, &trust, &error)); /* no keys */
  options.keys = &key;
  options.key_count = 1;
  EXPECT(SEALPACK_OK, sealpack_trust_create(&options, &trust, &error));
  sealpack_trust_free(trust);
  options.counter_floor = 4;
  EXPECT(SEALPACK_USAGE, sealpack_trust_create(&options, &trust, &error)); /* of which product? */
  options.counter_floor = 0;
  options.authority_threshold = 2;
  EXPECT(SEALPACK_USAGE, sealpack_trust_create(&options, &trust, &error));
  options.authority_threshold = 0;
  options.key_count = 1000;
  EXPECT(SEALPACK_LIMIT, sealpack_trust_create(&options, &trust, &error));
  options.key_count = 1;
  key.role = "publisher";
  EXPECT(SEALPACK_USAGE, sealpack_trust_create(&options, &trust, &error));
  key.role = "king";
  EXPECT(SEALPACK_USAGE, sealpack_trust_create(&options, &trust, &error));
  key.role = NULL;
  EXPECT(SEALPACK_USAGE, sealpack_trust_create(&options, &trust, &error));
  key.role = "authority";
  key.data = "x";
  EXPECT(SEALPACK_USAGE, sealpack_trust_create(&options, &trust, &error)); /* path and data */
  key.path = NULL;
  key.data_size = 1;
  EXPECT(SEALPACK_MALFORMED, sealpack_trust_create(&options, &trust, &error));
  key.struct_size = 0;
  EXPECT(SEALPACK_USAGE, sealpack_trust_create(&options, &trust, &error));

  sealpack_public_key twice[2] = {SEALPACK_INIT(sealpack_public_key),
                                  SEALPACK_INIT(sealpack_public_key)};
  for (int i = 0; i < 2; ++i) {
    twice[i].role = "authority";
    twice[i].path = vector("keys/NOT-A-SECRET-vendor-ed25519.pub");
  }
  options.keys = twice;
  options.key_count = 2;
  EXPECT(SEALPACK_USAGE, sealpack_trust_create(&options, &trust, &error));
  CHECK(trust == NULL);
}

/* A struct of a version that does not exist yet. */
static void newer_structs(void) {
  struct {
    sealpack_trust_options known;
    uint64_t added;
  } newer;
  memset(&newer, 0, sizeof newer);
  newer.known.struct_size = sizeof newer;
  sealpack_public_key key = SEALPACK_INIT(sealpack_public_key);
  key.role = "authority";
  key.path = vector("keys/NOT-A-SECRET-vendor-ed25519.pub");
  newer.known.keys = &key;
  newer.known.key_count = 1;
  sealpack_trust* trust = NULL;
  EXPECT(SEALPACK_OK, sealpack_trust_create(&newer.known, &trust, &error));
  sealpack_trust_free(trust);
  newer.added = 1;
  EXPECT(SEALPACK_UNSUPPORTED, sealpack_trust_create(&newer.known, &trust, &error));
  newer.known.struct_size = (size_t)1 << 30;
  EXPECT(SEALPACK_USAGE, sealpack_trust_create(&newer.known, &trust, &error));
}

static sealpack_session* make_session(const sealpack_trust* trust) {
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  options.trust = trust;
  sealpack_session* session = NULL;
  EXPECT(SEALPACK_OK, sealpack_session_create(&options, &session, &error));
  return session;
}

static void* no_memory(void* context, size_t size) {
  (void)context;
  (void)size;
  return NULL;
}

static void sessions(const sealpack_trust* trust) {
  sealpack_session_options options = SEALPACK_INIT(sealpack_session_options);
  sealpack_session* session = (sealpack_session*)&failures;
  EXPECT(SEALPACK_USAGE, sealpack_session_create(NULL, &session, &error));
  EXPECT(SEALPACK_USAGE, sealpack_session_create(&options, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_session_create(&options, &session, &error)); /* no trust */
  CHECK(session == NULL);
  options.trust = trust;
  options.answer_form = 9;
  EXPECT(SEALPACK_USAGE, sealpack_session_create(&options, &session, &error));
  options.answer_form = 0;
  options.max_readers = 100000;
  EXPECT(SEALPACK_LIMIT, sealpack_session_create(&options, &session, &error));
  options.max_readers = 0;
  sealpack_allocator allocator = SEALPACK_INIT(sealpack_allocator);
  allocator.allocate = no_memory;
  options.allocator = &allocator;
  EXPECT(SEALPACK_USAGE, sealpack_session_create(&options, &session, &error)); /* no release */
  options.allocator = NULL;
  sealpack_spill spill = SEALPACK_INIT(sealpack_spill);
  options.spill = &spill;
  EXPECT(SEALPACK_USAGE, sealpack_session_create(&options, &session, &error));
  options.spill = NULL;
  sealpack_environment environment = SEALPACK_INIT(sealpack_environment);
  options.environment = &environment;
  EXPECT(SEALPACK_USAGE, sealpack_session_create(&options, &session, &error));
  options.environment = NULL;
  sealpack_counters counters = SEALPACK_INIT(sealpack_counters);
  options.counters = &counters;
  EXPECT(SEALPACK_USAGE, sealpack_session_create(&options, &session, &error));
  options.counter_file = "x";
  EXPECT(SEALPACK_USAGE, sealpack_session_create(&options, &session, &error));
  options.counters = NULL;
  options.counter_file = NULL;
  sealpack_clock clock = SEALPACK_INIT(sealpack_clock);
  options.clock = &clock;
  EXPECT(SEALPACK_USAGE, sealpack_session_create(&options, &session, &error));
  options.clock = NULL;
  sealpack_owner owners[2] = {SEALPACK_INIT(sealpack_owner), SEALPACK_INIT(sealpack_owner)};
  options.owners = owners;
  options.owner_count = 2;
  EXPECT(SEALPACK_USAGE, sealpack_session_create(&options, &session, &error)); /* and trust */
  options.trust = NULL;
  EXPECT(SEALPACK_USAGE, sealpack_session_create(&options, &session, &error)); /* no names */
  owners[0].name = "data";
  owners[0].trust = trust;
  owners[1].name = "vendor";
  owners[1].trust = trust;
  EXPECT(SEALPACK_OK, sealpack_session_create(&options, &session, &error));

  unsigned char digest[32];
  EXPECT(SEALPACK_OK, sealpack_session_launch_digest(session, digest, &error));
  CHECK(!is_zero(digest, sizeof digest));
  EXPECT(SEALPACK_USAGE, sealpack_session_launch_digest(NULL, digest, &error));
  EXPECT(SEALPACK_USAGE, sealpack_session_launch_digest(session, NULL, &error));
  uint64_t peak = 1;
  EXPECT(SEALPACK_OK, sealpack_session_peak_memory(session, &peak, &error));
  CHECK(peak == 0);
  EXPECT(SEALPACK_USAGE, sealpack_session_peak_memory(session, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_session_peak_memory(NULL, &peak, &error));

  sealpack_bundle* bundle = NULL;
  const char* path = vector("golden/tiny.seal");
  EXPECT(SEALPACK_USAGE, sealpack_bundle_open_path(session, path, NULL, &bundle, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_open_path(session, path, "nobody", &bundle, &error));
  EXPECT(SEALPACK_OK, sealpack_bundle_open_path(session, path, "data", &bundle, &error));
  sealpack_bundle_close(bundle);
  sealpack_session_close(session);
  sealpack_session_close(NULL);
}

static void opening(sealpack_session* session) {
  sealpack_bundle* bundle = (sealpack_bundle*)&failures;
  const char* path = vector("golden/tiny.seal");
  EXPECT(SEALPACK_USAGE, sealpack_bundle_open_path(NULL, path, NULL, &bundle, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_open_path(session, NULL, NULL, &bundle, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_open_path(session, path, NULL, NULL, &error));
  EXPECT(SEALPACK_IO, sealpack_bundle_open_path(session, "/nowhere", NULL, &bundle, &error));
  EXPECT(SEALPACK_IO, sealpack_bundle_open_path(session, "/dev/null", NULL, &bundle, &error));
  EXPECT(SEALPACK_IO, sealpack_bundle_open_fd(session, -1, NULL, &bundle, &error));
  EXPECT(SEALPACK_IO, sealpack_bundle_open_fd(session, 4711, NULL, &bundle, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_open_source(session, NULL, NULL, &bundle, &error));
  sealpack_source source = SEALPACK_INIT(sealpack_source);
  EXPECT(SEALPACK_USAGE, sealpack_bundle_open_source(session, &source, NULL, &bundle, &error));
  EXPECT(SEALPACK_MALFORMED,
         sealpack_bundle_open_path(session, vector("golden/tiny.json"), NULL, &bundle, &error));
  EXPECT(SEALPACK_NOT_AUTHENTIC,
         sealpack_bundle_open_path(session, vector("golden/p256.seal"), NULL, &bundle, &error));
  CHECK(bundle == NULL);
  sealpack_bundle_close(NULL);
}

static int64_t no_passphrase(void* context, const char* what, char* buffer, size_t capacity) {
  (void)context;
  (void)what;
  (void)buffer;
  (void)capacity;
  return -1;
}

static void keys(sealpack_bundle* bundle) {
  unsigned char buffer[64];
  size_t count = 0;
  EXPECT(SEALPACK_KEY_UNAVAILABLE, sealpack_tensor_count(bundle, &count, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_unlock_key_file(NULL, "x", NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_unlock_key_file(bundle, NULL, NULL, &error));
  EXPECT(SEALPACK_IO, sealpack_bundle_unlock_key_file(bundle, "/nowhere", NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_unlock_key_bytes(bundle, NULL, 3, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_unlock_key_bytes(NULL, buffer, 3, NULL, &error));
  EXPECT(SEALPACK_LIMIT,
         sealpack_bundle_unlock_key_bytes(bundle, buffer, (size_t)1 << 40, NULL, &error));
  EXPECT(SEALPACK_MALFORMED, sealpack_bundle_unlock_key_bytes(bundle, "garbage", 7, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_unlock_aes256(bundle, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_unlock_aes256(NULL, buffer, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_add_grant(NULL, buffer, 3, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_add_grant(bundle, NULL, 3, &error));
  EXPECT(SEALPACK_MALFORMED, sealpack_bundle_add_grant(bundle, "garbage", 7, &error));
  EXPECT(SEALPACK_LIMIT, sealpack_bundle_add_grant(bundle, buffer, (size_t)1 << 40, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_unlock_source(NULL, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_unlock_source(bundle, NULL, &error));
  sealpack_key_source source = SEALPACK_INIT(sealpack_key_source);
  EXPECT(SEALPACK_USAGE, sealpack_bundle_unlock_source(bundle, &source, &error));

  sealpack_passphrase passphrase = SEALPACK_INIT(sealpack_passphrase);
  passphrase.get = no_passphrase;
  size_t size = 0;
  void* other = load(vector("keys/NOT-A-SECRET-recipient-p256.key"), &size);
  EXPECT(SEALPACK_KEY_UNAVAILABLE,
         sealpack_bundle_unlock_key_bytes(bundle, other, size, &passphrase, &error));
  free(other);
  void* vendor = load(vector("keys/NOT-A-SECRET-vendor-ed25519.key"), &size);
  EXPECT(SEALPACK_USAGE, sealpack_bundle_unlock_key_bytes(bundle, vendor, size, NULL, &error));
  free(vendor);
  void* right = load(vector("keys/NOT-A-SECRET-recipient-x25519.key"), &size);
  EXPECT(SEALPACK_OK, sealpack_bundle_unlock_key_bytes(bundle, right, size, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_unlock_key_bytes(bundle, right, size, NULL, &error));
  free(right);
  EXPECT(SEALPACK_OK, sealpack_bundle_check(bundle, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_check(NULL, &error));
}

static void descriptions(sealpack_bundle* bundle) {
  sealpack_bundle_info info = SEALPACK_INIT(sealpack_bundle_info);
  EXPECT(SEALPACK_OK, sealpack_bundle_get_info(bundle, &info, &error));
  CHECK(strcmp(info.product, "tiny") == 0);
  CHECK(info.counter == 7);
  EXPECT(SEALPACK_USAGE, sealpack_bundle_get_info(NULL, &info, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_get_info(bundle, NULL, &error));
  /* An older caller, whose struct ends earlier: nothing behind its end is touched. */
  memset(&info, 0x55, sizeof info);
  info.struct_size = offsetof(sealpack_bundle_info, licence);
  EXPECT(SEALPACK_OK, sealpack_bundle_get_info(bundle, &info, &error));
  CHECK(strcmp(info.product, "tiny") == 0);
  CHECK(((unsigned char*)&info)[offsetof(sealpack_bundle_info, licence)] == 0x55);
  info.struct_size = 0;
  EXPECT(SEALPACK_USAGE, sealpack_bundle_get_info(bundle, &info, &error));

  sealpack_card_tensor card = SEALPACK_INIT(sealpack_card_tensor);
  EXPECT(SEALPACK_OK, sealpack_bundle_card_tensor(bundle, 0, &card, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_card_tensor(bundle, SIZE_MAX, &card, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_card_tensor(bundle, 0, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_card_tensor(NULL, 0, &card, &error));
  const char* key = NULL;
  const char* value = NULL;
  EXPECT(SEALPACK_USAGE, sealpack_bundle_fact(bundle, SIZE_MAX, &key, &value, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_fact(bundle, 0, NULL, &value, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_fact(bundle, 0, &key, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_fact(NULL, 0, &key, &value, &error));

  sealpack_file file = SEALPACK_INIT(sealpack_file);
  EXPECT(SEALPACK_OK, sealpack_file_describe(bundle, 0, &file, &error));
  CHECK(strcmp(file.path, "tiny.safetensors") == 0);
  EXPECT(SEALPACK_USAGE, sealpack_file_describe(bundle, 1, &file, &error));
  EXPECT(SEALPACK_USAGE, sealpack_file_describe(bundle, 0, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_file_describe(NULL, 0, &file, &error));
  size_t index = 9;
  EXPECT(SEALPACK_OK, sealpack_file_find(bundle, "tiny.safetensors", &index, &error));
  CHECK(index == 0);
  EXPECT(SEALPACK_USAGE, sealpack_file_find(bundle, NULL, &index, &error));
  EXPECT(SEALPACK_USAGE, sealpack_file_find(bundle, "x", NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_file_find(NULL, "x", &index, &error));
}

static int stop(void* context, uint64_t offset, void* block, size_t size) {
  (void)context;
  (void)offset;
  (void)block;
  (void)size;
  return 1;
}

static void reading(sealpack_bundle* bundle) {
  unsigned char buffer[8];
  EXPECT(SEALPACK_OK, sealpack_file_pread(bundle, 0, 0, buffer, sizeof buffer, &error));
  CHECK(!is_zero(buffer, sizeof buffer));
  EXPECT(SEALPACK_USAGE, sealpack_file_pread(bundle, 1, 0, buffer, sizeof buffer, &error));
  CHECK(is_zero(buffer, sizeof buffer));
  EXPECT(SEALPACK_USAGE, sealpack_file_pread(bundle, 0, 0, NULL, 8, &error));
  EXPECT(SEALPACK_OK, sealpack_file_pread(bundle, 0, 0, NULL, 0, &error));
  memset(buffer, 1, sizeof buffer);
  EXPECT(SEALPACK_USAGE, sealpack_file_pread(NULL, 0, 0, buffer, sizeof buffer, &error));
  CHECK(is_zero(buffer, sizeof buffer));
  CHECK(sealpack_file_pread(bundle, 7, 0, buffer, 8, NULL) == SEALPACK_USAGE); /* no error wanted */

  sealpack_sink sink = SEALPACK_INIT(sealpack_sink);
  EXPECT(SEALPACK_USAGE, sealpack_file_stream(bundle, 0, 0, 8, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_file_stream(bundle, 0, 0, 8, &sink, &error));
  sink.deliver = stop;
  EXPECT(SEALPACK_CANCELLED, sealpack_file_stream(bundle, 0, 0, 8, &sink, &error));
  EXPECT(SEALPACK_OK, sealpack_file_stream(bundle, 0, 0, 0, &sink, &error));
  EXPECT(SEALPACK_USAGE, sealpack_file_stream(bundle, 0, 0, UINT64_MAX, &sink, &error));
  EXPECT(SEALPACK_USAGE, sealpack_file_stream(NULL, 0, 0, 8, &sink, &error));

  size_t count = 0;
  EXPECT(SEALPACK_OK, sealpack_tensor_count(bundle, &count, &error));
  CHECK(count > 0);
  EXPECT(SEALPACK_USAGE, sealpack_tensor_count(bundle, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_count(NULL, &count, &error));
  sealpack_tensor tensor = SEALPACK_INIT(sealpack_tensor);
  for (size_t i = 0; i < count; ++i) {
    EXPECT(SEALPACK_OK, sealpack_tensor_describe(bundle, i, &tensor, &error));
    size_t found = SIZE_MAX;
    EXPECT(SEALPACK_OK, sealpack_tensor_find(bundle, tensor.name, &found, &error));
    CHECK(found == i);
    unsigned char* bytes = malloc(tensor.size + 1);
    unsigned char* same = malloc(tensor.size + 1);
    EXPECT(SEALPACK_OK, sealpack_tensor_pread(bundle, i, 0, bytes, tensor.size, &error));
    EXPECT(SEALPACK_OK,
           sealpack_file_pread(bundle, tensor.file, tensor.file_offset, same, tensor.size, &error));
    CHECK(memcmp(bytes, same, tensor.size) == 0);
    if (tensor.rank > 0) {
      EXPECT(SEALPACK_OK,
             sealpack_tensor_rows(bundle, i, 0, tensor.shape[0], same, tensor.size, &error));
      CHECK(memcmp(bytes, same, tensor.size) == 0);
    }
    free(bytes);
    free(same);
  }
  EXPECT(SEALPACK_USAGE, sealpack_tensor_describe(bundle, count, &tensor, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_describe(bundle, 0, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_describe(NULL, 0, &tensor, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_find(bundle, "nothing", &count, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_find(bundle, NULL, &count, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_find(bundle, "x", NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_find(NULL, "x", &count, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_pread(bundle, 0, 0, NULL, 8, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_pread(NULL, 0, 0, buffer, 8, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_rows(bundle, 0, 0, 1, NULL, 8, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_rows(NULL, 0, 0, 1, buffer, 8, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_stream(bundle, 0, 0, 8, NULL, &error));
  EXPECT(SEALPACK_CANCELLED, sealpack_tensor_stream(bundle, 0, 0, 4, &sink, &error));
  EXPECT(SEALPACK_USAGE, sealpack_tensor_stream(NULL, 0, 0, 8, &sink, &error));
}

/* The bundle holds weights and no graph: what can be asked of models says so. */
static void models(sealpack_bundle* bundle) {
  sealpack_model_info info = SEALPACK_INIT(sealpack_model_info);
  EXPECT(SEALPACK_UNSUPPORTED, sealpack_model_load(bundle, NULL, &info, &error));
  EXPECT(SEALPACK_USAGE, sealpack_model_load(NULL, NULL, &info, &error));
  sealpack_model_options options = SEALPACK_INIT(sealpack_model_options);
  options.input_shape_count = 1;
  EXPECT(SEALPACK_USAGE, sealpack_model_load(bundle, &options, &info, &error));
  sealpack_value value = SEALPACK_INIT(sealpack_value);
  float numbers[4] = {1, 2, 3, 4};
  EXPECT(SEALPACK_USAGE, sealpack_model_input(bundle, 0, &value, &error));
  EXPECT(SEALPACK_USAGE, sealpack_model_output(bundle, 0, &value, &error));
  EXPECT(SEALPACK_USAGE, sealpack_model_input(NULL, 0, &value, &error));
  EXPECT(SEALPACK_USAGE, sealpack_model_output(NULL, 0, &value, &error));
  value.name = "y";
  value.dtype = SEALPACK_F32;
  value.data = numbers;
  value.size = sizeof numbers;
  EXPECT(SEALPACK_USAGE, sealpack_model_run(bundle, NULL, 0, &value, 1, NULL, &error));
  CHECK(is_zero(numbers, sizeof numbers));
  EXPECT(SEALPACK_USAGE, sealpack_model_run(bundle, NULL, 1, NULL, 0, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_model_run(NULL, NULL, 0, NULL, 0, NULL, &error));
  size_t size = sizeof numbers;
  EXPECT(SEALPACK_USAGE, sealpack_model_run_sealed(bundle, NULL, 0, numbers, &size, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_model_run_sealed(bundle, NULL, 0, numbers, NULL, NULL, &error));
  EXPECT(SEALPACK_USAGE, sealpack_model_run_sealed(NULL, NULL, 0, numbers, &size, NULL, &error));
}

static void statements(sealpack_bundle* bundle) {
  /* Nothing remembers: raising a floor is not possible, and is not claimed. */
  EXPECT(SEALPACK_UNSUPPORTED, sealpack_bundle_confirm(bundle, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_confirm(NULL, &error));
  unsigned char receipt[16384];
  size_t size = sizeof receipt;
  EXPECT(SEALPACK_OK, sealpack_bundle_receipt(bundle, "n", 1, receipt, &size, &error));
  CHECK(size > 64 && size < sizeof receipt);
  EXPECT(SEALPACK_USAGE, sealpack_bundle_receipt(bundle, NULL, 1, receipt, &size, &error));
  EXPECT(SEALPACK_LIMIT, sealpack_bundle_receipt(bundle, receipt, 65, receipt, &size, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_receipt(bundle, "n", 1, receipt, NULL, &error));
  size = sizeof receipt;
  EXPECT(SEALPACK_USAGE, sealpack_bundle_receipt(bundle, "n", 1, NULL, &size, &error));
  EXPECT(SEALPACK_USAGE, sealpack_bundle_receipt(NULL, "n", 1, receipt, &size, &error));
}

static void refusals_keep_no_memory(sealpack_session* session) {
  sealpack_trust* trust = NULL;
  sealpack_session* other = NULL;
  sealpack_bundle* bundle = NULL;
  sealpack_trust_options options = SEALPACK_INIT(sealpack_trust_options);
  size_t held = 0;
  for (int round = 0; round < 200; ++round) {
    EXPECT(SEALPACK_USAGE, sealpack_trust_create(&options, &trust, &error));
    EXPECT(SEALPACK_USAGE, sealpack_session_create(NULL, &other, &error));
    EXPECT(SEALPACK_IO, sealpack_bundle_open_path(session, "/nowhere", NULL, &bundle, &error));
    EXPECT(SEALPACK_USAGE, sealpack_bundle_open_path(session, vector("golden/tiny.seal"), "nobody",
                                                     &bundle, &error));
    if (round == 99) held = mallinfo2().uordblks; /* what is kept once is there */
  }
  CHECK(mallinfo2().uordblks <= held);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  snprintf(folder, sizeof folder, "%s", argv[1]);
  versions();
  trusts();
  trust_structs();
  newer_structs();
  sealpack_trust* trust = tiny_trust();
  sessions(trust);
  sealpack_session* session = make_session(trust);
  opening(session);
  refusals_keep_no_memory(session);
  sealpack_bundle* bundle = NULL;
  EXPECT(SEALPACK_OK,
         sealpack_bundle_open_path(session, vector("golden/tiny.seal"), NULL, &bundle, &error));
  sealpack_trust_free(trust); /* what needs it has a copy */
  sealpack_session_close(session);
  keys(bundle);
  descriptions(bundle);
  reading(bundle);
  models(bundle);
  statements(bundle);
  sealpack_bundle_close(bundle);
  printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
