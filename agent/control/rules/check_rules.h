#pragma once

#include "agent/control/rules/judgement.h"
#include "config/schema.h"

#include <google/protobuf/repeated_ptr_field.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sonde::control::rules {

struct Range {
    std::int64_t least;
    std::int64_t most;
};
/// Of the times of a kind, in milliseconds (spec 04 §6.3).
Range frequency_range(std::string_view kind, bool extended);
Range timeout_range(std::string_view kind, bool extended);

/// Bytes of a label's name, and of its value (spec 04 §6.4).
constexpr std::size_t longest_label(bool extended)
{
    return extended ? 128 : 32;
}

/// Whether the API accepts a check, its probes apart (spec 04 §6.1 to §6.5).
/// @return the first problem found: Error "invalid" with the member's path.
Result<> fit(const pb::Check& check, std::string_view folder_uid, const Judgement& judgement);

/// Sets what the API fills in: probes sorted and once each, the default port, `none` for no
/// sensitivity (spec 04 §2.8, §2.9).
void normalise(pb::Check& check);

/// Labels of a check or a probe (spec 04 §6.4, §6.6).
Result<> fit_labels(const google::protobuf::RepeatedPtrField<pb::Label>& labels, std::size_t most,
    const Judgement& judgement);

}  // namespace sonde::control::rules
