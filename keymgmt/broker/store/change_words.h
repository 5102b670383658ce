// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/broker/store.h"

// Changes in words, as they are logged for ever: whoever reads them has nothing else.
namespace sealpack::broker::internal {

std::string words_of(const RaiseFloor& change);
std::string words_of(const Revoke& change);
std::string words_of(const PutLicence& change);
std::string words_of(const AddKey& change);
std::string words_of(const EndKey& change);
std::string words_of(const Reconcile& change);

}  // namespace sealpack::broker::internal
