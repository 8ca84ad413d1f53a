// `/results`: Prometheus' text format 0.0.4, of what checks published last.
#include "agent/status/results.h"

#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <utility>

using namespace sonde;
using exporters::Label;

namespace {

exporters::Payload payload(std::vector<std::pair<std::vector<Label>, double>> samples)
{
    exporters::Payload out;
    std::vector<exporters::LabelSet> series;
    for (auto& [labels, value] : samples) {
        series.emplace_back(std::move(labels));
        out.values.push_back(value);
    }
    out.series = std::make_shared<const exporters::Identities>(series);
    return out;
}

Label name(const char* metric)
{
    return {"__name__", metric};
}

}  // namespace

TEST_SUITE("status/results")
{
    TEST_CASE("samples of one name are together, of all checks, in the order of names")
    {
        const exporters::Payload results[] = {
            payload({{{name("probe_success"), {"instance", "a"}, {"job", "x"}}, 1},
                {{name("probe_duration_seconds"), {"instance", "a"}, {"job", "x"}}, 0.25}}),
            payload({{{name("probe_success"), {"instance", "b"}, {"job", "x"}}, 0}}),
        };
        CHECK(status::render_results(results) ==
              "# TYPE probe_duration_seconds untyped\n"
              "probe_duration_seconds{instance=\"a\",job=\"x\",tenant=\"api/0\"} 0.25\n"
              "# TYPE probe_success untyped\n"
              "probe_success{instance=\"a\",job=\"x\",tenant=\"api/0\"} 1\n"
              "probe_success{instance=\"b\",job=\"x\",tenant=\"api/0\"} 0\n");
    }

    TEST_CASE("nothing measured is an empty text; logs alone are nothing")
    {
        CHECK(status::render_results({}) == "");
        exporters::Payload only_logs;
        only_logs.logs.emplace();
        CHECK(status::render_results({&only_logs, 1}) == "");
    }

    TEST_CASE("no series comes twice: the first counts")
    {
        const exporters::Payload results[] = {payload({{{name("up"), {"job", "x"}}, 1}}),
            payload({{{name("up"), {"job", "x"}}, 0}, {{name("up")}, 2}})};
        CHECK(status::render_results(results) ==
              "# TYPE up untyped\nup{job=\"x\",tenant=\"api/0\"} 1\nup{tenant=\"api/0\"} 2\n");
    }

    TEST_CASE("checks of two tenants may be alike; a label that a user calls so steps aside")
    {
        exporters::Payload results[] = {payload({{{name("up"), {"job", "x"}}, 1}}),
            payload({{{name("up"), {"job", "x"}}, 0}}),
            payload({{{name("up"), {"tenant", "mine"}}, 2}})};
        results[0].tenant = {exporters::Origin::api, 7};
        results[1].tenant = results[2].tenant = {exporters::Origin::file, 7};
        CHECK(status::render_results(results) ==
              "# TYPE up untyped\nup{job=\"x\",tenant=\"api/7\"} 1\n"
              "up{job=\"x\",tenant=\"file/7\"} 0\n"
              "up{exported_tenant=\"mine\",tenant=\"file/7\"} 2\n");
    }

    TEST_CASE("whatever a label holds, it stays inside its quotes")
    {
        const std::pair<const char*, const char*> table[] = {{"a b", "a b"}, {"a\"b", "a\\\"b"},
            {"a\\b", "a\\\\b"}, {"a\nup 1", "a\\nup 1"}, {"", ""},
            {"{},=#\xc3\xb6", "{},=#\xc3\xb6"}};
        for (const auto& [value, escaped] : table) {
            CAPTURE(value);
            const auto result = payload({{{name("up"), {"k", value}}, 1}});
            CHECK(status::render_results({&result, 1}) ==
                  "# TYPE up untyped\nup{k=\"" + std::string{escaped} + "\",tenant=\"api/0\"} 1\n");
        }
    }

    TEST_CASE("values as the format has them, read back without loss")
    {
        using Limits = std::numeric_limits<double>;
        const std::pair<double, const char*> table[] = {{0, "0"}, {-1, "-1"}, {0.1, "0.1"},
            {1e22, "1e+22"}, {1.0 / 3, "0.3333333333333333"}, {1764339600, "1764339600"},
            {Limits::infinity(), "+Inf"}, {-Limits::infinity(), "-Inf"},
            {Limits::quiet_NaN(), "NaN"}};
        for (const auto& [value, text] : table) {
            CAPTURE(text);
            const auto result = payload({{{name("up")}, value}});
            CHECK(status::render_results({&result, 1}) ==
                  "# TYPE up untyped\nup{tenant=\"api/0\"} " + std::string{text} + "\n");
        }
    }
}
