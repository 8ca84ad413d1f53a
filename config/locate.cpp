#include "config/locate.h"

#include "agent/base/text.h"
#include "config/reading.h"
#include "config/values.h"

namespace sonde::config {
namespace {

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789_.[]";

/// The node of a path such as "tenants[0].metrics.push_url"; undefined when it is not all there.
YAML::Node find(YAML::Node node, std::string_view path)
{
    const YAML::Node nowhere{YAML::NodeType::Undefined};
    for (std::string_view rest = path; !rest.empty() && node;) {
        const auto end = rest.find_first_of(".[");
        const std::string name{rest.substr(0, end)};
        const bool index = name.ends_with(']');
        rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
        YAML::Node next = nowhere;
        if (index && node.IsSequence())
            for (std::size_t i = 0; i < node.size(); ++i)
                if (fmt::format("{}]", i) == name)
                    next.reset(node[i]);
        if (!index && node.IsMap())
            for (const auto& entry : node)
                if (entry.first.IsScalar() && entry.first.Scalar() == name)
                    next.reset(entry.second);
        node.reset(next);
    }
    return node;
}

}  // namespace

std::string where(const std::string& file, const LoadOptions& options, std::string_view path)
{
    const std::string base = file.empty() ? "command line" : file;
    if (path.empty())
        return base;
    for (const std::string& key : {std::string{path}, fmt::format("{}_file", path)}) {
        if (options.overrides.contains(key))
            return "command line";
        if (options.environment.contains(environment_name(key)))
            return environment_name(key);
        Reading reading{file, {}, {}, {}};
        const auto root = file.empty() ? std::nullopt : reading.load();
        const auto node = root ? find(*root, key) : YAML::Node{YAML::NodeType::Undefined};
        if (node && node.Mark().line >= 0)
            return fmt::format("{}:{}", file, node.Mark().line + 1);
    }
    return base;
}

std::string located(const std::string& file, const LoadOptions& options, std::string_view message)
{
    const auto path = message.substr(0, message.find(": "));
    const bool is_key =
        path.size() < message.size() && path.find_first_not_of(letters) == std::string_view::npos;
    return fmt::format("{}: {}", where(file, options, is_key ? path : ""), message);
}

}  // namespace sonde::config
