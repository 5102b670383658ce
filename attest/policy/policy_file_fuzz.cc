// SPDX-License-Identifier: Apache-2.0
// Policies: text to value to text to value changes nothing, and what parses passes the check.
#include "attest/policy/policy_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack;
  const auto policy = policy::parse_policy(as_text({data, size}), "fuzz");
  if (!policy.ok()) return 0;
  if (!policy::check_policy(policy->policy).ok()) die("a parsed policy fails its own check");
  const auto again = policy::parse_policy(policy::serialize_policy(*policy), "again");
  if (!again.ok() || !(*again == *policy)) die("a policy changes on its way through text");
  (void)policy::explain(policy->policy);
  return 0;
}
