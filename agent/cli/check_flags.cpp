#include "agent/cli/check_flags.h"

#include "agent/base/text.h"
#include "agent/cli/upper.h"
#include "config/reading.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>
#include <system_error>

namespace sonde::cli {
namespace {

using Json = nlohmann::json;
using Pointer = nlohmann::json::json_pointer;

enum class Takes {
    text,      ///< one text
    texts,     ///< each adds to a list
    contents,  ///< each adds to a list; "@FILE" adds the lines of a file
    number,
    word,      ///< one text in upper case: DNS types
    nothing,   ///< sets `value`
    file,      ///< the content of a file
    line,      ///< the same without the line ends behind it
    pem,       ///< the content of a file, in base64
    statuses,  ///< "200", "301,302", "4xx": each adds to a list
    send,      ///< each adds a step that sends it
    expect,    ///< each adds a step that awaits it
};

struct Flag {
    const char* names;
    std::string_view kinds;
    Takes takes;
    const char* member;  ///< JSON pointer below the settings of the kind
    const char* help;
    const char* value = "true";  ///< JSON, for Takes::nothing
};

constexpr Flag flags[] = {
    {"--expect-status", "http", Takes::statuses, "/validStatusCodes",
        "Accepted status: 200, 301,302 or 4xx (default 2xx)"},
    {"--expect-body", "http", Takes::texts, "/failIfBodyNotMatchesRegexp",
        "Pattern (RE2) that the body must match"},
    {"--expect-no-body", "http", Takes::texts, "/failIfBodyMatchesRegexp",
        "Pattern that the body must not match"},
    {"--header", "http", Takes::contents, "/headers", "Header to send, 'Name: value', or @FILE"},
    {"--method", "http", Takes::word, "/method", "Request method"},
    {"--body", "http", Takes::text, "/body", "Body to send"},
    {"--body-file", "http", Takes::file, "/body", "File with the body to send"},
    {"--no-follow", "http", Takes::nothing, "/noFollowRedirects", "Do not follow redirects"},
    {"--proxy", "http", Takes::text, "/proxyURL", "Proxy, http:// or https://"},
    {"--token-file", "http", Takes::line, "/bearerToken", "File with the bearer token to send"},
    {"--compression", "http", Takes::text, "/compression", "gzip, br or deflate: how to decode"},
    {"-k,--insecure", "http tcp", Takes::nothing, "/tlsConfig/insecureSkipVerify",
        "Do not verify the certificate"},
    {"--ca", "http tcp", Takes::pem, "/tlsConfig/caCert", "File of trusted certificates (PEM)"},
    {"--cert", "http tcp", Takes::pem, "/tlsConfig/clientCert", "File of our certificate (PEM)"},
    {"--key", "http tcp", Takes::pem, "/tlsConfig/clientKey", "File of our private key (PEM)"},
    {"--server-name", "http tcp", Takes::text, "/tlsConfig/serverName",
        "Name to send and verify instead of the target's"},
    {"--tls", "tcp", Takes::nothing, "/tls", "Use TLS"},
    {"--send", "tcp", Takes::send, "/queryResponse", "Line to send, before what is expected"},
    {"--expect", "tcp", Takes::expect, "/queryResponse", "Pattern that a line must match"},
    {"--server", "dns", Takes::text, "/server", "Server to ask (default: this host's first)"},
    {"--port", "dns", Takes::number, "/port", "Port of the server (default 53)"},
    {"--record", "dns", Takes::word, "/recordType", "Type to ask for: A, AAAA, MX, ..."},
    {"--udp", "dns", Takes::nothing, "/protocol", "Ask over UDP", "\"UDP\""},
    {"--tcp", "dns", Takes::nothing, "/protocol", "Ask over TCP (default)", "\"TCP\""},
    {"--expect-rcode", "dns", Takes::texts, "/validRCodes", "Accepted response code, NXDOMAIN"},
    {"--expect-answer", "dns", Takes::texts, "/validateAnswerRRS/failIfNotMatchesRegexp",
        "Pattern that each answer must match"},
    {"--expect-no-answer", "dns", Takes::texts, "/validateAnswerRRS/failIfMatchesRegexp",
        "Pattern that no answer may match"},
    {"--packets", "ping", Takes::number, "/packetCount",
        "Requests to send; all must be answered (default: 1 of 3)"},
    {"--size", "ping", Takes::number, "/payloadSize", "Bytes of data in a request"},
    {"--dont-fragment", "ping", Takes::nothing, "/dontFragment", "Packets must not be fragmented"},
    {"--source", "dns ping tcp", Takes::text, "/sourceIpAddress", "Address to send from"},
};

std::string_view last_name(std::string_view names)
{
    const auto comma = names.rfind(',');
    return comma == std::string_view::npos ? names : names.substr(comma + 1);
}

bool has_word(std::string_view words, std::string_view word)
{
    const auto all = text::split(words, ' ');
    return std::find(all.begin(), all.end(), word) != all.end();
}

/// One flag's values, on their way into the settings.
class Writer {
public:
    Writer(const Flag& flag, CheckOptions& options) : flag_{flag}, options_{options} {}

