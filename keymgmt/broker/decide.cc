// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/decide.h"

#include <algorithm>

#include "attest/evidence/gpu_items.h"
#include "attest/evidence/gpu_nonce.h"
#include "attest/verify/endorsements.h"
#include "keymgmt/crypto/random.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/slots/slots.h"

namespace sealpack::broker {
namespace {

constexpr std::size_t kMaxLoggedCodes = 64;

// One decision under way: reasons as they are found, and what is learnt of the environment.
class Deciding {
 public:
  Deciding(const Rules& rules, const Judges& judges, const OpenedRequest& opened, std::uint64_t now)
      : rules_(rules), judges_(judges), opened_(opened), terms_(opened.request.terms), now_(now) {}

  std::variant<Decided, Refusal> run() {
    begin_entry();
    check_broker_key();
    Rules::Found found = rules_.find(subject_of(terms_), now_);
    add(std::move(found.reasons));
    // Evidence costs most and is looked at last.
    if (reasons_.empty()) judge_evidence(*found.release);
    if (reasons_.empty()) grant(*found.release);
    if (away_) return *std::move(away_);
    if (!reasons_.empty()) refuse();
    return std::move(out_);
  }

 private:
  void add(std::vector<Reason> reasons) {
    for (Reason& reason : reasons) reasons_.push_back(std::move(reason));
  }
  void add(const char* code, std::string text) { reasons_.push_back({code, std::move(text)}); }

  void begin_entry() {
    out_.decision.nonce = terms_.challenge.nonce;
    out_.decision.expires = opened_.challenge.expires;
    LogEntry& entry = out_.decision.entry;
    entry.kind = EntryKind::kGrant;
    entry.time = now_;
    entry.transport = static_cast<std::uint32_t>(opened_.challenge.transport);
    entry.nonce = crypto::sha256(terms_.challenge.nonce);
    entry.authority = terms_.authority;
    entry.content = terms_.content;
    entry.release = terms_.release;
    entry.tee = terms_.tee;
    entry.role = terms_.role;
    entry.exchange_key = crypto::sha256(terms_.public_key);
    entry.evidence = crypto::sha256(opened_.request.evidence);
  }

  void check_broker_key() {
    const auto& signers = judges_.keys.grants;
    const auto at = std::find_if(signers.begin(), signers.end(), [&](const auto& signer) {
      return signer->public_key().digest() == terms_.broker;
    });
    if (at == signers.end() || !rules_.is_listed(KeyUse::kGrants, terms_.broker, now_)) {
      add("broker.key",
          "the environment believes another broker key, " + to_hex(terms_.broker.bytes));
      return;
    }
    signer_ = at->get();
  }

  void judge_evidence(const ServedRelease& served) {
    const auto evidence = attest::parse_evidence(opened_.request.evidence);
    if (!evidence.ok()) return add("broker.evidence", evidence.error().message());
    if (evidence->tee != terms_.tee) {
      return add("broker.evidence", "evidence of " + printable(evidence->tee) +
                                        " for a key that was asked for as " + terms_.tee);
    }
    auto endorsements = judges_.endorsements;
    if (!opened_.endorsements.empty()) {
      const auto more = attest::parse_endorsements(opened_.endorsements);
      if (!more.ok()) return add("broker.endorsements", more.error().message());
      auto merged = std::make_shared<attest::Endorsements>(*endorsements);
      attest::merge_endorsements(*merged, *more);
      endorsements = std::move(merged);
    }
    const ByteVector transcript = loader::grant_transcript(terms_);
    const ByteVector data = loader::report_data_for(terms_.tee, transcript);
    attest::VerifyInput input{*evidence, *endorsements, rules_.roots_for(served, terms_.tee), now_};
    input.report_data = data;
    if (attest::count_gpus(*evidence) > 0) {
      input.gpu_nonce = attest::gpu_nonce(transcript, *evidence);
    }
    input.minimum_tcb_evaluation = judges_.options.minimum_tcb_evaluation;
    input.cache = &judges_.cache;
    input.kept_endorsements = endorsements;
    const attest::Verdict verdict = attest::verify(input);
    if (!verdict.accepted()) {
      add(verdict.reasons);
      if (reasons_.empty()) add("broker.evidence", "the evidence proves nothing");
      return;
    }
    judge_claims(served, *verdict.claims);
  }

