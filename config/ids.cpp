#include "config/ids.h"

namespace sonde::config {
namespace {

constexpr std::int64_t regions = 1000;
constexpr std::int64_t smallest_global = -9'223'372'036'854'774'999;
constexpr std::int64_t largest_global = -1001;

}  // namespace

SplitId split_id(std::int64_t id)
{
    if (id < smallest_global || id > largest_global || -id % regions == 0)
        return {id, 0};
    return {-id / regions, -id % regions};
}

std::int64_t global_id(std::int64_t local, std::int64_t region)
{
    return region == 0 ? local : -(local * regions + region);
}

}  // namespace sonde::config
