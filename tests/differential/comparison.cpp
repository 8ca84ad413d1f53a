#include "tests/differential/comparison.h"

#include "agent/base/text.h"

#include <algorithm>
#include <map>
#include <set>

namespace sonde::tests {
namespace {

/// What a program of pairs is about, in our words and in theirs.
struct Kind {
    std::string_view ours;
    std::string_view prober;
};

Kind kind_of(Program program)
{
    switch (program) {
    case Program::http:
    case Program::https:
        return {"http", "http"};
    case Program::dns:
        return {"dns", "dns"};
    case Program::tcp:
        return {"tcp", "tcp"};
    case Program::ping:
        return {"ping", "icmp"};
    }
    return {};
}

std::string address_options(std::string_view ip_version)
{
    return fmt::format("preferred_ip_protocol: {}, ip_protocol_fallback: {}",
        ip_version == "V4" ? "ip4" : "ip6", ip_version == "Any");
}

std::string after_comma(std::string_view members)
{
    return members.empty() ? std::string{} : fmt::format(", {}", members);
}

std::string value_in(const Facts& facts, const std::string& series)
{
    const auto found = facts.find(series);
    return found == facts.end() ? "absent" : found->second;
}

bool says(std::string_view allowed, std::string_view value)
{
    return allowed == value || (allowed == "present" && value != "absent");
}

bool lists(std::string_view words, std::string_view word)
{
    const auto all = text::split(words, ' ');
    return std::find(all.begin(), all.end(), word) != all.end();
}

/// What is allowed to one pair, by series.
std::map<std::string_view, const Difference*> allowed_to(Program program, std::string_view pair)
{
    std::map<std::string_view, const Difference*> found;
    for (const Difference& row : allowed_differences())
        if (row.program == program && lists(row.pairs, pair))
            for (const std::string_view series : text::split(row.series, ' '))
                CHECK_MESSAGE(found.emplace(series, &row).second, "allowed twice: " << series);
    return found;
}

void hold_against(Program program, const Pair& pair, const Facts& ours, const Facts& theirs)
{
    const auto allowed = allowed_to(program, pair.name);
    std::set<std::string> all;
    for (const Facts* facts : {&ours, &theirs})
        for (const auto& fact : *facts)
            all.insert(fact.first);
    for (const auto& difference : allowed)
        all.emplace(difference.first);
    for (const std::string& series : all) {
        const std::string here = value_in(ours, series);
        const std::string there = value_in(theirs, series);
        CAPTURE(series);
        CAPTURE(here);
        CAPTURE(there);
        const auto difference = allowed.find(series);
        if (only_ours(series)) {
            CHECK_MESSAGE(there == "absent", "the package does have it");
        } else if (difference == allowed.end()) {
            CHECK_MESSAGE(here == there, "a difference without a reason");
        } else {
            const Difference& row = *difference->second;
            const bool shows = here != there && says(row.ours, here) && says(row.theirs, there);
            CHECK_MESSAGE(shows, "an allowed difference that does not show: " << row.reason);
        }
    }
}

}  // namespace

std::string quoted(std::string_view text)
{
    std::string out{'"'};
    for (const char byte : text) {
        if (byte == '"' || byte == '\\')
            out += '\\';
        out += byte;
    }
    return out + '"';
}

void Comparison::compare(Program program, const std::vector<Pair>& pairs)
{
    std::set<std::string_view> ran;
    for (const Pair& pair : pairs) {
        CAPTURE(pair.name);
        CHECK_MESSAGE(ran.insert(pair.name).second, "two pairs of one name");
        compare_one(program, pair);
    }
    for (const Difference& row : allowed_differences())
        if (row.program == program)
            for (const std::string_view pair : text::split(row.pairs, ' '))
                CHECK_MESSAGE(ran.count(pair) > 0, "a difference allowed to no pair: " << pair);
}

void Comparison::compare_one(Program program, const Pair& pair)
{
    const Kind kind = kind_of(program);
    const auto exposition =
        blackbox.probe(kind.prober, address_options(pair.ip_version) + after_comma(pair.theirs),
            pair.their_target.empty() ? pair.target : pair.their_target, pair.timeout);
    const auto settings = fmt::format(
        R"({{"{}": {{"ipVersion": "{}"{}}}}})", kind.ours, pair.ip_version, after_comma(pair.ours));
    const auto report = run(pair.target, settings, pair.timeout);
    CAPTURE(report.verdict.message);
    hold_against(
        program, pair, facts_of(samples_of(report)), facts_of(read_exposition(exposition)));
}

}  // namespace sonde::tests
