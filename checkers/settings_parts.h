#pragma once

#include "agent/base/error.h"
#include "agent/net/resolver.h"
#include "agent/net/tls.h"
#include "checkers/expectations.h"
#include "config/schema.h"

#include <google/protobuf/repeated_ptr_field.h>

#include <string>
#include <string_view>
#include <vector>

namespace sonde::checkers {

// Settings that several kinds have.

/// proto3 lets any number through. @return Error "bad_value" with `path`.
Result<net::IpVersion> parse_ip_version(pb::IpVersion wire, std::string_view path);

net::TlsSettings parse_tls(const pb::TLSConfig& wire);

/// @return Error "bad_regex" with the path of the pattern that does not compile.
Result<std::vector<Pattern>> parse_patterns(
    const google::protobuf::RepeatedPtrField<std::string>& wire, std::string_view path);

}  // namespace sonde::checkers
