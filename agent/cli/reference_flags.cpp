#include "agent/cli/reference_flags.h"

#include "agent/base/text.h"
#include "agent/cli/go_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace sonde::cli {
namespace {

using Kind = ReferenceFlag::Kind;

constexpr std::string_view reference_name = "synthetic-monitoring-agent";

/// The flags of a command line: the last value of each.
using Given = std::map<std::string, std::string, std::less<>>;

struct Row;
using Apply = Result<> (*)(const Row&, const std::string& value, const Given&, Translated&);

struct Row {
    ReferenceFlag flag;
    Apply apply;
    std::string_view detail = {};  ///< the key to set, or why there is no effect
};

Error bad_value(const Row& row, std::string_view value, std::string_view what)
{
    return error("usage", "invalid value \"{}\" for flag -{}: {}", value, row.flag.name, what);
}

bool is_true(const Given& given, std::string_view name)
{
    const auto found = given.find(name);
    return found != given.end() && found->second == "true";
}

Result<> set(const Row& row, const std::string& value, const Given&, Translated& out)
{
    out.overrides[std::string{row.detail}] = value;
    return {};
}

Result<> set_to_opposite(const Row& row, const std::string& value, const Given&, Translated& out)
{
    out.overrides[std::string{row.detail}] = value == "true" ? "false" : "true";
    return {};
}

Result<> set_level(const Row& row, const std::string& value, const Given&, Translated& out)
{
    if (value == "true")
        out.overrides["log.level"] = row.detail;
    return {};
}

Result<> set_for_developers(const Row&, const std::string& value, const Given&, Translated& out)
{
    if (value != "true")
        return {};
    out.overrides["log.level"] = "debug";
    out.overrides["status.allow_log_level"] = "true";
    out.overrides["status.allow_disconnect"] = "true";
    return {};
}

/// An empty one is as good as none: the environment is asked next.
Result<> set_token(const Row& row, const std::string& value, const Given& given, Translated& out)
{
    if (value.empty())
        return {};
    if (given.contains("api-token-file"))
        return error("usage", "-api-token is given together with -api-token-file: keep one");
    out.warnings.emplace_back("-api-token: other users of this host can read it; use "
                              "-api-token-file, SM_AGENT_API_TOKEN or the credential api-token");
    return set(row, value, given, out);
}

Result<> set_minutes(const Row& row, const std::string& value, const Given&, Translated& out)
{
    std::int64_t minutes = 0;
    const auto [end, bad] = std::from_chars(value.data(), value.data() + value.size(), minutes);
    if (bad != std::errc{} || end != value.data() + value.size() || minutes < 1)
        return bad_value(row, value, "must be a number of minutes, at least 1");
    out.overrides[std::string{row.detail}] = fmt::format("{}m", minutes);
    return {};
}

Result<> set_blocked(const Row& row, const std::string& value, const Given& given, Translated& out)
{
    if (!value.empty())
        out.warnings.push_back(fmt::format(
            "-blocked-nets: no check of any kind connects to {} (not only scripted ones)", value));
    return set(row, value, given, out);
}

Result<> set_push(const Row& row, const std::string& value, const Given& given, Translated& out)
{
    if (value != "true") {
        out.overrides[std::string{row.detail}] = "off";
        return {};
    }
    const auto interval = given.find("metrics-push-interval");
    const auto period = parse_go_duration(interval == given.end() ? "1m" : interval->second);
    if (period)
        out.overrides[std::string{row.detail}] = fmt::format("{}ms", period->count());
    return {};  // the row of the interval says what is wrong with it
}

Result<> set_push_interval(
    const Row& row, const std::string& value, const Given& given, Translated& out)
{
    if (const auto period = parse_go_duration(value); !period)
        return bad_value(row, value, period.error().message);
    if (!is_true(given, "experimental-push-telemetry"))
        out.warnings.emplace_back(
            "-metrics-push-interval: no effect without -experimental-push-telemetry");
    return {};
}

Result<> set_features(const Row&, const std::string& value, const Given&, Translated& out)
{
    for (const auto part : text::split(value, ',')) {
        const auto name = text::trim(part);
        if (name == "experimental-dns-prober")
            out.overrides["checkers.dns_retries"] = "true";
        else if (name == "k6" || name == "traceroute")
            out.warnings.push_back(
                fmt::format("-features {}: no effect: no such checks are supported", name));
        else if (!name.empty() && name != "protocol-secrets")  // which is always on
            out.warnings.push_back(fmt::format("-features {}: no effect: unknown", name));
    }
    return {};
}

Result<> ignore(const Row& row, const std::string& value, const Given&, Translated& out)
{
    if (row.flag.kind != Kind::boolean || value == "true")
        out.warnings.push_back(fmt::format("-{}: no effect: {}", row.flag.name, row.detail));
    return {};
}

Result<> accept(const Row&, const std::string&, const Given&, Translated&)
{
    return {};
}

constexpr std::string_view no_scripts = "scripted and browser checks are not supported";
constexpr std::string_view own_cache = "what tenants say is kept in this process";
constexpr std::string_view bounded =
    "memory is bounded by publisher.max_queue_bytes and schedule.max_in_flight";

/// Applied in this order: of `verbose`, `debug` and `dev` the last one counts.
constexpr auto table = std::to_array<Row>({
    {{"api-server-address", Kind::text, "Address of the API, HOST:PORT"}, set, "api.address"},
    {{"api-insecure", Kind::boolean, "Speak to the API without TLS"}, set_to_opposite, "api.tls"},
    {{"api-token", Kind::text, "Token of this probe; other users can read it: see the next"},
        set_token, "api.token"},
    {{"api-token-file", Kind::file, "File with the token of this probe"}, set, "api.token_file"},
    {{"listen-address", Kind::text, "Address of /metrics, /ready and so on, or off"}, set,
        "status.listen"},
    {{"verbose", Kind::boolean, "Log informational messages"}, set_level, "info"},
    {{"debug", Kind::boolean, "Log for debugging"}, set_level, "debug"},
    {{"enable-change-log-level", Kind::boolean, "Allow POST /logger"}, set,
        "status.allow_log_level"},
    {{"enable-disconnect", Kind::boolean, "Allow POST /disconnect"}, set,
        "status.allow_disconnect"},
    {{"dev", Kind::boolean, "-debug -enable-change-log-level -enable-disconnect"},
        set_for_developers},
    {{"blocked-nets", Kind::text, "Networks that no check may connect to, as CIDR"}, set_blocked,
        "checkers.blocked_nets"},
    {{"features", Kind::text, "List; experimental-dns-prober has DNS checks ask again"},
        set_features},
    {{"telemetry-time-span", Kind::integer, "Minutes between reports of how much was run"},
        set_minutes, "api.telemetry_every"},
    {{"experimental-push-telemetry", Kind::boolean, "Push this process's own metrics"}, set_push,
        "status.push_every"},
    {{"metrics-push-interval", Kind::duration, "How often -experimental-push-telemetry pushes"},
        set_push_interval},
    {{"disable-usage-reports", Kind::boolean, "No effect: none is ever sent"}, accept},
    {{"enable-pprof", Kind::boolean, "No effect"}, ignore, "there is no profile of Go's kind"},
    {{"publisher", Kind::text, "No effect"}, ignore, "there is one publisher"},
    {{"cache-type", Kind::text, "No effect"}, ignore, own_cache},
    {{"cache-local-capacity", Kind::integer, "No effect"}, ignore, own_cache},
    {{"cache-local-ttl", Kind::duration, "No effect"}, ignore, own_cache},
    {{"memcached-servers", Kind::text, "No effect"}, ignore, own_cache},
    {{"disable-k6", Kind::boolean, "No effect"}, ignore, no_scripts},
    {{"k6-uri", Kind::text, "No effect"}, ignore, no_scripts},
    {{"k6-repository", Kind::text, "No effect"}, ignore, no_scripts},
    {{"enable-auto-memlimit", Kind::boolean, "No effect"}, ignore, bounded},
    {{"memlimit-ratio", Kind::text, "No effect"}, ignore, bounded},
});

/// A flag of `sonde run` itself, which its parser reads; here it may have one dash.
struct Own {
    std::string_view name;
    bool takes_value = false;
};
constexpr std::array own_flags{Own{"config", true}, Own{"allow-inline-secrets"}, Own{"help"},
    Own{"h"}, Own{"help-all"}, Own{"version"}};

/// "-flag=value" taken apart.
struct Word {
    std::string name;
    std::optional<std::string> value;
};

/// nullopt: is no flag.
std::optional<Word> take_apart(std::string_view word)
{
    if (word.size() < 2 || word.front() != '-' || word == "--")
        return std::nullopt;
    word.remove_prefix(word.starts_with("--") ? 2 : 1);
    const auto equals = word.find('=');
    Word out{std::string{word.substr(0, equals)}, std::nullopt};
    if (equals != std::string_view::npos)
        out.value = word.substr(equals + 1);
    return out;
}

const Row* row_of(std::string_view name)
{
    const auto found = std::find_if(
        table.begin(), table.end(), [&](const Row& row) { return row.flag.name == name; });
    return found == table.end() ? nullptr : &*found;
}

Error unknown_flag(std::string_view name)
{
    std::vector<std::string_view> names;
    for (const Row& row : table)
        names.push_back(row.flag.name);
    for (const Own& own : own_flags)
        if (own.name.size() > 1)
            names.push_back(own.name);
    const auto meant = text::nearest(name, names);
    return error("usage", "flag provided but not defined: -{}{}", name,
        meant.empty() ? "" : fmt::format("; did you mean -{}?", meant));
}

/// Goes through the words behind the program's name and the verb.
class Translation {
public:
    Translation(std::span<const std::string> words, bool strict) : rest_{words}, strict_{strict} {}

