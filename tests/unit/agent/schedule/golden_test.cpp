// One run of each kind against real servers, compared with what the reference agent pushed for the
// same check, line by line and in the order of the wire: tests/golden.
#include "tests/unit/agent/schedule/published_fixture.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

using namespace sonde;
using schedule::Labels;

namespace {

std::string labels_text(const Labels& labels)
{
    std::string out;
    for (const auto& label : labels)
        out += fmt::format("{}{}=\"{}\"", out.empty() ? "{" : ",", label.name, label.value);
    return out.empty() ? out : out + "}";
}

std::string value_text(double value)
{
    const std::string text = fmt::format("{}", value);
    return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

/// Series as the golden files write them: own labels only, the buckets of a histogram in one line.
std::vector<std::string> series_text(const exporters::Payload& payload, const Labels& execution)
{
    std::vector<std::string> out;
    std::string histogram;
    for (std::size_t i = 0; i < payload.values.size(); ++i) {
        std::string name;
        std::string bound;
        Labels own;
        for (const auto& label : payload.series->labels(i)) {
            if (label.name == "__name__")
                name = label.value;
            else if (label.name == "le")
                bound = label.value;
            else if (std::find(execution.begin(), execution.end(), label) == execution.end())
                own.push_back(label);
        }
        if (name == "sm_check_info")
            own.clear();
        const std::string key = name + labels_text(own);
        if (bound.empty())
            out.push_back(key + " " + value_text(payload.values[i]));
        else if (histogram == key)
            out.back() += " " + bound;
        else
            out.push_back(key + " buckets " + bound);
        histogram = bound.empty() ? "" : key;
    }
    return out;
}

/// `*` stands for anything. A line of ours that explains a failure goes on with the reason.
bool matches(std::string_view wanted, std::string_view got)
{
    const auto star = wanted.find('*');
    if (star == std::string_view::npos)
        return got == wanted ||
               (got.starts_with(wanted) && got.substr(wanted.size()).starts_with(" reason="));
    if (got.substr(0, star) != wanted.substr(0, star))
        return false;
    const std::string_view rest = wanted.substr(star + 1);
    for (std::size_t skipped = star; skipped <= got.size(); ++skipped)
        if (matches(rest, got.substr(skipped)))
            return true;
    return false;
}

void check_lines(const std::vector<std::string>& wanted, const std::vector<std::string>& got)
{
    for (std::size_t i = 0; i < std::max(wanted.size(), got.size()); ++i) {
        const std::string_view left = i < wanted.size() ? std::string_view{wanted[i]} : "(none)";
        const std::string_view right = i < got.size() ? std::string_view{got[i]} : "(none)";
        CHECK_MESSAGE(matches(left, right),
            "wanted " << std::string{left} << "\ngot    " << std::string{right});
    }
}

struct Golden {
    std::map<std::string, std::string> facts;  ///< by their keyword
    std::vector<std::string> series;
    std::vector<std::string> lines;
};

struct GoldenFixture : tests::PublishedFixture {
    Golden read(const std::string& file) const
    {
        static const std::set<std::string> keywords{
            "check", "mode", "series", "execution", "info", "stream", "context"};
        Golden golden;
        std::istringstream in{tests::content_of(file)};
        for (std::string line; std::getline(in, line);) {
            const std::string keyword = line.substr(0, line.find(' '));
            const std::string rest = line.substr(std::min(line.size(), keyword.size() + 1));
            if (keyword == "line")
                golden.lines.push_back(resolved(rest, golden.facts["context"]));
            else if (keywords.contains(keyword))
                golden.facts[keyword] = resolved(rest, "");
            else
                golden.series.push_back(resolved(line, ""));
        }
        return golden;
    }

    void compare(const Golden& golden)
    {
        exporters::Tenant tenant;
        if (golden.facts.at("mode") == "dual_write")
            tenant.label_mode = pb::LABEL_MODE_DUAL_WRITE;
        const auto [payload, labels, id] = publish(check_of(golden.facts.at("check")), tenant);
        REQUIRE(labels->info.has_value());

        const Labels& execution = labels->execution;
        CHECK(labels_text(execution) == golden.facts.at("execution"));
        CHECK(labels_text(*labels->info) == golden.facts.at("info"));
        CHECK(std::to_string(payload.values.size()) == golden.facts.at("series"));
        check_lines(golden.series, series_text(payload, execution));
        CHECK(labels_text(payload.logs->labels) == golden.facts.at("stream"));
        CHECK(payload.logs->structured_metadata == Labels{{"execution_id", id}});
        std::vector<std::string> lines;
        for (const auto& line : payload.logs->lines)
            lines.push_back(line.line.substr(0, line.line.size() - 1));
        check_lines(golden.lines, lines);
    }
};

}  // namespace

TEST_SUITE("agent/schedule/golden")
{
    TEST_CASE_FIXTURE(GoldenFixture, "runs are published as the reference agent publishes them")
    {
        std::size_t compared = 0;
        for (const auto& file :
            std::filesystem::directory_iterator{tests::source_path("tests/golden")}) {
            const std::string name = file.path().stem();
            CAPTURE(name);
            compare(read(file.path()));
            ++compared;
        }
        CHECK(compared == 16);
    }
}
