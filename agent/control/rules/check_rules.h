#pragma once

#include "agent/control/rules/judgement.h"
#include "config/schema.h"

#include <google/protobuf/repeated_ptr_field.h>

namespace sonde::control::rules {

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
