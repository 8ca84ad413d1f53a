// Spec 03 §1.9: how many series a run has, by kind, set and end.
#include "tests/support/host_limits.h"
#include "tests/unit/agent/schedule/published_fixture.h"

#include <set>
#include <string_view>
#include <vector>

using namespace sonde;

namespace {

struct Row {
    std::string_view what;
    std::string_view target;
    std::string_view settings;
    bool passes;
    std::size_t full;
    std::size_t basic;
};

constexpr Row rows[] = {
    {"http", "http://127.0.0.1:$HTTP/plain", R"("http": {"ipVersion": "V4"})", true, 118, 34},
    {"http with Last-Modified", "http://127.0.0.1:$HTTP/1k", R"("http": {"ipVersion": "V4"})", true,
        119, 35},
    {"http over TLS", "https://127.0.0.1:$HTTPS/plain",
        R"("http": {"ipVersion": "V4", "tlsConfig": {"caCert": "$CA"}})", true, 123, 39},
    {"http over TLS with Last-Modified", "https://127.0.0.1:$HTTPS/1k",
        R"("http": {"ipVersion": "V4", "tlsConfig": {"caCert": "$CA"}})", true, 124, 40},
    {"http over TLS, not verified", "https://127.0.0.1:$HTTPS/plain",
        R"("http": {"ipVersion": "V4", "tlsConfig": {"insecureSkipVerify": true}})", true, 122, 38},
    {"http, certificate refused", "https://127.0.0.1:$HTTPS/plain",
        R"("http": {"ipVersion": "V4"})", false, 121, 37},
    {"http, name not resolved", "http://no.such.invalid/", R"("http": {"ipVersion": "V4"})", false,
        58, 30},
    {"dns", "www.bench.test",
        R"("dns": {"ipVersion": "V4", "server": "127.0.0.1", "port": $DNS, "recordType": "A"})",
        true, 85, 29},
    {"dns SOA", "bench.test",
        R"("dns": {"ipVersion": "V4", "server": "127.0.0.1", "port": $DNS, "recordType": "SOA"})",
        true, 86, 30},
    {"dns, no response", "www.bench.test",
        R"("dns": {"ipVersion": "V4", "server": "127.0.0.1", "port": $CLOSED, "recordType": "A"})",
        false, 85, 29},
    {"dns SOA, no response", "bench.test",
        R"("dns": {"ipVersion": "V4", "server": "127.0.0.1", "port": $CLOSED, "recordType": "SOA"})",
        false, 85, 29},
    {"ping", "127.0.0.1", R"("ping": {"ipVersion": "V4"})", true, 87, 31},
    {"ping, name not resolved", "no.such.invalid", R"("ping": {"ipVersion": "V4"})", false, 86, 30},
    {"tcp", "127.0.0.1:$HTTP", R"("tcp": {"ipVersion": "V4"})", true, 38, 24},
    {"tcp over TLS", "127.0.0.1:$HTTPS",
        R"("tcp": {"ipVersion": "V4", "tls": true, "tlsConfig": {"caCert": "$CA"}})", true, 42, 28},
    {"tcp over TLS, not verified", "127.0.0.1:$HTTPS",
        R"("tcp": {"ipVersion": "V4", "tls": true, "tlsConfig": {"insecureSkipVerify": true}})",
        true, 41, 27},
    {"tcp, refused", "127.0.0.1:$CLOSED", R"("tcp": {"ipVersion": "V4"})", false, 36, 22},
    {"tcp, certificate refused", "127.0.0.1:$HTTPS", R"("tcp": {"ipVersion": "V4", "tls": true})",
        false, 39, 25},
};

struct CountsFixture : tests::PublishedFixture {
    pb::Check check_of_row(const Row& row, bool basic) const
    {
        return check_of(resolved(fmt::format(
            R"({{"id": 1, "frequency": 30000, "timeout": 500, "settings": {{{}}}, "target": "{}", )"
            R"("job": "counts", "basicMetricsOnly": {}, "modified": 1}})",
            row.settings, row.target, basic)));
    }
    static bool passed(const exporters::Payload& payload)
    {
        return payload.logs->labels.back() == exporters::Label{"probe_success", "1"};
    }
};

/// All labels of a series as one text.
std::string text_of(const exporters::LabelSet& labels)
{
    std::string out;
    for (const auto& [name, value] : labels)
        out += fmt::format("{}={};", name, value);
    return out;
}

}  // namespace

