#include "agent/control/rules/probe_rules.h"

#include "agent/base/text.h"
#include "agent/control/rules/check_rules.h"

namespace sonde::control::rules {

Result<> fit(const pb::Probe& probe, const Judgement& judgement, std::size_t most_labels)
{
    if (probe.name().empty() || probe.name().size() > 128 || !text::is_utf8(probe.name()) ||
        has_control(probe.name()))
        return invalid("name", "must be 1 to 128 bytes without control characters");
    if (!(probe.latitude() >= -90 && probe.latitude() <= 90))
        return invalid("latitude", "must be between -90 and 90");
    if (!(probe.longitude() >= -180 && probe.longitude() <= 180))
        return invalid("longitude", "must be between -180 and 180");
    if (auto fits = fit_labels(probe.labels(), most_labels, judgement); !fits)
        return fits;
    if (probe.region().size() > 128 || !text::is_utf8(probe.region()))
        return invalid("region", "must be at most 128 bytes of UTF-8");
    return {};
}

}  // namespace sonde::control::rules
