/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEALPACK_KEY_SOURCES_H
#define SEALPACK_KEY_SOURCES_H

/*
 * Where the key of a bundle comes from on a real machine, for programs that use loader.h: a broker
 * that is asked over HTTPS, and the machine itself, which proves what it is by its TEE or TPM. A
 * library of its own (libsealpack-key-sources), because it speaks to networks and devices, which
 * the loader does not.
 *
 *   sealpack_machine_open     what this machine is   -> sealpack_session_options.environment
 *   sealpack_broker_open      a broker               -> sealpack_bundle_unlock_broker
 *
 * Errors, ownership, threads and versions are as in loader.h.
 */

#include <sealpack/loader.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The machine as a TEE ----------------------------------------------------------------- */

typedef struct sealpack_machine sealpack_machine;

typedef struct sealpack_machine_options {
  size_t struct_size;
  /* As in release policies: "sev-snp", "tdx", "cca" (configfs-tsm), "sgx" (Gramine), "nitro", or
   * "tpm". There is no simulated one. */
  const char* tee;
  /* A folder in which somebody recorded what the kernel or Gramine would answer; NULL: this
   * machine. Not with "tpm". */
  const char* recorded;
  int32_t with_event_log;     /* of "tdx": not 0 adds the event log */
  const uint8_t* measurement; /* 32 bytes that receipts name; NULL: zeros */

  /* Of "tpm" alone. */
  const char* tcti;       /* of tpm2-tss, "device:/dev/tpmrm0"; NULL: that */
  uint32_t pcrs;          /* PCRs of the SHA-256 bank that quotes cover, PCR 0 in bit 0; 0: no
                             quotes, for machines that have a device_key */
  const char* event_log;  /* of the firmware, for quotes; NULL: none */
  const char* device_key; /* KEY of `sealpack provision install`, with the files beside it: attested
                             slots for it open, and floors that the TPM keeps. NULL: none */
  const char* tpm_password_file; /* first line: the password of the TPM's endorsement hierarchy,
                                    where it has one; a file that its owner alone may read.
                                    NULL: none */
} sealpack_machine_options;

/* With a device_key that cannot be opened, whatever the reason, nobody gets to use it before the
 * next boot. A program that crashes or is killed before sealpack_machine_cap leaves that to whoever
 * started it, who then has to stop the machine. With "tpm", tpm2-tss logs passwords and session
 * keys where the environment asks it to: have TSS2_LOG=all+NONE in it. */
SEALPACK_API int sealpack_machine_open(const sealpack_machine_options* options,
                                       sealpack_machine** machine, sealpack_error* error);
/* Fills the structs for sealpack_session_options; struct_size of both is set by the caller. What
 * they point to lives as long as the machine, which is closed after every session. `counters` may
 * be NULL; SEALPACK_UNSUPPORTED where the machine keeps no floors (all but those with a
 * device_key). */
SEALPACK_API int sealpack_machine_describe(sealpack_machine* machine,
                                           sealpack_environment* environment,
                                           sealpack_counters* counters, sealpack_error* error);
/* Everything is opened: until the next boot nobody gets to use the device key again. Closing does
 * it too, but cannot say whether it worked. SEALPACK_UNSUPPORTED without a device_key. */
SEALPACK_API int sealpack_machine_cap(sealpack_machine* machine, sealpack_error* error);
SEALPACK_API void sealpack_machine_close(sealpack_machine* machine);

/* ---- A broker ----------------------------------------------------------------------------- */

/* Calls take turns. The connection stays between them. */
typedef struct sealpack_broker sealpack_broker;

typedef struct sealpack_broker_options {
  size_t struct_size;
  const char* url;     /* https://HOST:PORT */
  const char* ca_file; /* PEM: authorities, or the broker's own certificate; NULL: the system's */
  uint32_t connect_milliseconds; /* 0: 5000 */
  uint32_t request_milliseconds; /* of each try; 0: 20000 */
  uint32_t tries;                /* where it cannot be reached or is busy; 0: 4 */
} sealpack_broker_options;

/* Connects to nobody yet. No proxy and no redirection is followed, and no environment variable but
 * libcurl's SSLKEYLOGFILE, which has TLS keys written to a file; grants are sealed besides. */
SEALPACK_API int sealpack_broker_open(const sealpack_broker_options* options,
                                      sealpack_broker** broker, sealpack_error* error);
SEALPACK_API void sealpack_broker_close(sealpack_broker* broker);

/* Unlocks a bundle by a grant of the broker, or prolongs the lease of one that a grant unlocked.
 * `tee` is that of the session's environment. What the broker refuses comes back with its code and
 * all its reasons. Whether the grant is genuine is judged by the session, by the broker key of the
 * bundle's owner. */
SEALPACK_API int sealpack_bundle_unlock_broker(sealpack_bundle* bundle, sealpack_broker* broker,
                                               const char* tee, sealpack_error* error);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* SEALPACK_KEY_SOURCES_H */
