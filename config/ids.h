#pragma once

#include <cstdint>

namespace sonde::config {

/// An id of the API taken apart: regional systems number checks and tenants as
/// −(local × 1000 + region); a positive id is local, region 0 (spec 01 §6).
struct SplitId {
    std::int64_t local = 0;
    std::int64_t region = 0;
};
SplitId split_id(std::int64_t id);

/// The id of a tenant in the region of a check, as GetTenant wants it.
std::int64_t global_id(std::int64_t local, std::int64_t region);

}  // namespace sonde::config