  void judge_claims(const ServedRelease& served, const attest::Claims& claims) {
    LogEntry& entry = out_.decision.entry;
    out_.decision.claims = serialize_claims(claims);
    entry.claims = crypto::sha256(out_.decision.claims);
    entry.device = device_of(claims);
    Rules::Judged judged = rules_.judge(served, claims);
    add(std::move(judged.reasons));
    own_reasons_ = std::move(judged.own);
  }

  Result<crypto::ContentKey> unwrap(const ServedRelease& served) const {
    const RegisteredRelease& registered = *served.registered;
    const slots::Binding binding{registered.uuid, registered.content, registered.authority};
    bool silent = false;
    for (const auto& recipient : judges_.keys.recipients) {
      const Digest digest = recipient->public_key().digest();
      if (!rules_.is_listed(KeyUse::kRecipient, digest, now_)) continue;
      for (const bundle::Slot& slot : registered.head.slots) {
        if (!slots::hints_at(slot, digest)) continue;
        auto key = slots::unwrap(slot, binding, *recipient);
        if (!key.ok()) {
          silent = silent || key.error().code() != ErrorCode::kKeyUnavailable;
          continue;
        }
        if (slots::key_commitment(*key) == served.release.key_commitment) return key;
      }
    }
    if (silent) return Error(ErrorCode::kTryAgain, "the broker's key does not answer");
    return Error(ErrorCode::kKeyUnavailable, "the broker has no key for the bundle's slot");
  }

  void claim_lease(const ServedRelease& served, loader::GrantFacts& facts) {
    const Licence* licence = served.licence;
    // Without leases, or not with them any more: what renews one gets the key without an end, as
    // anything that asks for the first time does.
    if (licence == nullptr || licence->lease_seconds == 0) return;
    facts.instance =
        terms_.renews ? *terms_.renews : crypto::random_array<sizeof(loader::Instance)>();
    facts.lease_until = now_ + licence->lease_seconds;
    if (licence->not_after != 0) {
      facts.lease_until = std::min(facts.lease_until, licence->not_after);
    }
    LeaseClaim claim;
    claim.lease = {*facts.instance,
                   terms_.authority,
                   served.registered->product,
                   terms_.release,
                   out_.decision.entry.device,
                   now_,
                   facts.lease_until,
                   0};
    claim.max_instances = licence->max_instances;
    const std::uint64_t restored = rules_.state().restored_at;
    if (restored != 0) claim.not_before = restored + licence->lease_seconds;
    out_.decision.lease = std::move(claim);
  }

  void grant(const ServedRelease& served) {
    loader::GrantFacts facts;
    facts.unix_seconds = now_;
    facts.floor = served.floor;
    claim_lease(served, facts);
    if (!reasons_.empty()) return;
    const auto key = unwrap(served);
    if (!key.ok()) return no_grant("broker.recipient", key.error());
    const auto grant = loader::make_key_grant(opened_.request, *key, facts, signer_);
    if (!grant.ok()) return no_grant("broker.grant", grant.error());
    out_.grant = loader::serialize_key_grant(*grant);
    LogEntry& entry = out_.decision.entry;
    entry.floor = served.floor.counter;
    entry.lease_until = facts.lease_until;
    entry.instance = facts.instance;
  }

