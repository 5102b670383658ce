// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/process/process_backend.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "formats/files/system_calls.h"
#include "runtime-loader/tee/process/own_memory.h"
#include "runtime-loader/tee/process/program_file.h"

namespace sealpack::tee {
namespace {

constexpr const char* kPlanHint =
    "give --tee-memory more, or run `sealpack plan`, which lists what runs in how much";

int make_memory() {
  // Newer kernels want to be told that nothing in it is to be executed.
  constexpr unsigned kNoExecSeal = 8;
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int memory = ::memfd_create("sealpack-shared", kFlags | kNoExecSeal);
  return memory >= 0 ? memory : ::memfd_create("sealpack-shared", kFlags);
}

// A pipe that holds the key and ends after it: once it is read, it is empty.
Result<FileDescriptor> pipe_with(const crypto::PrivateKey& key) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return io_error("cannot pass the evidence key", errno);
  FileDescriptor out(ends[0]);
  const FileDescriptor in(ends[1]);
  const crypto::SecretBytes bytes = key.to_pkcs8();
  // Far less than a pipe holds.
  const ssize_t wrote = uninterrupted(
      [&] { return ::write(in.get(), bytes.reveal().data(), bytes.reveal().size()); });
  if (wrote != static_cast<ssize_t>(bytes.size())) {
    return io_error("cannot pass the evidence key", errno);
  }
  return out;
}

bool send_all(int channel, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t sent =
        uninterrupted([&] { return ::send(channel, bytes.data(), bytes.size(), MSG_NOSIGNAL); });
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_all(int channel, MutableBytes out) {
  while (!out.empty()) {
    const ssize_t got = uninterrupted([&] { return ::read(channel, out.data(), out.size()); });
    if (got <= 0) return false;
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

std::uint64_t nanoseconds_since(std::chrono::steady_clock::time_point start) {
  const auto passed = std::chrono::steady_clock::now() - start;
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count());
}

}  // namespace

Result<std::unique_ptr<ProcessBackend>> ProcessBackend::launch(const ProcessOptions& options) {
  const std::filesystem::path path =
      options.program.empty() ? TRY(find_tee_program()) : options.program;
  const std::unique_ptr<FileSource> program = TRY(FileSource::open(path));
  std::unique_ptr<ProcessBackend> backend(new ProcessBackend());
  TRY(check_self_contained(*program).within(printable(path.string())));
  FileDescriptor executable(::fcntl(program->descriptor(), F_DUPFD_CLOEXEC, 0));
  FileDescriptor memory;
  TRY(backend->map_shared(options, memory));
  TRY(backend->start(options, std::move(executable), std::move(memory)));
  // It does the same meanwhile.
  backend->program_digest_ = TRY(measure_program(*program).within(printable(path.string())));
  TRY(backend->greet(options));
  TRY(backend->measure_switch());
  return backend;
}

ProcessBackend::~ProcessBackend() {
  control_.reset();
  if (process_ >= 0) (void)describe_end(process_);
  if (shared_ != nullptr) (void)::munmap(shared_, mapped_);
}

Status ProcessBackend::map_shared(const ProcessOptions& options, FileDescriptor& memory) {
  const std::optional<std::uint64_t> size = checked_add(options.shared_bytes, options.spill_bytes);
  if (!size || options.shared_bytes == 0 || *size > (std::uint64_t{1} << 46U)) {
    return Error(ErrorCode::kUsage, "the shared memory has an impossible size");
  }
  memory = FileDescriptor(make_memory());
  if (memory.get() < 0 || ::ftruncate(memory.get(), static_cast<off_t>(*size)) != 0 ||
      ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return io_error("cannot make the shared memory", errno);
  }
  void* data = ::mmap(nullptr, *size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (data == MAP_FAILED) return io_error("cannot map the shared memory", errno);
  shared_ = static_cast<std::uint8_t*>(data);
  mapped_ = *size;
  return done();
}

Status ProcessBackend::start(const ProcessOptions& options, FileDescriptor program,
                             FileDescriptor memory) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return io_error("cannot make the control channel", errno);
  }
  control_ = FileDescriptor(ends[0]);
  const FileDescriptor theirs(ends[1]);
  ProgramStart start;
  start.program = program.get();
  start.control = theirs.get();
  start.shared = memory.get();
  start.bundles = options.bundles;
  start.errors = options.errors;
  FileDescriptor evidence_key;
  if (options.evidence_key != nullptr) evidence_key = TRY(pipe_with(*options.evidence_key));
  start.evidence_key = evidence_key.get();
  if (::geteuid() == 0) {
    start.user =
        TRY(find_user(options.user.empty() ? "nobody" : options.user).within("--tee-user"));
  } else if (!options.user.empty()) {
    return Error(ErrorCode::kUsage, "only root can run the TEE program as another user");
  }
  const StartedProgram started = TRY(start_program(start));
  process_ = started.process;
  const auto note = [&](bool there, const char* what) {
    (there ? capabilities_.confinement : capabilities_.missing).emplace_back(what);
  };
  capabilities_.confinement.emplace_back("seccomp");
  note(start.user.has_value(), "own-user");
  note(started.own_network, "own-network");
  return done();
}

Status ProcessBackend::greet(const ProcessOptions& options) {
  StartFrame frame;
  frame.cap = options.cap;
  frame.threads = options.threads;
  frame.bundles = static_cast<std::uint32_t>(options.bundles.size());
  frame.shared_size = options.shared_bytes;
  frame.spill_size = options.spill_bytes;
  capabilities_.name = "process";
  capabilities_.tee = "simulated";
  capabilities_.simulated = true;
  capabilities_.evidence = options.evidence_key != nullptr;
  capabilities_.secure_bytes = options.cap;
  capabilities_.shared_bytes = options.shared_bytes;
  capabilities_.spill_bytes = options.spill_bytes;
  capabilities_.threads = options.threads;
  capabilities_.can_call_host = true;
  const ByteVector answer = TRY(exchange(Frame::kStart, serialize(frame)));
  const ReadyFrame ready = TRY(parse_ready(answer));
  for (const Confinement one : kAllConfinement) {
    const bool there = (ready.confinement & static_cast<std::uint32_t>(one)) != 0;
    (there ? capabilities_.confinement : capabilities_.missing).emplace_back(to_string(one));
  }
  policy_digest_ = ready.policy;
  if (ready.program != program_digest_) {
    return Error(ErrorCode::kNotAuthentic, "the program that started is not the one that was read");
  }
  return done();
}

// An empty message is refused at once: what it takes is the way there and back.
Status ProcessBackend::measure_switch() {
  std::uint64_t least = ~std::uint64_t{0};
  for (int i = 0; i < 4; ++i) {
    const auto start = std::chrono::steady_clock::now();
    (void)TRY(exchange(Frame::kStep, {}));
    least = std::min(least, nanoseconds_since(start));
  }
  capabilities_.switch_nanoseconds = least;
  traffic_ = {};
  return done();
}

Digest ProcessBackend::expected_measurement(const Digest& launch) const {
  return loader::simulated_measurement(program_digest_, launch, policy_digest_);
}

Error ProcessBackend::gone(const std::string& what) {
  over_ = true;
  const std::string end = describe_end(process_);
  process_ = -1;
  return Error(ErrorCode::kIo, "the TEE process is gone (" + what + "): " + end);
}

Error ProcessBackend::failed(Bytes body) {
  over_ = true;
  const Result<FailedFrame> frame = parse_failed(body);
  if (!frame.ok()) return gone("it sent something else than was agreed");
  if (frame->code == static_cast<std::uint32_t>(ErrorCode::kLimit)) {
    return Error(ErrorCode::kLimit, "the cap of " + format_size(capabilities_.secure_bytes) +
                                        " secure memory is too small: " +
                                        format_size(frame->number) + " are needed at least")
        .with_hint(kPlanHint);
  }
  return gone("it refused with code " + std::to_string(frame->code));
}

Result<ByteVector> ProcessBackend::exchange(Frame type, Bytes body) {
  if (over_) return Error(ErrorCode::kIo, "the TEE process is gone");
  const FrameHeader header{type, static_cast<std::uint32_t>(body.size())};
  if (body.size() > loader::kMaxMessageSize) {
    return Error(ErrorCode::kLimit, "a message of " + format_size(body.size()));
  }
  std::array<std::uint8_t, FrameHeader::kSize> answer{};
  // A program that left says why before it does, so reading comes after writing fails too.
  // In one piece: every write wakes the program.
  const auto start = serialize(header);
  ByteVector frame(start.begin(), start.end());
  frame.insert(frame.end(), body.begin(), body.end());
  (void)send_all(control_.get(), frame);
  if (!receive_all(control_.get(), answer)) return gone("no answer");
  const Result<FrameHeader> received = parse_frame_header(answer);
  if (!received.ok()) return gone(received.error().message());
  ByteVector bytes(received->size);
  if (!receive_all(control_.get(), bytes)) return gone("half an answer");
  if (received->type == Frame::kFailed) return failed(bytes);
  if (received->type != type) return gone("it sent something else than was agreed");
  return bytes;
}

Result<ByteVector> ProcessBackend::step(Bytes message) {
  const auto start = std::chrono::steady_clock::now();
  ByteVector answer = TRY(exchange(Frame::kStep, message));
  traffic_.secure_nanoseconds += nanoseconds_since(start);
  traffic_.switches += 1;
  traffic_.bytes_in += FrameHeader::kSize + message.size();
  traffic_.bytes_out += FrameHeader::kSize + answer.size();
  return answer;
}

Result<SecureRoom> ProcessBackend::secure_room() {
  const ByteVector answer = TRY(exchange(Frame::kRoom, {}));
  const RoomFrame room = TRY(parse_room(answer));
  return SecureRoom{room.available, room.used, room.overhead, room.most};
}

std::uint64_t ProcessBackend::least_cap(std::uint64_t model) const {
  return model + own_memory(capabilities_.threads, model);
}

Result<Backend::Use> ProcessBackend::use() {
  const ByteVector answer = TRY(exchange(Frame::kUse, {}));
  const UseFrame frame = TRY(parse_use(answer));
  Use use;
  use.memory = {frame.base, frame.now, frame.peak, frame.text};
  use.traffic = traffic_;
  use.traffic.host_calls = frame.host_calls;
  use.traffic.bytes_in += frame.bytes_in;
  use.traffic.bytes_out += frame.bytes_out;
  return use;
}

}  // namespace sealpack::tee
