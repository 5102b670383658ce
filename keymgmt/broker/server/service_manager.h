// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace sealpack::broker {

// Tells the service manager that started this process, if one did ("READY=1", "STOPPING=1",
// "RELOADING=1"; sd_notify(3)). Nothing depends on whether it hears.
void tell_service_manager(const std::string& state);

}  // namespace sealpack::broker
