// SPDX-License-Identifier: Apache-2.0
// CBOR of tokens and documents: what is there, without knowing what it means.
#include "attest/verbs/evidence_fields.h"
#include "attest/verify/cose/cbor.h"

namespace sealpack::attest {
namespace {

constexpr unsigned kMaxDepth = 8;
constexpr std::size_t kMaxFields = 512;

class CborPrinter {
 public:
  explicit CborPrinter(FieldList& out) : out_(out) {}

  Status item(CborReader& in, const std::string& name, unsigned depth) {
    if (depth > kMaxDepth || ++count_ > kMaxFields) {
      return Error(ErrorCode::kLimit, "too much inside each other to be shown");
    }
    switch (TRY(in.peek())) {
      case CborType::kUnsigned:
      case CborType::kNegative:
        out_.text(name, std::to_string(TRY(in.number(name))));
        return done();
      case CborType::kBytes:
        return inner(TRY(in.bytes(name)), name, depth);
      case CborType::kText:
        out_.text(name, printable(TRY(in.text(name))));
        return done();
      case CborType::kArray:
        return array(in, name, depth);
      case CborType::kMap:
        return map(in, name, depth);
      case CborType::kTag: {
        const std::string tag = std::to_string(TRY(in.tag(name)));
        return item(in, name.empty() ? "tag " + tag : name + ", tag " + tag, depth + 1);
      }
      case CborType::kSimple:
        return simple(in, name);
    }
    return done();
  }

 private:
  Status simple(CborReader& in, const std::string& name) {
    if (TRY(in.take_null())) {
      out_.text(name, "null");
      return done();
    }
    out_.text(name, TRY(in.boolean(name)) ? "true" : "false");
    return done();
  }

  // Bytes that are CBOR themselves, as payloads and headers are, are opened.
  Status inner(Bytes bytes, const std::string& name, unsigned depth) {
    CborReader in(bytes, name, CborLengths::kAny);
    const auto type = in.peek();
    const bool opens = type.ok() && (*type == CborType::kMap || *type == CborType::kArray ||
                                     *type == CborType::kTag);
    CborReader trial(bytes, name, CborLengths::kAny);
    if (!opens || !trial.skip().ok() || !trial.at_end()) {
      out_.bytes(name, bytes);
      return done();
    }
    return item(in, name, depth + 1);
  }

  Status array(CborReader& in, const std::string& name, unsigned depth) {
    CborReader::Members members = TRY(in.open_array(name));
    std::size_t shown = 0;
    for (; TRY(in.next(members)); ++shown) {
      TRY(item(in, name + "[" + std::to_string(shown) + "]", depth + 1));
    }
    if (shown == 0) out_.text(name, "[]");
    return done();
  }

  Status map(CborReader& in, const std::string& name, unsigned depth) {
    CborReader::Members members = TRY(in.open_map(name));
    std::size_t shown = 0;
    for (; TRY(in.next(members)); ++shown) {
      std::string key;
      if (TRY(in.peek()) == CborType::kText) {
        key = printable(TRY(in.text("key")));
        key = key.substr(1, key.size() - 2);
      } else {
        key = std::to_string(TRY(in.number("key")));
      }
      TRY(item(in, name.empty() ? key : name + "." + key, depth + 1));
    }
    if (shown == 0) out_.text(name, "{}");
    return done();
  }

  FieldList& out_;
  std::size_t count_ = 0;
};

}  // namespace

Status read_cbor(Bytes bytes, FieldList& out) {
  CborReader in(bytes, "CBOR", CborLengths::kAny);
  TRY(CborPrinter(out).item(in, "", 0));
  return in.finish();
}

}  // namespace sealpack::attest
