// SPDX-License-Identifier: Apache-2.0
#include "packer/verbs/build_report.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <ostream>

namespace sealpack::packer {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kPlaces = {Where::kSealed, Where::kPublic, Where::kExcluded};

const char* name_of(Where where) {
  switch (where) {
    case Where::kSealed:
      return "sealed";
    case Where::kPublic:
      return "public";
    case Where::kExcluded:
      return "excluded";
  }
  return "sealed";
}

struct Sum {
  std::uint64_t tensors = 0;
  std::uint64_t files = 0;  // without tensors
  std::uint64_t bytes = 0;
};

Sum sum_of(const Assembly& assembly, Where where) {
  Sum sum;
  for (const Entry& entry : assembly.entries) {
    if (entry.where != where) continue;
    ++(entry.name.empty() ? sum.files : sum.tensors);
    sum.bytes += entry.size;
  }
  return sum;
}

std::uint64_t total_bytes(const Assembly& assembly) {
  std::uint64_t total = 0;
  for (const Entry& entry : assembly.entries) total += entry.size;
  return total;
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  char text[16];
  const double share =
      whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  (void)std::snprintf(text, sizeof text, "%.1f %%", share);
  return text;
}

// Without the quotes that printable() adds: cells of a table have an end of their own.
std::string cell(const std::string& text) {
  const std::string quoted = printable(text);
  return quoted.substr(1, quoted.size() - 2);
}

std::string shape_text(const Entry& entry) {
  if (entry.name.empty()) return "";
  std::string text = "[";
  for (std::size_t i = 0; i < entry.shape.size(); ++i) {
    text += (i == 0 ? "" : ",") + std::to_string(entry.shape[i]);
  }
  return text + "]";
}

Json entries_json(const Assembly& assembly) {
  Json list = Json::array();
  for (const Entry& entry : assembly.entries) {
    Json item = {{"file", entry.path}, {"place", name_of(entry.where)}, {"bytes", entry.size}};
    if (!entry.name.empty()) {
      item["tensor"] = entry.name;
      item["dtype"] = entry.dtype;
      item["shape"] = entry.shape;
    }
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace

void print_summary(const Assembly& assembly, std::ostream& out) {
  const std::uint64_t total = total_bytes(assembly);
  cli::Table table({"", "tensors", "other files", "bytes", "share"});
  for (const Where where : kPlaces) {
    const Sum sum = sum_of(assembly, where);
    table.add({name_of(where), std::to_string(sum.tensors), std::to_string(sum.files),
               format_size(sum.bytes), percent(sum.bytes, total)});
  }
  table.print(out);
}

void print_entries(const Assembly& assembly, std::ostream& out) {
  cli::Table table({"place", "file", "tensor", "dtype", "shape", "bytes"});
  for (const Entry& entry : assembly.entries) {
    table.add({name_of(entry.where), cell(entry.path), cell(entry.name), entry.dtype,
               shape_text(entry), std::to_string(entry.size)});
  }
  table.print(out);
}

std::string report_json(const Assembly& assembly, const BuildRequest* request,
                        const BuildReport* report) {
  Json json;
  if (report != nullptr) {
    json["bundle"] = request->output.string();
    json["bytes"] = report->file_size;
    json["uuid"] = to_hex(report->uuid);
    json["content_digest"] = "sha256:" + to_hex(report->content_digest.bytes);
    json["release_digest"] = "sha256:" + to_hex(report->release_digest.bytes);
    json["product"] = request->release.product;
    json["version"] = request->release.version;
    json["counter"] = request->release.counter;
    json["recipients"] = request->recipients.size();
    json["requires_attestation"] = request->release.policy.requires_attestation();
  }
  json["scheme"] = assembly.plan.scheme;
  for (const Where where : kPlaces) {
    const Sum sum = sum_of(assembly, where);
    json["summary"][name_of(where)] = {
        {"tensors", sum.tensors}, {"files", sum.files}, {"bytes", sum.bytes}};
  }
  json["entries"] = entries_json(assembly);
  Json excluded = Json::array();
  for (const bundle::ExcludedFile& file : assembly.excluded) {
    excluded.push_back({{"file", file.path}, {"because", file.because}});
  }
  json["excluded"] = std::move(excluded);
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sealpack::packer
