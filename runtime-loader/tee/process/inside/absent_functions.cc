// SPDX-License-Identifier: Apache-2.0
// What libcrypto can do for others and is never asked to do in here: load libraries, look up hosts.
// The C library's own versions need files and shared libraries of the machine; these need nothing,
// and keep its resolver out of the program. (Its loader stays: its own character sets refer to it.)
#include <dlfcn.h>
#include <netdb.h>

#include "formats/base/error.h"

namespace {

[[noreturn]] void absent() {
  sealpack::die("a library or a host was asked for, and there are none in here");
}

}  // namespace

extern "C" {

// Linked as --wrap=dlopen: whoever is in the program and says dlopen means this.
void* __wrap_dlopen(const char*, int) noexcept;
void* __wrap_dlopen(const char*, int) noexcept {
  absent();
}
void* dlsym(void*, const char*) noexcept {
  absent();
}
int dladdr(const void*, Dl_info*) noexcept {
  absent();
}
int dlclose(void*) noexcept {
  absent();
}
char* dlerror() noexcept {
  absent();
}

int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) {
  absent();
}
void freeaddrinfo(addrinfo*) noexcept {
  absent();
}
const char* gai_strerror(int) noexcept {
  absent();
}
int getnameinfo(const sockaddr*, socklen_t, char*, socklen_t, char*, socklen_t, int) {
  absent();
}
hostent* gethostbyname(const char*) {
  absent();
}

}  // extern "C"
