#include "agent/cli/ctl/adhoc_result.h"

#include "agent/cli/ctl/table.h"
#include "agent/cli/render.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace sonde::cli::ctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr int most_lines = 1000;

std::string text_of(const Json& object, const char* name)
{
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// The one value of a family without labels.
double gauge(const Json& line, std::string_view name)
{
    const Json::json_pointer value{"/metric/0/gauge/value"};
    if (const auto families = line.find("timeseries"); families != line.end())
        for (const Json& family : *families)
            if (text_of(family, "name") == name && family.contains(value) &&
                family.at(value).is_number())
                return family.at(value).get<double>();
    return 0;
}

std::string line_of(const Json& entry)
{
    std::string out = fmt::format("{:<5} {}", text_of(entry, "level"), text_of(entry, "msg"));
    for (const auto& [name, value] : entry.items())
        if (name != "level" && name != "msg" && name != "time" && value.is_string())
            out += fmt::format(" {}={}", name, value.get<std::string>());
    return printable(out);
}

AdhocResult result_of(const Json& line, std::string json)
{
    AdhocResult result;
    result.probe = text_of(line, "probe");
    result.error = text_of(line, "error");
    result.passed = gauge(line, "probe_success") == 1;
    result.seconds = gauge(line, "probe_duration_seconds");
    if (const auto logs = line.find("logs"); logs != line.end() && logs->is_array())
        for (const Json& entry : *logs)
            if (entry.is_object())
                result.lines.push_back(line_of(entry));
    result.json = std::move(json);
    return result;
}

/// Letters, digits and what RFC 3986 §2.3 leaves as it is.
std::string escaped(std::string_view text)
{
    constexpr std::string_view plain = "-._~";
    std::string out;
    for (const char c : text) {
        const bool kept = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                          (c >= 'a' && c <= 'z') || plain.find(c) != std::string_view::npos;
        out += kept ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

}  // namespace

Result<std::vector<AdhocResult>> read_results(std::string_view answer, std::string_view id)
{
    const Json root = Json::parse(answer, nullptr, false);
    const Json::json_pointer streams{"/data/result"};
    if (!root.is_object() || !root.contains(streams) || !root.at(streams).is_array())
        return error("bad_json", "it is no answer to a query of logs");
    std::vector<AdhocResult> results;
    for (const Json& stream : root.at(streams)) {
        if (!stream.is_object() || !stream.contains("values") || !stream["values"].is_array())
            continue;
        for (const Json& value : stream["values"]) {
            if (!value.is_array() || value.size() < 2 || !value[1].is_string())
                continue;
            const auto text = value[1].get<std::string>();
            const Json line = Json::parse(text, nullptr, false);
            if (text_of(line, "id") != id)
                continue;
            AdhocResult result = result_of(line, line.dump());
            const bool known = std::any_of(results.begin(), results.end(),
                [&](const AdhocResult& other) { return other.probe == result.probe; });
            if (!known)
                results.push_back(std::move(result));
        }
    }
    return results;
}

std::string query_url(
    std::string_view base, std::string_view id, std::int64_t start_ns, std::int64_t end_ns)
{
    constexpr std::string_view api = "/loki/api/v1";
    while (base.ends_with('/'))
        base.remove_suffix(1);
    if (base.ends_with(api))
        base.remove_suffix(api.size());
    const std::string query =
        fmt::format(R"({{source="synthetic-monitoring",type="adhoc"}} |= "{}")", id);
    return fmt::format("{}{}/query_range?query={}&start={}&end={}&limit={}&direction=forward", base,
        api, escaped(query), start_ns, end_ns, most_lines);
}

std::string render_result(const AdhocResult& result)
{
    std::string out;
    if (!result.error.empty())
        out = fmt::format("UNKNOWN   {}  {}\n", printable(result.probe), printable(result.error));
    else
        out = fmt::format("{}  {}  {}\n", result.passed ? "OK      " : "CRITICAL",
            printable(result.probe), duration_text(result.seconds));
    for (const std::string& line : result.lines)
        out += "    " + line + '\n';
    return out;
}

}  // namespace sonde::cli::ctl
