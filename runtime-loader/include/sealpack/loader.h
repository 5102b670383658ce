/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEALPACK_LOADER_H
#define SEALPACK_LOADER_H

/*
 * The C interface of the sealpack loader: open a bundle, prove it, get its key, read tensors and
 * files into your memory, run the model. docs/LOADER.md is the guide; every rule stands here.
 *
 * Errors. Functions return SEALPACK_OK (0) or a sealpack_code. The last parameter may be NULL or
 * point to a sealpack_error of the caller, which is filled on failure and left alone on success.
 * Nothing ends the process for bad input or misuse: NULL where it is not allowed, an index out of
 * range or a call in the wrong state is SEALPACK_USAGE. On failure every buffer the call was to
 * fill is zero and every handle it was to make is NULL.
 *
 * Ownership. Handles that a call makes belong to the caller and go back through the function that
 * closes or frees their type, which takes NULL too. They may be closed in any order: what one needs
 * of another it keeps alive. Text and shapes that the library hands out belong to the handle they
 * came from and stay valid until it is closed. Memory that the caller passes is used during the
 * call alone; callbacks and their contexts until everything made with them is closed.
 *
 * Threads. Functions marked "Parallel." may run in any number of threads on one handle. The others
 * may be called from any thread too; they take turns. Closing a handle while another thread uses it
 * is an error that nothing notices. Callbacks run in threads that are inside the library, several
 * at once, and must not call it with the handle that calls them.
 *
 * Units. Sizes and offsets are bytes, counts are elements, times are Unix seconds, text is UTF-8
 * that ends with NUL.
 *
 * Versions. Structs begin with struct_size, which the caller sets to sizeof the struct it was
 * compiled with: SEALPACK_INIT(type) does so and zeroes the rest, and zero is the default of every
 * member. Members are only ever added at the end. Functions keep their meaning within one
 * SEALPACK_LOADER_ABI, the number in the library's SONAME.
 */

#include <stddef.h>
#include <stdint.h>

#define SEALPACK_LOADER_ABI 1

#if defined(__GNUC__) || defined(__clang__)
#define SEALPACK_API __attribute__((visibility("default")))
#else
#define SEALPACK_API
#endif

#ifdef __cplusplus
#define SEALPACK_INIT(type)                          \
  ([]() {                                            \
    type sealpack_init_struct{};                     \
    sealpack_init_struct.struct_size = sizeof(type); \
    return sealpack_init_struct;                     \
  }())
