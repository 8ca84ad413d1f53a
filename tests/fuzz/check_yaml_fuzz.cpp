// Local checks as YAML: config/yaml_json, whose output config/json must be able to read.
#include "agent/base/text.h"
#include "config/json.h"
#include "config/schema.h"
#include "config/yaml_json.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace sonde;

std::optional<YAML::Node> parse(std::string_view text)
{
    try {
        return YAML::Load(std::string{text});
    } catch (const YAML::Exception&) {
        return std::nullopt;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto text = fuzz::Input{data, size}.rest();
    const auto node = text::is_utf8(text) ? parse(text) : std::nullopt;
    if (!node || !node->IsMap())
        return 0;
    for (const auto* schema : {pb::Check::descriptor(), pb::Label::descriptor()}) {
        config::Reading reading{"checks.yaml", "/", {{"NAME", "va\"lue"}}, {}, false};
        const std::string json = config::yaml_to_json(*node, reading, "checks[0]", schema);
        fuzz::require(text::is_utf8(json), "JSON is UTF-8");
        const auto check = config::from_json<pb::Check>(json);
        fuzz::require(check || check.error().reason == "bad_value" || !reading.problems.empty(),
            "what has no problem is a JSON object");
    }
    config::follow(*node, "settings.http.headers[2]");
    config::follow(*node, text);
    return 0;
}
