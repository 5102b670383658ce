// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "tests/testing/temporary_folder.h"

namespace sealpack::broker::testing {

// A PostgreSQL server of this test program, on a socket in a folder of its own.
class PostgresServer {
 public:
  // nullptr where PostgreSQL is not installed. Started once; ends with the program.
  static PostgresServer* get();
  ~PostgresServer();
  // URI of a new, empty place for a store: a schema, which is made faster than a database.
  std::string new_database();
  void run(const std::string& sql);
  // As after a power failure: every connection is lost, the server recovers from its log.
  void crash_and_restart();

 private:
  PostgresServer() = default;
  bool start(const std::string& binaries);
  bool serve();
  std::string uri() const;

  std::unique_ptr<sealpack::testing::TemporaryFolder> folder_;
  std::string binaries_;
  pid_t process_ = -1;
  int databases_ = 0;
};

}  // namespace sealpack::broker::testing
