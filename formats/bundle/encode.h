// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/bundle/content.h"
#include "formats/bundle/head.h"
#include "formats/bundle/release.h"

// Writing side of the messages, by libprotobuf; never linked into a loader. The results are in the
// canonical subset: parse_x(serialize_x(v)) == v.
namespace sealpack::bundle {

ByteVector serialize_content(const Content& content);
ByteVector serialize_release(const Release& release);
ByteVector serialize_head(const Head& head);
ByteVector serialize_grant(const Grant& grant);  // the whole file

}  // namespace sealpack::bundle