TEST_SUITE("agent/schedule/series_counts")
{
    TEST_CASE_FIXTURE(CountsFixture, "as many series as the specification has, no two the same")
    {
        for (const Row& row : rows)
            for (const bool basic : {false, true}) {
                CAPTURE(row.what);
                CAPTURE(basic);
                const auto published = publish(check_of_row(row, basic), {});
                const exporters::Payload& payload = published.payload;
                CHECK(passed(payload) == row.passes);
                CHECK(payload.values.size() == (basic ? row.basic : row.full));
                std::set<std::string> different;
                for (std::size_t i = 0; i < payload.series->size(); ++i)
                    different.insert(text_of(payload.series->labels(i)));
                CHECK(different.size() == payload.values.size());
            }
    }

    TEST_CASE_FIXTURE(CountsFixture, "a ping without a reply has no hop limit")
    {
        const Row row{"ping", "127.0.0.1", R"("ping": {"ipVersion": "V4"})", false, 86, 30};
        const tests::PrivateNetwork silent;
        if (!silent.ready()) {
            MESSAGE("not allowed to have a network of its own: skipped");
            return;
        }
        for (const bool basic : {false, true}) {
            const auto published = publish(check_of_row(row, basic), {});
            CHECK_FALSE(passed(published.payload));
            CHECK(published.payload.values.size() == (basic ? row.basic : row.full));
        }
    }

    TEST_CASE_FIXTURE(CountsFixture, "the label mode changes labels, never the series")
    {
        auto check = check_of_row(rows[0], false);
        auto* label = check.add_labels();
        label->set_name("env");
        label->set_value("prod");
        exporters::Tenant tenant;
        std::vector<std::vector<std::string>> names;
        for (const auto mode :
            {pb::LABEL_MODE_PREFIXED, pb::LABEL_MODE_DUAL_WRITE, pb::LABEL_MODE_UNPREFIXED}) {
            CAPTURE(mode);
            tenant.label_mode = mode;
            const auto published = publish(check, tenant);
            auto& own = names.emplace_back();
            const exporters::Identities& series = *published.payload.series;
            for (std::size_t i = 0; i < series.size(); ++i) {
                std::size_t bare = 0;
                std::size_t prefixed = 0;
                std::string name;
                for (const auto& [key, value] : series.labels(i)) {
                    bare += key == "env" || key == "site" ? 1 : 0;
                    prefixed += key == "label_env" || key == "label_site" ? 1 : 0;
                    if (key == "__name__" || key == "phase" || key == "le")
                        name += value + "/";
                }
                const bool info = name == "sm_check_info/";
                CHECK(bare == (mode == pb::LABEL_MODE_PREFIXED ? 0 : 2));
                CHECK(prefixed == (info && mode != pb::LABEL_MODE_UNPREFIXED ? 2 : 0));
                own.push_back(name);
            }
        }
        CHECK(names[0].size() == 118);
        CHECK(names[0] == names[1]);
        CHECK(names[0] == names[2]);
    }

    TEST_CASE_FIXTURE(CountsFixture, "labels beyond the stream's limit come with every line")
    {
        exporters::Tenant tenant;
        tenant.max_log_labels = 7;
        const auto published = publish(check_of_row(rows[0], false), tenant);
        const auto& logs = *published.payload.logs;
        CHECK(logs.labels.size() == 7);
        CHECK(logs.labels.back().name == "probe_success");
        CHECK(logs.structured_metadata ==
              schedule::Labels{{"label_site", "fra"}, {"execution_id", published.execution_id}});
    }
}
