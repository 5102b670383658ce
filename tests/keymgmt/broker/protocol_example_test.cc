// SPDX-License-Identifier: Apache-2.0
// The worked example of docs/PROTOCOL.md is what this program says and hears.
#include <fstream>
#include <iterator>

#include "attest/evidence/simulated.h"
#include "keymgmt/broker/checkpoint.h"
#include "keymgmt/broker/log_entry.h"
#include "keymgmt/broker/merkle.h"
#include "keymgmt/broker/messages.h"
#include "keymgmt/crypto/private_key.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Succeeds;

constexpr std::size_t kBytesInALine = 48;
constexpr std::uint64_t kTime = 1700000000;

// PKCS#8 of an Ed25519 (0x70) or X25519 (0x6e) key whose 32 bytes are all `fill`.
crypto::PrivateKey key(std::uint8_t algorithm, std::uint8_t fill) {
  ByteVector der = from_hex("302e020100300506032b65000422042000").value();
  der[11] = algorithm;
  der.resize(16);
  der.insert(der.end(), 32, fill);
  const auto use =
      algorithm == 0x70 ? crypto::PrivateKey::Use::kSign : crypto::PrivateKey::Use::kUnwrap;
  return crypto::PrivateKey::from_pkcs8(crypto::SecretBytes::copy_of(der), use).value();
}

struct Example {
  crypto::PrivateKey lab = key(0x70, 1);
  crypto::PrivateKey grants = key(0x70, 2);
  crypto::PrivateKey log = key(0x70, 3);
  crypto::PrivateKey exchange = key(0x6e, 4);
  crypto::ContentKey content_key =
      crypto::ContentKey::from(crypto::SecretBytes::copy_of(ByteVector(32, 5))).value();
  Digest measurement = crypto::sha256(as_bytes("measurement"));
  ChallengeRequest subject{crypto::sha256(as_bytes("authority")),
                           crypto::sha256(as_bytes("content")), crypto::sha256(as_bytes("release")),
                           "simulated"};
  ChallengeReply reply;
  loader::KeyRequest request;
  loader::GrantFacts facts{kTime + 1, loader::Floor{7, std::nullopt}, kTime + 3601,
                           loader::Instance{0xaa, 0xbb}};
  ByteVector data;
  LogEntry entry;

  Example() {
    for (std::uint8_t i = 0; i < 32; ++i) reply.challenge.nonce.push_back(i);
    for (std::uint8_t i = 0; i < 82; ++i) reply.challenge.id.push_back(0x80 | i);
    reply.expires = kTime + 60;
    const Digest broker = grants.signer().value()->public_key().digest();
    request.terms = {reply.challenge, broker,      subject.authority,          subject.content,
                     subject.release, subject.tee, to_vector(exchange.spki()), "model",
                     std::nullopt};
    data = loader::report_data_for("simulated", loader::grant_transcript(request.terms));
    request.evidence =
        attest::make_simulated_evidence(measurement, data, *lab.signer().value()).value();
    entry.kind = EntryKind::kGrant;
    entry.time = facts.unix_seconds;
    entry.epoch = 1;
    entry.transport = 1;
    entry.nonce = crypto::sha256(reply.challenge.nonce);
    entry.authority = subject.authority;
    entry.content = subject.content;
    entry.release = subject.release;
    entry.tee = subject.tee;
    entry.role = "model";
    entry.exchange_key = crypto::sha256(exchange.spki());
    entry.evidence = crypto::sha256(request.evidence);
    entry.claims = crypto::sha256(as_bytes("claims"));
    entry.floor = facts.floor->counter;
    entry.lease_until = facts.lease_until;
    entry.instance = facts.instance;
  }

  ByteVector new_grant() const {
    const auto signer = grants.signer().value();
    return loader::serialize_key_grant(
        loader::make_key_grant(request, content_key, facts, signer.get()).value());
  }

