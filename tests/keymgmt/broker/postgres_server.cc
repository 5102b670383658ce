// SPDX-License-Identifier: Apache-2.0
#include "tests/keymgmt/broker/postgres_server.h"

#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

namespace sealpack::broker::testing {
namespace {

// Where Debian puts the server, which is on nobody's path.
std::string find_binaries() {
  glob_t found{};
  std::string folder;
  if (::glob("/usr/lib/postgresql/*/bin/initdb", 0, nullptr, &found) == 0) {
    folder = std::filesystem::path(found.gl_pathv[found.gl_pathc - 1]).parent_path().string();
  }
  ::globfree(&found);
  return folder;
}

// PostgreSQL refuses to run as root.
std::vector<std::string> as_another_user() {
  if (::geteuid() != 0) return {};
  const char* user = ::getpwnam("postgres") != nullptr ? "postgres" : "nobody";
  return {"setpriv", "--reuid", user, "--clear-groups", "--pdeathsig", "INT"};
}

pid_t spawn(std::vector<std::string> command) {
  std::vector<char*> arguments;
  for (std::string& part : command) arguments.push_back(part.data());
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGINT);
  if (::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(126);
  if (::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(126);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

PostgresServer* PostgresServer::get() {
  static const std::unique_ptr<PostgresServer> server = [] {
    const std::string binaries = find_binaries();
    std::unique_ptr<PostgresServer> made;
    if (binaries.empty()) return made;
    made.reset(new PostgresServer);
    if (!made->start(binaries)) {
      ADD_FAILURE() << "PostgreSQL is installed in " << binaries << " and does not start";
      made.reset();
    }
    return made;
  }();
  return server.get();
}

bool PostgresServer::start(const std::string& binaries) {
  folder_ = std::make_unique<sealpack::testing::TemporaryFolder>();
  const std::string folder = folder_->path().string();
  const std::vector<std::string> user = as_another_user();
  if (!user.empty()) {
    const struct passwd* entry = ::getpwnam(user[2].c_str());
    if (entry == nullptr || ::chown(folder.c_str(), entry->pw_uid, entry->pw_gid) != 0)
      return false;
  }
  std::vector<std::string> make = user;
  for (const char* part :
       {"--username=postgres", "--auth=trust", "--no-sync", "--no-locale", "-E", "UTF8"}) {
    make.emplace_back(part);
  }
  make.insert(make.begin() + static_cast<std::ptrdiff_t>(user.size()), binaries + "/initdb");
  make.push_back("--pgdata=" + folder + "/data");
  int status = 0;
  if (::waitpid(spawn(make), &status, 0) < 0 || status != 0) return false;
  binaries_ = binaries;
  return serve();
}

bool PostgresServer::serve() {
  const std::string folder = folder_->path().string();
  std::vector<std::string> serve = as_another_user();
  for (const std::string& part :
       {binaries_ + "/postgres", std::string("-D"), folder + "/data", std::string("-k"), folder,
        std::string("-c"), std::string("listen_addresses="), std::string("-c"),
        std::string("shared_buffers=32MB")}) {
    serve.push_back(part);
  }
  process_ = spawn(serve);
  // Until it has recovered from its log, however slow the disk is, or has ended.
  while (::waitpid(process_, nullptr, WNOHANG) == 0) {
    if (PQping(uri().c_str()) == PQPING_OK) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  process_ = -1;
  return false;
}

PostgresServer::~PostgresServer() {
  if (process_ <= 0) return;
  ::kill(process_, SIGQUIT);  // at once: nobody reads its files again
  ::waitpid(process_, nullptr, 0);
}

void PostgresServer::crash_and_restart() {
  ::kill(process_, SIGQUIT);
  ::waitpid(process_, nullptr, 0);
  ASSERT_TRUE(serve());
}

std::string PostgresServer::uri() const {
  return "postgresql://postgres@/postgres?host=" + folder_->path().string();
}

void PostgresServer::run(const std::string& sql) {
  PGconn* connection = PQconnectdb(uri().c_str());
  PGresult* result = PQexec(connection, sql.c_str());
  EXPECT_EQ(PQresultStatus(result), PGRES_COMMAND_OK) << PQerrorMessage(connection);
  PQclear(result);
  PQfinish(connection);
}

std::string PostgresServer::new_database() {
  const std::string name = "test" + std::to_string(++databases_);
  run("CREATE SCHEMA " + name);
  return uri() + "&options=-csearch_path%3D" + name;
}

}  // namespace sealpack::broker::testing
