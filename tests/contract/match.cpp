#include "tests/contract/match.h"

#include "agent/base/text.h"

#include <fmt/format.h>

#include <regex>

namespace sonde::contract {
namespace {

using nlohmann::json;

constexpr std::string_view more = "…";

bool is_text(const json& value, const char* pattern)
{
    return value.is_string() && std::regex_match(value.get<std::string>(), std::regex{pattern});
}

/// Spec 04 §9.1: base64 in JSON, printable inside.
bool is_probe_token(const json& value)
{
    if (!is_text(value, "[A-Za-z0-9+/]{63}="))
        return false;
    const auto raw = text::from_base64(value.get<std::string>());
    return raw && std::regex_match(*raw, std::regex{"smp_[A-Za-z0-9_-]{43}"});
}

/// Whole microseconds of this century, as the shortest decimal.
bool is_time(const json& value)
{
    return value.is_number() && value.get<double>() > 1.7e9 && value.get<double>() < 1e11;
}

bool is_of_kind(const json& value, const std::string& kind, const Captured& captured)
{
    const auto other = [&](std::size_t skipped) { return captured.at(kind.substr(skipped)); };
    if (kind == "id")
        return value.is_number_integer() && value.get<std::int64_t>() >= 1;
    if (kind == "time")
        return is_time(value);
    if (kind == "integer")
        return value.is_number_integer();
    if (kind == "access")
        return is_text(value, "sma_[A-Za-z0-9_-]{22}_[A-Za-z0-9_-]{43}");
    if (kind == "uuid")
        return is_text(value, "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");
    if (kind == "probe-token")
        return is_probe_token(value);
    if (kind.starts_with("after "))
        return value.is_number() && value > other(6);
    if (kind.starts_with("not "))
        return value.type() == other(4).type() && value != other(4);
    return false;
}

class Comparison {
public:
    explicit Comparison(Captured& captured) : captured_{captured} {}

    void compare(const std::string& path, const json& wanted, const json& answer)
    {
        if (wanted.is_string())
            return compare_text(path, wanted, answer);
        if (wanted.is_object() && answer.is_object())
            return compare_members(path, wanted, answer);
        if (wanted.is_array() && answer.is_array() && wanted.size() == answer.size()) {
            for (std::size_t i = 0; i < wanted.size(); ++i)
                compare(fmt::format("{}[{}]", path, i), wanted[i], answer[i]);
            return;
        }
        // 5 and 5.0 are not the same to clients (spec 04 §1.6).
        if (wanted != answer || (wanted.is_number_integer() && !answer.is_number_integer()))
            differs(path, wanted, answer);
    }

    std::vector<std::string> found;

private:
    void differs(const std::string& path, const json& wanted, const json& answer)
    {
        found.push_back(fmt::format("{}: {} and not {}", path, answer.dump(), wanted.dump()));
    }

    void compare_members(const std::string& path, const json& wanted, const json& answer)
    {
        for (const auto& [name, value] : wanted.items())
            if (answer.contains(name))
                compare(path + "." + name, value, answer[name]);
            else
                found.push_back(fmt::format("{}.{}: is missing", path, name));
        for (const auto& [name, value] : answer.items())
            if (!wanted.contains(name))
                found.push_back(fmt::format("{}.{}: {} is not wanted", path, name, value.dump()));
    }

    void compare_text(const std::string& path, const std::string& wanted, const json& answer)
    {
        static const std::regex placeholder{R"(\$([A-Za-z][A-Za-z0-9_]*)(?::(.*))?)"};
        std::smatch match;
        if (std::regex_match(wanted, match, placeholder))
            return capture(path, match[1], match[2], answer);
        const std::string text = filled_in(wanted, captured_);
        const bool begins =
            text.ends_with(more) && answer.is_string() &&
            answer.get<std::string>().size() > text.size() - more.size() &&
            answer.get<std::string>().starts_with(text.substr(0, text.size() - more.size()));
        if (answer != text && !begins)
            differs(path, text, answer);
    }

    void capture(const std::string& path, const std::string& name, const std::string& kind,
        const json& answer)
    {
        if (!kind.empty() && !is_of_kind(answer, kind, captured_))
            found.push_back(fmt::format("{}: {} is no {}", path, answer.dump(), kind));
        const auto known = captured_.emplace(name, answer).first;
        if (known->second != answer)
            differs(path, known->second, answer);
    }

    Captured& captured_;
};

}  // namespace

std::string filled_in(std::string_view text, const Captured& captured)
{
    static const std::regex name{R"(\$([A-Za-z][A-Za-z0-9_]*))"};
    const std::string whole{text};
    std::string out;
    auto at = whole.cbegin();
    for (std::sregex_iterator each{whole.begin(), whole.end(), name}, end; each != end; ++each) {
        out.append(at, (*each)[0].first);
        const json& value = captured.at((*each)[1]);
        out += value.is_string() ? value.get<std::string>() : value.dump();
        at = (*each)[0].second;
    }
    return out.append(at, whole.cend());
}

std::vector<std::string> differences(const json& wanted, const json& answer, Captured& captured)
{
    Comparison comparison{captured};
    comparison.compare("answer", wanted, answer);
    return comparison.found;
}

}  // namespace sonde::contract