  // A token or TPM that is away says nothing about who asks: he keeps his challenge.
  void no_grant(const char* code, const Error& error) {
    const bool passes = error.code() == ErrorCode::kTryAgain || error.code() == ErrorCode::kIo;
    if (!passes) return add(code, error.message());
    away_ = passing({code, "the broker's key does not answer"}, kDeviceSeconds);
  }

  void refuse() {
    out_.grant.clear();
    out_.decision.lease.reset();
    LogEntry& entry = out_.decision.entry;
    entry.kind = EntryKind::kRefusal;
    entry.floor = 0;
    entry.lease_until = 0;
    entry.instance.reset();
    for (const auto* reasons : {&reasons_, &own_reasons_}) {
      for (const Reason& reason : *reasons) log_code(reason.code);
    }
    out_.refusal = refusal_of(ErrorCode::kRefused, std::move(reasons_));
  }

  void log_code(const std::string& code) {
    std::vector<std::string>& codes = out_.decision.entry.codes;
    const bool known = std::find(codes.begin(), codes.end(), code) != codes.end();
    if (!known && codes.size() < kMaxLoggedCodes) codes.push_back(code);
  }

  const Rules& rules_;
  const Judges& judges_;
  const OpenedRequest& opened_;
  const loader::GrantTerms& terms_;
  std::uint64_t now_;
  const crypto::Signer* signer_ = nullptr;
  std::vector<Reason> reasons_;
  std::optional<Refusal> away_;      // a device of the broker's did not answer
  std::vector<Reason> own_reasons_;  // of the broker's own policy: for the log alone
  Decided out_;
};

// At most `limit` bytes of it, and not in the middle of a character.
void shorten(std::string& text, std::size_t limit) {
  if (text.size() <= limit) return;
  std::size_t size = limit - 3;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U) --size;
  text.resize(size);
  text += "...";
}

Refusal refusal_of_error(const char* code, const Error& error) {
  return refusal_of(error.code(), {{code, error.message()}});
}

}  // namespace

ChallengeRequest subject_of(const loader::GrantTerms& terms) {
  return {terms.authority, terms.content, terms.release, terms.tee};
}

Refusal refusal_of(ErrorCode code, std::vector<Reason> reasons) {
  Refusal refusal;
  refusal.code = code;
  for (Reason& reason : reasons) shorten(reason.text, kMaxReasonText);
  if (reasons.size() > kMaxReasons) {
    const std::string more = " (" + std::to_string(reasons.size() - kMaxReasons) + " reasons more)";
    reasons.resize(kMaxReasons);
    shorten(reasons.back().text, kMaxReasonText - more.size());
    reasons.back().text += more;
  }
  refusal.reasons = std::move(reasons);
  return refusal;
}

Refusal passing(Reason reason, std::uint32_t seconds) {
  Refusal refusal = refusal_of(ErrorCode::kTryAgain, {std::move(reason)});
  refusal.retry_after = seconds;
  return refusal;
}

std::variant<OpenedRequest, Refusal> open_request(const Rules& rules, Bytes bytes,
                                                  Transport transport, std::uint64_t now) {
  auto message = parse_release_request(bytes);
  if (!message.ok()) return refusal_of_error("broker.request", message.error());
  auto request = loader::parse_key_request(message->key_request);
  if (!request.ok()) return refusal_of_error("broker.request", request.error());
  const State& state = rules.state();
  const auto checked = check_challenge(state.challenge_key->reveal(), request->terms.challenge,
                                       subject_of(request->terms), {transport, state.epoch, now});
  if (const auto* reason = std::get_if<Reason>(&checked)) {
    return refusal_of(ErrorCode::kRefused, {*reason});
  }
  return OpenedRequest{std::move(*request), std::move(message->endorsements),
                       std::get<ChallengeFacts>(checked)};
}

std::variant<Decided, Refusal> decide(const Rules& rules, const Judges& judges,
                                      const OpenedRequest& opened, std::uint64_t now) {
  return Deciding(rules, judges, opened, now).run();
}

}  // namespace sealpack::broker