extern "C" {
#else
#define SEALPACK_INIT(type) \
  { .struct_size = sizeof(type) }
#endif

/* ---- Errors ------------------------------------------------------------------------------- */

/* The exit codes of the sealpack tool, explained in docs/ERRORS.md. Later versions may add some: a
 * code that you do not know is a failure. */
typedef enum sealpack_code {
  SEALPACK_OK = 0,
  SEALPACK_USAGE = 2,            /* a wrong call: see the message */
  SEALPACK_IO = 3,               /* reading or writing failed, or a callback said so */
  SEALPACK_MALFORMED = 10,       /* bytes break the rules of their format */
  SEALPACK_UNSUPPORTED = 11,     /* well-formed, but this version cannot handle it */
  SEALPACK_NOT_AUTHENTIC = 12,   /* a signature, hash or tag does not hold */
  SEALPACK_REFUSED = 13,         /* authentic, but trust or policy says no */
  SEALPACK_KEY_UNAVAILABLE = 14, /* no key at hand opens this */
  SEALPACK_TRY_AGAIN = 15,       /* a passing condition */
  SEALPACK_LIMIT = 16,           /* exceeds a limit, or memory that the caller capped */
  SEALPACK_CANCELLED = 17,       /* a hook or a sink of the caller stopped it; no fault */
  SEALPACK_INTERNAL = 70         /* a bug in sealpack */
} sealpack_code;

/* Owned by the caller; needs no initialisation, and there is nothing to free. Messages are for
 * people, end with NUL and may be cut to the room there is. */
typedef struct sealpack_error {
  int32_t code;       /* a sealpack_code */
  char message[1024]; /* what went wrong: names the thing and the numbers */
  char hint[512];     /* what to do next; may be empty */
} sealpack_error;

/* SEALPACK_LOADER_ABI of the library that runs, to compare with that of the header. Parallel. */
SEALPACK_API uint32_t sealpack_loader_abi(void);
/* Version of the library, "0.1.0"; the text lives for ever. Parallel. */
SEALPACK_API const char* sealpack_loader_version(void);
/* Name of a code, "not-authentic"; "unknown" for others; the text lives for ever. Parallel. */
SEALPACK_API const char* sealpack_code_name(int code);

/* ---- Trust -------------------------------------------------------------------------------- */

/* Whom to believe. Comes from the caller, never from a bundle. Immutable once made. */
typedef struct sealpack_trust sealpack_trust;

/* A public key: a file, or its bytes. Exactly one of path and data is set. */
typedef struct sealpack_public_key {
  size_t struct_size;
  const char* role; /* where the caller has to say it: "authority", "publisher", "reviewer" */
  const char* path; /* a .pub file */
  const void* data; /* the text of a .pub file, a PEM block, or SubjectPublicKeyInfo in DER */
  size_t data_size;
} sealpack_public_key;

/* What a trust.toml says, as a struct. */
typedef struct sealpack_trust_options {
  size_t struct_size;
  const sealpack_public_key* keys; /* at least one of role "authority" */
  size_t key_count;
  /* How many keys of a role must sign. 0: one where the role has keys, except that authorities do
   * not sign when there are publishers, who act for them. */
  uint32_t authority_threshold;
  uint32_t publisher_threshold;
  uint32_t reviewer_threshold;
  const char* product;          /* refuse any other; NULL: all products of the authority */
  uint64_t counter_floor;       /* refuse lower counters; needs product */
  const uint8_t* floor_release; /* 32 bytes: digest of the one release with that counter; or NULL */
  const uint8_t* content;       /* 32 bytes: the one content digest that is accepted; or NULL */
  int32_t no_host_time;         /* not 0: the clock of this machine is not asked */
} sealpack_trust_options;

/* A .pub file of role authority, which then signs releases itself; or a trust.toml, with the files
 * that it names. */
SEALPACK_API int sealpack_trust_load(const char* path, sealpack_trust** trust,
                                     sealpack_error* error);
/* The text of a trust.toml. Paths in it are relative to `folder`. */
SEALPACK_API int sealpack_trust_parse(const char* text, size_t size, const char* folder,
                                      sealpack_trust** trust, sealpack_error* error);
SEALPACK_API int sealpack_trust_create(const sealpack_trust_options* options,
                                       sealpack_trust** trust, sealpack_error* error);
SEALPACK_API void sealpack_trust_free(sealpack_trust* trust);

/* ---- Callbacks ---------------------------------------------------------------------------- */

typedef enum sealpack_log_level {
  SEALPACK_LOG_WARNING = 1, /* what an operator should know, such as SIMULATED parts */
  SEALPACK_LOG_INFO = 2     /* what was accepted */
} sealpack_log_level;

/* What the caller may watch and stop; each may be NULL. */
typedef struct sealpack_hooks {
  size_t struct_size;
  void* context;
  /* Never given secrets or plaintext. `message` is one line without its end. */
  void (*log)(void* context, int level, const char* message);
  /* Not 0: stop. Asked before every read of the bundle, which are of at most 256 KiB, and between
   * the steps of a model. Calls under way end with SEALPACK_CANCELLED and their buffers are zero.
   */
  int (*cancel)(void* context);
  /* How far the call under way in this thread is, in bytes; `done` grows to `total`. */
  void (*progress)(void* context, uint64_t done, uint64_t total);
} sealpack_hooks;

/* The time that validity is judged by. It may expire a bundle and never extends its life. */
typedef struct sealpack_clock {
  size_t struct_size;
  void* context;
  /* 0 and *seconds; or not 0 where there is no time: releases with validity limits are refused. */
  int (*unix_seconds)(void* context, uint64_t* seconds);
} sealpack_clock;

/* Memory for models: weights, activations, inputs and answers. */
typedef struct sealpack_allocator {
  size_t struct_size;
  void* context;
  /* `size` bytes aligned to 64, or NULL. */
  void* (*allocate)(void* context, size_t size);
  /* Takes back what allocate gave, with its size. The library has wiped it. */
  void (*release)(void* context, void* memory, size_t size);
} sealpack_allocator;

/* Memory of the normal world for activations that do not fit the limit. They leave sealed; the
 * store may be read and changed by anybody. Both: 0, or not 0 for a failure. */
typedef struct sealpack_spill {
  size_t struct_size;
  void* context;
  uint64_t size;
  int (*write)(void* context, uint64_t offset, const void* bytes, size_t size);
  int (*read)(void* context, uint64_t offset, void* bytes, size_t size);
} sealpack_spill;

typedef enum sealpack_counter_kind {
  SEALPACK_COUNTER_NONE = 0,
  SEALPACK_COUNTER_FILE = 1, /* the host can turn it back: SIMULATED */
  SEALPACK_COUNTER_TPM = 2,
  SEALPACK_COUNTER_RPMB = 3,
  SEALPACK_COUNTER_BROKER = 4
} sealpack_counter_kind;

/* The lowest release that is still accepted. */
typedef struct sealpack_floor {
  uint64_t counter;
  int32_t has_release;
  uint8_t release[32]; /* if has_release: the only one with that counter */
} sealpack_floor;

/* Remembers a floor for each (authority, product). Both return 0, or a sealpack_code. Not called in
 * parallel. */
typedef struct sealpack_counters {
  size_t struct_size;
  void* context;
  int32_t kind; /* sealpack_counter_kind */
  /* *floor is zero before; leave it so where nothing is remembered. */
  int (*get)(void* context, const uint8_t authority[32], const char* product,
             sealpack_floor* floor);
  /* Durable when it returns. Must never lower what is there. */
  int (*raise)(void* context, const uint8_t authority[32], const char* product,
               const sealpack_floor* floor);
} sealpack_counters;

/* What this TEE is, how it proves it, and the key that its hardware gives to it. NULL in
 * sealpack_session_options: no TEE, the host holds the keys; releases that require attestation do
 * not open. sealpack/key_sources.h fills it in for TEEs and TPMs under Linux. */
typedef struct sealpack_environment {
  size_t struct_size;
  void* context;
  const char* tee; /* as in release policies: "sev-snp", "tdx", "tpm" … */
  uint8_t measurement[32];
  /* Writes at most `capacity` bytes of evidence that binds exactly `report_data` and gives their
   * number, or a negative number. report_size is what the TEE of this type takes: 48 for "nitro",
   * 32 for "tpm", "azure-sev-snp" and "azure-tdx", 64 for all others. */
  int64_t (*evidence)(void* context, const void* report_data, size_t report_size, void* out,
                      size_t capacity); /* NULL: no evidence, for an environment with device_key */
  /* A key that hardware releases to this measured environment and to no other, such as a TPM's;
   * role "device". NULL: none. */
  const sealpack_public_key* device_key;
  /* HPKE base mode (RFC 9180), single shot, with the private half of device_key. *plain_size is the
   * room at `plain`, then what was written. 0, or a sealpack_code. The library wipes `plain`. */
  int (*device_open)(void* context, const void* enc, size_t enc_size, const void* info,
                     size_t info_size, const void* aad, size_t aad_size, const void* ciphertext,
                     size_t ciphertext_size, void* plain, size_t* plain_size);
} sealpack_environment;

/* ---- Sessions ----------------------------------------------------------------------------- */

/* Bundles opened under one configuration. */
typedef struct sealpack_session sealpack_session;

typedef enum sealpack_answer_form {
  SEALPACK_ANSWER_SCORES = 1,  /* outputs as the model gives them */
  SEALPACK_ANSWER_ROUNDED = 2, /* rounded to decimals, and to two digits more in all */
  SEALPACK_ANSWER_TOP1 = 3     /* the index of the greatest */
} sealpack_answer_form;

/* Somebody whose bundles the session takes. */
typedef struct sealpack_owner {
  size_t struct_size;
  const char* name; /* "vendor": 1 to 64 of a-z, 0-9 and '-' */
  const sealpack_trust* trust;
  const sealpack_public_key* broker; /* whose grants are believed; NULL: none signs them */
  /* Not 0: opens only against a floor that the host cannot turn back. */
  int32_t counter_required;
} sealpack_owner;

typedef struct sealpack_session_options {
  size_t struct_size;
  /* Either trust, for one owner called "vendor", or owners. */
  const sealpack_trust* trust;
  const sealpack_owner* owners;
  size_t owner_count;
  const sealpack_hooks* hooks;             /* or NULL, as all below */
  const sealpack_clock* clock;             /* NULL: this machine's, where the trust allows it */
  const sealpack_counters* counters;       /* NULL, with counter_file NULL too: none */
  const char* counter_file;                /* a built-in store in this file. SIMULATED: whoever can
                                              write the file can turn it back */
  const sealpack_allocator* allocator;     /* NULL: the library's own */
  const sealpack_spill* spill;             /* NULL: activations do not leave */
  const sealpack_environment* environment; /* NULL: no TEE */
  uint64_t memory_limit;                   /* bytes for models at any time; 0: none */
  uint32_t threads;                        /* that compute; 0: one */
  uint32_t max_readers; /* threads that read a bundle at once, each with 0.5 MiB of buffers; others
                           wait. 0: 16 */
  /* What leaves is at most what the signed release allows; here it may be narrowed. */
  int32_t answer_form;      /* sealpack_answer_form; 0: as released */
  uint32_t answer_decimals; /* of SEALPACK_ANSWER_ROUNDED */
  uint64_t query_budget;    /* answers per opening; 0: as released */
  /* Recipient key that answers are sealed to; NULL: they leave in the clear. */
  const sealpack_public_key* answer_key;
} sealpack_session_options;

/* Copies everything it needs of `options`. */
SEALPACK_API int sealpack_session_create(const sealpack_session_options* options,
                                         sealpack_session** session, sealpack_error* error);
SEALPACK_API void sealpack_session_close(sealpack_session* session);
/* SHA-256 of the launch configuration (owners, trust, narrowing, limit), as a measurement or a
 * receipt names it. Parallel. */
SEALPACK_API int sealpack_session_launch_digest(sealpack_session* session, uint8_t digest[32],
                                                sealpack_error* error);
/* Most bytes of model memory that the session held at any time. Parallel. */
SEALPACK_API int sealpack_session_peak_memory(sealpack_session* session, uint64_t* bytes,
                                              sealpack_error* error);

/* ---- Bundles ------------------------------------------------------------------------------ */

/* A bundle that was verified: a handle to any other does not exist. Unlocked by a key later. */
typedef struct sealpack_bundle sealpack_bundle;

/* Where the bytes of a bundle come from. They may change at any time: every block is copied once
 * and the copy is proven. */
typedef struct sealpack_source {
  size_t struct_size;
  void* context;
  uint64_t size;
  /* Fills `buffer` with the `size` bytes at `offset`, which lie inside the source. 0, or a
   * sealpack_code for the caller of the library; any other value becomes SEALPACK_IO. */
  int (*read_at)(void* context, uint64_t offset, void* buffer, size_t size);
  /* Called once, when nothing reads any more or opening failed. May be NULL. */
  void (*close)(void* context);
} sealpack_source;

/* Opening verifies: signatures, trust, revocation, validity, product, the counter floor, then the
 * manifest. It needs no key and reads no weights: those are proven as they are read.
 * `owner` names one of the session's; NULL where it has one. */
SEALPACK_API int sealpack_bundle_open_path(sealpack_session* session, const char* path,
                                           const char* owner, sealpack_bundle** bundle,
                                           sealpack_error* error);
/* `fd` is a regular file. It is duplicated and stays the caller's, who may close it at once. */
SEALPACK_API int sealpack_bundle_open_fd(sealpack_session* session, int fd, const char* owner,
                                         sealpack_bundle** bundle, sealpack_error* error);
/* `source` is copied. */
SEALPACK_API int sealpack_bundle_open_source(sealpack_session* session,
                                             const sealpack_source* source, const char* owner,
                                             sealpack_bundle** bundle, sealpack_error* error);
/* Wipes the key, the model and every buffer, and closes the source. */
SEALPACK_API void sealpack_bundle_close(sealpack_bundle* bundle);

/* Proves every byte of the bundle, encrypted ones too, without a key. Reports progress. Parallel.
 */
SEALPACK_API int sealpack_bundle_check(sealpack_bundle* bundle, sealpack_error* error);

/* The caller found the release good, by whatever its health check is: the counter store's floor
 * rises to it, and older releases of the product will not open again. Opening alone never does. */
SEALPACK_API int sealpack_bundle_confirm(sealpack_bundle* bundle, sealpack_error* error);

/* A signed statement of what was opened, in what, with `nonce` (at most 64 bytes) of whoever asks
 * for it (docs/LOADER-FORMATS.md). Writes at most *size bytes to `out` and sets *size to what there
 * is; SEALPACK_LIMIT where `out` is too small. 16 KiB always suffice. */
SEALPACK_API int sealpack_bundle_receipt(sealpack_bundle* bundle, const void* nonce,
                                         size_t nonce_size, void* out, size_t* size,
                                         sealpack_error* error);

/* ---- Keys --------------------------------------------------------------------------------- */

/* Asked for the passphrase of an encrypted key file. Writes at most `capacity` bytes and gives
 * their number, or a negative number to give up. The library wipes the buffer. */
typedef struct sealpack_passphrase {
  size_t struct_size;
  void* context;
  int64_t (*get)(void* context, const char* what, char* buffer, size_t capacity);
} sealpack_passphrase;

/* All of these unlock the bundle: afterwards plaintext can be read. A key that opens no slot leaves
 * it locked, so that another may be tried; why a slot did not open is never told. A bundle whose
 * card disagrees with its sealed headers, or where those cannot be read, is refused for good.
 *
 * A key in hand opens direct slots alone. Slots of a broker or device ("attested") open through a
 * sealpack_key_source. */

/* A .key file of role recipient or escrow that only its owner may read. `passphrase` may be NULL
 * where the file is not encrypted. */
SEALPACK_API int sealpack_bundle_unlock_key_file(sealpack_bundle* bundle, const char* path,
                                                 const sealpack_passphrase* passphrase,
                                                 sealpack_error* error);
/* The same from the bytes of such a file; wiping them is the caller's. */
SEALPACK_API int sealpack_bundle_unlock_key_bytes(sealpack_bundle* bundle, const void* bytes,
                                                  size_t size,
                                                  const sealpack_passphrase* passphrase,
                                                  sealpack_error* error);
/* A raw AES-256 key, 32 bytes, that a slot was made for (AES-KWP). */
SEALPACK_API int sealpack_bundle_unlock_aes256(sealpack_bundle* bundle, const uint8_t key[32],
                                               sealpack_error* error);
/* One more slot for the functions above to try first, from the bytes of a .grant file.
 * SEALPACK_KEY_UNAVAILABLE for a grant of another bundle. */
SEALPACK_API int sealpack_bundle_add_grant(sealpack_bundle* bundle, const void* bytes, size_t size,
                                           sealpack_error* error);

/* Somebody elsewhere who holds the key: a broker, a TPM, a supervisor. The loader makes a key for
 * this one exchange and sends a request with evidence about itself; the answer seals the content
 * key to it. docs/LOADER-FORMATS.md has the bytes of both. */
typedef struct sealpack_key_source {
  size_t struct_size;
  void* context;
  /* Starts an exchange: a nonce of 16 to 64 bytes and an id of up to 256, opaque. The sizes are the
   * room there is, then what was written. 0, or a sealpack_code. NULL: the loader makes up a nonce.
   */
  int (*challenge)(void* context, void* nonce, size_t* nonce_size, void* id, size_t* id_size);
  /* The grant for `request`: at most `capacity` bytes written to `grant` and their number, or minus
   * a sealpack_code (-SEALPACK_TRY_AGAIN). */
  int64_t (*grant)(void* context, const void* request, size_t request_size, void* grant,
                   size_t capacity);
} sealpack_key_source;
/* A grant may be a lease: when it is over, nothing more is read or run. The same call on a bundle
 * that a lease unlocked prolongs it; a refusal then leaves it as it was. */
SEALPACK_API int sealpack_bundle_unlock_source(sealpack_bundle* bundle,
                                               const sealpack_key_source* source,
                                               sealpack_error* error);

/* By the environment's device_key: opens attested slots, of a release whose policy lists an
 * environment of this type. SEALPACK_UNSUPPORTED where the environment has no such key. */
SEALPACK_API int sealpack_bundle_unlock_device(sealpack_bundle* bundle, sealpack_error* error);
/* Seconds until the lease is over that the bundle was unlocked for; UINT64_MAX: no end. 0: it is
 * over. SEALPACK_KEY_UNAVAILABLE before it is unlocked. Parallel. */
SEALPACK_API int sealpack_bundle_lease_left(sealpack_bundle* bundle, uint64_t* seconds,
                                            sealpack_error* error);

/* ---- What the vendor says ----------------------------------------------------------------- */

typedef struct sealpack_bundle_info {
  size_t struct_size;
  const char* product;
  const char* version;
  const char* licence;
  const char* scheme; /* how the model is divided: "whole", "layers" … */
  uint64_t counter;
  uint64_t not_before; /* 0: always */
  uint64_t not_after;  /* 0: never expires */
  uint8_t uuid[16];
  uint8_t content_digest[32];
  uint8_t release_digest[32];
  uint8_t authority[32]; /* SHA-256 of its public key */
  int32_t answer_form;   /* sealpack_answer_form of the release */
  uint32_t answer_decimals;
  uint64_t query_budget;        /* answers per opening; 0: not limited */
  int32_t requires_attestation; /* not 0: opens only in environments that the policy lists */
  int32_t unlocked;             /* not 0: a key was accepted */
  uint64_t bundle_size;
  uint64_t sealed_parameters; /* elements in sealed tensors; 0 where redacted */
  size_t card_tensor_count;   /* sealpack_bundle_card_tensor */
  size_t fact_count;          /* sealpack_bundle_fact */
  size_t file_count;          /* sealpack_file_describe */
} sealpack_bundle_info;
/* Sets struct_size to the part of the struct that was filled. Parallel, as is all down to the
 * models. */
SEALPACK_API int sealpack_bundle_get_info(sealpack_bundle* bundle, sealpack_bundle_info* info,
                                          sealpack_error* error);

/* A tensor as the vendor describes it to everybody. */
typedef struct sealpack_card_tensor {
  size_t struct_size;
  const char* name;      /* empty where names are redacted */
  const char* dtype;     /* "F32", "BF16", "I64" …, or the format's own: "Q8_0" */
  const uint64_t* shape; /* `rank` numbers, the slowest first */
  uint32_t rank;
  int32_t sealed; /* not 0: its bytes are encrypted */
} sealpack_card_tensor;
SEALPACK_API int sealpack_bundle_card_tensor(sealpack_bundle* bundle, size_t index,
                                             sealpack_card_tensor* tensor, sealpack_error* error);
/* "architecture" and "llama", say; ascending by key. */
SEALPACK_API int sealpack_bundle_fact(sealpack_bundle* bundle, size_t index, const char** key,
                                      const char** value, sealpack_error* error);

/* ---- Files of the original model ---------------------------------------------------------- */

/* A file that the bundle was made from, byte for byte, wherever its bytes are now. */
typedef struct sealpack_file {
  size_t struct_size;
  const char* path; /* relative, '/' between its parts */
  uint64_t size;
  uint64_t sealed_size; /* how many of its bytes are encrypted */
} sealpack_file;
SEALPACK_API int sealpack_file_describe(sealpack_bundle* bundle, size_t index, sealpack_file* file,
                                        sealpack_error* error);
/* The index of a path; SEALPACK_USAGE where the model has no such file. */
SEALPACK_API int sealpack_file_find(sealpack_bundle* bundle, const char* path, size_t* index,
                                    sealpack_error* error);

/* Fills `buffer` with `size` bytes from `offset`. Every block is compared with the signed tree and,
 * where it is sealed, has passed its tag before any of it is in `buffer`. Sealed bytes need an
 * unlocked bundle, else SEALPACK_KEY_UNAVAILABLE. A range outside the file is SEALPACK_USAGE. */
SEALPACK_API int sealpack_file_pread(sealpack_bundle* bundle, size_t index, uint64_t offset,
                                     void* buffer, size_t size, sealpack_error* error);

/* Takes verified bytes block by block: for ranges larger than memory, and for memory of devices.
 * Blocks come in order and cover the range without gap. They are decrypted right into what
 * `acquire` gives, so staging memory that is pinned for a device needs no further copy here. Called
 * in the thread of the call. */
typedef struct sealpack_sink {
  size_t struct_size;
  void* context;
  size_t max_block; /* of one block; 0: 256 KiB; at least 32 KiB */
  /* Room for `size` bytes, which deliver or discard gives back. May wait for an upload to end. NULL
   * stops with SEALPACK_CANCELLED. Without `acquire`, the library lends one buffer of its own and
   * wipes it after every deliver. */
  void* (*acquire)(void* context, uint64_t offset, size_t size);
  /* `block` holds the bytes at `offset`. It is the sink's from now on, if it came from acquire. Not
   * 0 stops with SEALPACK_CANCELLED. */
  int (*deliver)(void* context, uint64_t offset, void* block, size_t size);
  /* A block from acquire that could not be filled; its bytes are zero. NULL where there is nothing
   * to give back. */
  void (*discard)(void* context, void* block, size_t size);
} sealpack_sink;

/* Streams `size` bytes from `offset` into the sink. What was delivered before a failure was proven,
 * but it is not the whole: throw it away. */
SEALPACK_API int sealpack_file_stream(sealpack_bundle* bundle, size_t index, uint64_t offset,
                                      uint64_t size, const sealpack_sink* sink,
                                      sealpack_error* error);

/* ---- Tensors ------------------------------------------------------------------------------ */

/* A tensor with its bytes, as the original files describe it: safetensors, GGUF, and ONNX
 * initializers of the main graph whose bytes lie in the file as they are. */
typedef struct sealpack_tensor {
  size_t struct_size;
  const char* name;
  const char* dtype;     /* as in sealpack_card_tensor */
  const uint64_t* shape; /* `rank` numbers, the slowest first */
  uint32_t rank;
  uint64_t size; /* bytes, dense, little-endian */
  size_t file;   /* where they lie: for sealpack_file_pread */
  uint64_t file_offset;
} sealpack_tensor;

/* All need an unlocked bundle; the first call reads the headers. */
SEALPACK_API int sealpack_tensor_count(sealpack_bundle* bundle, size_t* count,
                                       sealpack_error* error);
/* Ascending by name. */
SEALPACK_API int sealpack_tensor_describe(sealpack_bundle* bundle, size_t index,
                                          sealpack_tensor* tensor, sealpack_error* error);
/* SEALPACK_USAGE where no tensor has that name, or several files have one. */
SEALPACK_API int sealpack_tensor_find(sealpack_bundle* bundle, const char* name, size_t* index,
                                      sealpack_error* error);
/* `size` bytes of the tensor from its byte `offset`. As sealpack_file_pread. */
SEALPACK_API int sealpack_tensor_pread(sealpack_bundle* bundle, size_t index, uint64_t offset,
                                       void* buffer, size_t size, sealpack_error* error);
/* `count` rows of the slowest dimension from row `first`; `size` is what they take, to the byte. */
SEALPACK_API int sealpack_tensor_rows(sealpack_bundle* bundle, size_t index, uint64_t first,
                                      uint64_t count, void* buffer, size_t size,
                                      sealpack_error* error);
/* As sealpack_file_stream; offsets are relative to the tensor. */
SEALPACK_API int sealpack_tensor_stream(sealpack_bundle* bundle, size_t index, uint64_t offset,
                                        uint64_t size, const sealpack_sink* sink,
                                        sealpack_error* error);

/* ---- Models ------------------------------------------------------------------------------- */

/* Element types, numbered as in onnx.TensorProto.DataType. */
typedef enum sealpack_dtype {
  SEALPACK_F32 = 1,
  SEALPACK_U8 = 2,
  SEALPACK_I8 = 3,
  SEALPACK_U16 = 4,
  SEALPACK_I16 = 5,
  SEALPACK_I32 = 6,
  SEALPACK_I64 = 7,
  SEALPACK_BOOL = 9, /* one byte, 0 or 1 */
  SEALPACK_F16 = 10,
  SEALPACK_F64 = 11,
  SEALPACK_U32 = 12,
  SEALPACK_U64 = 13,
  SEALPACK_BF16 = 16
} sealpack_dtype;

#define SEALPACK_MAX_RANK 8

/* A dense row-major tensor of the caller. */
typedef struct sealpack_value {
  size_t struct_size;
  const char* name;
  void* data;  /* not written through where it is an input */
  size_t size; /* bytes: what dtype and shape say */
  int32_t dtype;
  uint32_t rank;
  int64_t shape[SEALPACK_MAX_RANK];
} sealpack_value;

typedef struct sealpack_model_options {
  size_t struct_size;
  const char* graph;                  /* its path among several; NULL: the only one */
  const sealpack_value* input_shapes; /* name and shape of inputs with symbolic dimensions, which
                                         else are 1 */
  size_t input_shape_count;
  uint64_t memory_limit; /* narrower than the session's; 0: as that */
} sealpack_model_options;

typedef struct sealpack_model_info {
  size_t struct_size;
  size_t input_count;
  size_t output_count;
  int32_t sealed_answers;    /* not 0: answers leave sealed, by sealpack_model_run_sealed */
  uint64_t peak;             /* bytes of memory while it runs, with inputs and answers */
  uint64_t unlimited_peak;   /* what it would take without a limit */
  uint64_t least_limit;      /* the smallest memory_limit that it loads under */
  uint64_t resident_weights; /* bytes kept from run to run */
  uint64_t streamed_weights; /* bytes decrypted again in every run */
} sealpack_model_info;

typedef struct sealpack_run_counters {
  size_t struct_size;
  uint64_t weights_read; /* bytes verified and decrypted */
  uint64_t spill_stored; /* bytes of activations */
  uint64_t spill_loaded;
  uint64_t answers_left; /* of the query budget; UINT64_MAX: not limited */
} sealpack_run_counters;

/* Makes the model of an unlocked bundle ready to run, in place of the one loaded before. `options`
 * and `info` may be NULL. SEALPACK_LIMIT says how much memory would do. */
SEALPACK_API int sealpack_model_load(sealpack_bundle* bundle, const sealpack_model_options* options,
                                     sealpack_model_info* info, sealpack_error* error);
/* Type of an input, or of an output as it leaves: name, dtype, shape and size are set, data is
 * NULL. The name is valid until another model is loaded or the bundle closed. */
SEALPACK_API int sealpack_model_input(sealpack_bundle* bundle, size_t index, sealpack_value* value,
                                      sealpack_error* error);
SEALPACK_API int sealpack_model_output(sealpack_bundle* bundle, size_t index, sealpack_value* value,
                                       sealpack_error* error);
/* One run: all inputs by name, in any order, of exactly their types; floats are finite. Each output
 * that is named is written to its buffer; dtype and shape of outputs are set. Counts against the
 * query budget as soon as it begins. `counters` may be NULL. */
SEALPACK_API int sealpack_model_run(sealpack_bundle* bundle, const sealpack_value* inputs,
                                    size_t input_count, sealpack_value* outputs,
                                    size_t output_count, sealpack_run_counters* counters,
                                    sealpack_error* error);
/* The same where answers leave sealed: *size is the room at `out`, then what was written.
 * SEALPACK_LIMIT where that is too small: sizes of the outputs and 4 KiB suffice. */
SEALPACK_API int sealpack_model_run_sealed(sealpack_bundle* bundle, const sealpack_value* inputs,
                                           size_t input_count, void* out, size_t* size,
                                           sealpack_run_counters* counters, sealpack_error* error);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* SEALPACK_LOADER_H */