    Result<Translated> run()
    {
        while (!rest_.empty()) {
            const std::string word = next();
            const auto flag = take_apart(word);
            if (auto taken = flag ? take(word, *flag) : take_other(word); !taken)
                return taken.error();
        }
        for (const Row& row : table)
            if (const auto value = given_.find(row.flag.name); value != given_.end())
                if (auto applied = row.apply(row, value->second, given_, out_); !applied)
                    return applied.error();
        return std::move(out_);
    }

private:
    std::string next()
    {
        std::string word = rest_.front();
        rest_ = rest_.subspan(1);
        return word;
    }

    Result<> take(const std::string& word, const Word& flag)
    {
        if (const Row* row = row_of(flag.name))
            return note(*row, flag.value);
        for (const Own& own : own_flags)
            if (own.name == flag.name)
                return pass_on(own, flag.value);
        if (strict_)
            return unknown_flag(flag.name);
        out_.words.push_back(word);
        return {};
    }

    Result<> take_other(const std::string& word)
    {
        if (strict_)
            return error("usage", "unexpected argument \"{}\"; a boolean is -flag=false", word);
        out_.words.push_back(word);
        return {};
    }

    Result<> note(const Row& row, std::optional<std::string> value)
    {
        if (row.flag.kind == Kind::boolean) {
            const auto parsed = parse_go_bool(value.value_or("true"));
            if (!parsed)
                return bad_value(row, *value, parsed.error().message);
            value = *parsed ? "true" : "false";
        } else if (!value) {
            if (rest_.empty())
                return error("usage", "flag needs an argument: -{}", row.flag.name);
            value = next();
        }
        given_.insert_or_assign(std::string{row.flag.name}, std::move(*value));
        return {};
    }

