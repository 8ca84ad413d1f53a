#pragma once

#include "agent/base/error.h"
#include "agent/net/resolver.h"
#include "agent/net/tls.h"
#include "checkers/expectations.h"
#include "checkers/problems.h"
#include "config/schema.h"

#include <google/protobuf/repeated_ptr_field.h>

#include <string>
#include <string_view>
#include <vector>

namespace sonde::checkers {

// Settings that several kinds have.

/// proto3 lets any number through: "bad_value".
net::IpVersion parse_ip_version(pb::IpVersion wire, std::string_view path, Problems& problems);

net::TlsSettings parse_tls(const pb::TLSConfig& wire);

/// "bad_regex" for each that does not compile.
std::vector<Pattern> parse_patterns(const google::protobuf::RepeatedPtrField<std::string>& wire,
    std::string_view path, Problems& problems);

}  // namespace sonde::checkers
