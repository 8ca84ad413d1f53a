#pragma once

#include "checkers/dns/record_text.h"

#include <optional>
#include <string>

namespace sonde::checkers::dns {

/// Text of the data of SVCB and HTTPS records (RFC 9460 §2): priority, target, parameters as
/// `alpn="h2,h3"`; nullopt when they are malformed.
std::optional<std::string> service_text(Reader& data);

}  // namespace sonde::checkers::dns