    Result<> pass_on(const Own& own, const std::optional<std::string>& value)
    {
        const std::string flag = fmt::format("{}{}", own.name.size() == 1 ? "-" : "--", own.name);
        if (!own.takes_value) {
            out_.words.push_back(value ? fmt::format("{}={}", flag, *value) : flag);
            return {};
        }
        if (!value && rest_.empty())
            return error("usage", "flag needs an argument: -{}", own.name);
        out_.words.push_back(flag);
        out_.words.push_back(value ? *value : next());
        return {};
    }

    std::span<const std::string> rest_;
    bool strict_;
    Given given_;
    Translated out_;
};

}  // namespace

std::vector<ReferenceFlag> reference_flags()
{
    std::vector<ReferenceFlag> flags;
    for (const Row& row : table)
        flags.push_back(row.flag);
    return flags;
}

bool is_reference_name(std::string_view program)
{
    return program.substr(program.rfind('/') + 1) == reference_name;
}

Result<Translated> translate(std::span<const std::string> arguments)
{
    const bool as_reference = !arguments.empty() && is_reference_name(arguments.front());
    const bool runs = arguments.size() > 1 && arguments[1] == "run";
    if (!as_reference && !runs)
        return Translated{{arguments.begin(), arguments.end()}, {}, {}};
    auto translated = Translation{arguments.subspan(as_reference ? 1 : 2), as_reference}.run();
    if (translated)
        translated->words.insert(translated->words.begin(), {arguments.front(), "run"});
    return translated;
}

}  // namespace sonde::cli