  // The grant's sealing is random; any that opens is one.
  bool opens(Bytes bytes) const {
    const auto grant = loader::parse_key_grant(bytes);
    if (!grant.ok()) return false;
    const auto opened = loader::open_key_grant(*grant, request.terms, *exchange.decryptor().value(),
                                               grants.signer().value()->public_key());
    return opened.ok() && opened->facts == facts &&
           crypto::equal_constant_time(opened->key.reveal(), content_key.reveal());
  }
};

std::string line(const std::string& name, Bytes bytes) {
  std::string out = name + " =\n";
  for (std::size_t at = 0; at < bytes.size(); at += kBytesInALine) {
    const std::size_t count = std::min(kBytesInALine, bytes.size() - at);
    out += "  " + to_hex(bytes.subspan(at, count)) + "\n";
  }
  return out;
}

std::string text_of(const Example& example, Bytes grant) {
  const auto signer = example.log.signer().value();
  const ByteVector entry = serialize(example.entry);
  const Digest leaf = merkle::leaf_hash(entry);
  const Refusal refusal{
      ErrorCode::kRefused, {{"broker.nonce-used", "the challenge was answered before"}}, 0, 0};
  const auto checkpoint = sign_checkpoint(
      "sealpack-log/000102030405060708090a0b0c0d0e0f/1/101112131415161718191a1b1c1d1e1f", {1, leaf},
      *signer);
  return line("key for grants, SPKI", example.grants.spki()) +
         line("laboratory's root, SPKI", example.lab.spki()) +
         line("exchange key, SPKI", example.exchange.spki()) +
         line("challenge request", serialize(example.subject)) +
         line("challenge", serialize(example.reply)) +
         line("T", loader::grant_transcript(example.request.terms)) +
         line("report data", example.data) + line("evidence", example.request.evidence) +
         line("key request", loader::serialize_key_request(example.request)) +
         line("release request",
              serialize(ReleaseRequest{loader::serialize_key_request(example.request), {}})) +
         line("grant", grant) + line("refusal", serialize(refusal)) + line("log entry", entry) +
         line("its leaf hash", leaf.bytes) + "checkpoint of the log with this entry alone:\n" +
         checkpoint->text;
}

// The block of the example, and of it the bytes after "grant =".
std::string documented() {
  std::ifstream file(std::string(SEALPACK_SOURCE) + "/docs/PROTOCOL.md");
  const std::string all((std::istreambuf_iterator<char>(file)), {});
  const std::string begin = "<!-- example -->\n```\n";
  const std::size_t at = all.find(begin);
  if (at == std::string::npos) return "";
  return all.substr(at + begin.size(), all.find("```", at + begin.size()) - at - begin.size());
}
ByteVector grant_in(const std::string& text) {
  const std::string name = "\ngrant =\n";
  const std::size_t at = text.find(name);
  if (at == std::string::npos) return {};
  std::string hex;
  for (std::size_t i = at + name.size(); i < text.size() && text[i] == ' ';) {
    const std::size_t end = text.find('\n', i);
    hex += text.substr(i + 2, end - i - 2);
    i = end + 1;
  }
  return from_hex(hex).value();
}

TEST(ProtocolExample, IsWhatIsSaidAndHeard) {
  const Example example;
  const std::string text = documented();
  const ByteVector kept = grant_in(text);
  EXPECT_EQ(text, text_of(example, example.opens(kept) ? kept : example.new_grant()));
}

TEST(ProtocolExample, ComesBackFromItsBytes) {
  const Example example;
  EXPECT_EQ(parse_challenge_request(serialize(example.subject)).value(), example.subject);
  EXPECT_EQ(parse_challenge_reply(serialize(example.reply)).value(), example.reply);
  EXPECT_EQ(loader::parse_key_request(loader::serialize_key_request(example.request)).value(),
            example.request);
  EXPECT_EQ(parse_log_entry(serialize(example.entry)).value(), example.entry);
  EXPECT_TRUE(example.opens(example.new_grant()));
}

}  // namespace
}  // namespace sealpack::broker