    void take(const std::string& given)
    {
        if (!options_.flags)
            options_.flags = std::make_shared<Json>(Json::object());
        const bool any_bytes = flag_.takes == Takes::send || flag_.takes == Takes::expect;
        if (!any_bytes && !text::is_utf8(given))
            return complain("is not UTF-8");  // and may be a secret
        switch (flag_.takes) {
        case Takes::text:
            return set(given);
        case Takes::word:
            return set(upper(given));
        case Takes::nothing:
            return set(Json::parse(flag_.value));
        case Takes::texts:
            return add(given);
        case Takes::number:
            return take_number(given);
        case Takes::statuses:
            return take_statuses(given);
        case Takes::send:
            if (given.empty())
                return refuse(given, "is no line: nothing would be sent");
            return add({{"send", text::base64(given)}});
        case Takes::expect:
            return add({{"expect", text::base64(given)}});
        case Takes::file:
            return with_text(given, [this](const std::string& all) { set(all); });
        case Takes::line:
            return with_text(given, [&](const std::string& all) {
                trimmed(all).empty() ? refuse(given, "is empty") : set(trimmed(all));
            });
        case Takes::pem:
            return with_file(given, [this](const std::string& all) { set(text::base64(all)); });
        case Takes::contents:
            if (!given.starts_with('@'))
                return add(given);
            return with_text(given.substr(1), [this](const std::string& all) {
                for (const auto line : text::split(all, '\n'))
                    if (!text::trim(line).empty())
                        add(std::string{text::trim(line)});
            });
        }
    }

private:
    static std::string trimmed(std::string all)
    {
        while (all.ends_with('\n') || all.ends_with('\r'))
            all.pop_back();
        return all;
    }
    void set(Json value) { (*options_.flags)[Pointer{flag_.member}] = std::move(value); }
    void add(Json value) { (*options_.flags)[Pointer{flag_.member}].push_back(std::move(value)); }
    void complain(std::string_view what)
    {
        options_.problems.push_back(fmt::format("{}: {}", last_name(flag_.names), what));
    }
    void refuse(std::string_view given, std::string_view why)
    {
        complain(fmt::format("\"{}\" {}", given, why));
    }
    void take_number(const std::string& given)
    {
        std::int64_t value = 0;
        const char* const end = given.data() + given.size();
        const auto [last, failed] = std::from_chars(given.data(), end, value);
        if (last != end || failed != std::errc{})
            return refuse(given, "is not a number");
        set(value);
    }
    void take_statuses(const std::string& given)
    {
        for (const auto part : text::split(given, ',')) {
            const bool digits =
                part.size() == 3 &&
                std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
            if (digits)
                add(std::atoi(std::string{part}.c_str()));
            else if (part.size() == 3 && part[0] >= '1' && part[0] <= '5' && part.ends_with("xx"))
                for (int code = (part[0] - '0') * 100, last = code + 99; code <= last; ++code)
                    add(code);
            else
                refuse(part, "is neither a status like 200 nor a class like 4xx");
        }
    }
    template <class Use>
    void with_file(const std::string& path, Use use)
    {
        const auto content = config::read_whole(path);
        if (content)
            use(*content);
        else
            complain(content.error().message);
    }

    /// JSON, and with it each setting, holds text alone.
    template <class Use>
    void with_text(const std::string& path, Use use)
    {
        with_file(path, [&](const std::string& all) {
            if (text::is_utf8(all))
                use(all);
            else
                refuse(path, "is not UTF-8");
        });
    }

    const Flag& flag_;
    CheckOptions& options_;
};

/// What stands before the flags of these kinds in the help.
std::string group_of(std::string_view kinds)
{
    std::string group = "Of ";
    const auto all = text::split(kinds, ' ');
    for (std::size_t i = 0; i < all.size(); ++i)
        group.append(i == 0 ? "" : i + 1 == all.size() ? " and " : ", ").append(all[i]);
    return group;
}

const char* type_name(Takes takes)
{
    const bool is_file = takes == Takes::file || takes == Takes::line || takes == Takes::pem;
    return is_file ? "FILE" : takes == Takes::number ? "N" : "TEXT";
}

}  // namespace

void add_kind_flags(CLI::App& verb, CheckOptions& options)
{
    for (const Flag& flag : flags) {
        const auto use = [&flag, &options](const std::string& given) {
            options.flags_used.emplace_back(last_name(flag.names));
            Writer{flag, options}.take(given);
        };
        CLI::Option* added = nullptr;
        if (flag.takes == Takes::nothing)
            added = verb.add_flag_callback(flag.names, [use] { use(""); }, flag.help);
        else
            added = verb.add_option_function<std::vector<std::string>>(
                flag.names,
                [use](const std::vector<std::string>& all) {
                    for (const std::string& each : all)
                        use(each);
                },
                flag.help);
        added->group(group_of(flag.kinds));
        if (flag.takes != Takes::nothing)
            added->expected(1, CLI::detail::expected_max_vector_size)
                ->allow_extra_args(false)
                ->type_name(type_name(flag.takes));
    }
}

std::vector<std::string> flags_of_other_kinds(const CheckOptions& options)
{
    std::vector<std::string> problems;
    const std::set<std::string> once{options.flags_used.begin(), options.flags_used.end()};
    for (const std::string& used : once)
        for (const Flag& flag : flags)
            if (last_name(flag.names) == used && !has_word(flag.kinds, options.kind))
                problems.push_back(fmt::format("{}: a check of kind {} has no such setting; it is "
                                               "for {}",
                    used, options.kind, group_of(flag.kinds).substr(3)));
    return problems;
}

}  // namespace sonde::cli
