#include "agent/schedule/labels.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <string>

using namespace sonde;
using schedule::Labels;

namespace {

struct Source {
    pb::Check check;
    pb::Probe probe;
    schedule::LabelSource source{check, probe, "http"};

    Source()
    {
        check.set_target("https://example.org/");
        check.set_job("Example site");
        check.set_frequency(60000);
        check.set_modified(1767225600.123456);
        check.set_alertsensitivity("medium");
        add(check.add_labels(), "env", "prod");
        probe.set_name("Frankfurt DC1");
        probe.set_region("EMEA");
        probe.set_latitude(50.1109F);
        probe.set_longitude(8.6821F);
        add(probe.add_labels(), "site", "fra");
    }
    static void add(pb::Label* label, const char* name, const char* value)
    {
        label->set_name(name);
        label->set_value(value);
    }
};

std::string text(const Labels& labels)
{
    std::string out;
    for (const auto& label : labels)
        out += label.name + "=" + label.value + ";";
    return out;
}

}  // namespace

TEST_SUITE("agent/schedule/labels")
{
    TEST_CASE_FIXTURE(Source, "sm_check_info has the labels of the specification's example")
    {
        const auto labels = schedule::check_info_labels(source, pb::LABEL_MODE_PREFIXED, 22);
        REQUIRE(labels.has_value());
        CHECK(text(*labels) ==
              "alert_sensitivity=medium;check_name=http;config_version=1767225600123456000;"
              "frequency=60000;"
              "geohash=u0yjjd6j5sgp;instance=https://example.org/;job=Example site;label_env=prod;"
              "label_site=fra;probe=Frankfurt DC1;region=EMEA;");
    }

    TEST_CASE_FIXTURE(Source, "log labels are in the order of the specification's example")
    {
        CHECK(text(schedule::log_labels(source, pb::LABEL_MODE_PREFIXED)) ==
              "probe=Frankfurt DC1;region=EMEA;instance=https://example.org/;job=Example "
              "site;check_name=http;"
              "source=synthetic-monitoring-agent;label_site=fra;label_env=prod;");
    }

    TEST_CASE_FIXTURE(Source, "a check's value takes the place of a probe's label")
    {
        add(check.add_labels(), "site", "ber");
        CHECK(text(schedule::log_labels(source, pb::LABEL_MODE_UNPREFIXED))
                .ends_with("site=ber;env=prod;"));
    }

    TEST_CASE_FIXTURE(Source, "reserved and double-underscore names are never written bare")
    {
        add(check.add_labels(), "job", "mine");
        add(check.add_labels(), "__x", "1");
        CHECK(text(schedule::execution_labels(source, pb::LABEL_MODE_DUAL_WRITE))
                .starts_with("site=fra;env=prod;probe="));
        const auto info = schedule::check_info_labels(source, pb::LABEL_MODE_DUAL_WRITE, 22);
        REQUIRE(info.has_value());
        CHECK(text(*info).find("label_job=mine") != std::string::npos);
        CHECK(text(*info).find(";job=Example site;") != std::string::npos);
    }

    TEST_CASE_FIXTURE(Source, "an empty region is `unset` where labels are bare")
    {
        probe.set_region("");
        CHECK(text(schedule::log_labels(source, pb::LABEL_MODE_UNPREFIXED))
                  .find("sm_region=unset;") != std::string::npos);
        CHECK(text(schedule::log_labels(source, pb::LABEL_MODE_PREFIXED)).find("region=;") !=
              std::string::npos);
    }

    TEST_CASE_FIXTURE(Source, "too many labels are refused with both numbers")
    {
        const auto labels = schedule::check_info_labels(source, pb::LABEL_MODE_PREFIXED, 10);
        REQUIRE(labels.has_error());
        CHECK(labels.error().reason == "too_many_labels");
        CHECK(labels.error().message.find("11") != std::string::npos);
    }

    TEST_CASE_FIXTURE(Source, "the three label modes, on series, sm_check_info and logs")
    {
        add(check.add_labels(), "phase", "mine");   // reserved
        add(check.add_labels(), "region", "mine");  // not reserved: a tenant may have it
        add(check.add_labels(), "site", "ber");     // the probe has one, too
        const std::string own = "probe=Frankfurt DC1;config_version=1767225600123456000;"
                                "instance=https://example.org/;job=Example site;";
        const std::string stream = ";instance=https://example.org/;job=Example site;"
                                   "check_name=http;source=synthetic-monitoring-agent;";
        const struct {
            pb::LabelMode mode;
            std::string execution, info, logs;
        } modes[] = {
            {pb::LABEL_MODE_PREFIXED, own,
                "label_env=prod;label_phase=mine;label_region=mine;label_site=ber;"
                "probe=Frankfurt DC1;region=EMEA;",
                "probe=Frankfurt DC1;region=EMEA" + stream +
                    "label_site=ber;label_env=prod;label_phase=mine;label_region=mine;"},
            {pb::LABEL_MODE_DUAL_WRITE, "site=ber;env=prod;region=mine;" + own,
                "label_env=prod;label_phase=mine;label_region=mine;label_site=ber;"
                "probe=Frankfurt DC1;region=mine;site=ber;sm_region=EMEA;",
                "probe=Frankfurt DC1;sm_region=EMEA" + stream +
                    "label_site=ber;label_env=prod;label_phase=mine;label_region=mine;"
                    "site=ber;env=prod;region=mine;"},
            {pb::LABEL_MODE_UNPREFIXED, "site=ber;env=prod;region=mine;" + own,
                "probe=Frankfurt DC1;region=mine;site=ber;sm_region=EMEA;",
                "probe=Frankfurt DC1;sm_region=EMEA" + stream + "site=ber;env=prod;region=mine;"},
        };
        for (const auto& [mode, execution, info, logs] : modes) {
            CAPTURE(mode);
            CHECK(text(schedule::execution_labels(source, mode)) == execution);
            const auto all = schedule::check_info_labels(source, mode, 22);
            REQUIRE(all.has_value());
            CHECK(text(*all).ends_with(info));
            CHECK(text(schedule::log_labels(source, mode)) == logs);
        }
    }

    TEST_CASE_FIXTURE(Source, "a tenant may have so many labels on sm_check_info and no more")
    {
        const auto fits = [&](pb::LabelMode mode, std::int64_t limit) {
            return schedule::check_info_labels(source, mode, limit).has_value();
        };
        CHECK(fits(pb::LABEL_MODE_PREFIXED, 11));
        CHECK_FALSE(fits(pb::LABEL_MODE_PREFIXED, 10));
        CHECK_FALSE(fits(pb::LABEL_MODE_PREFIXED, 0));
        CHECK_FALSE(fits(pb::LABEL_MODE_PREFIXED, -1));
        CHECK(fits(pb::LABEL_MODE_UNPREFIXED, 11));
        CHECK_FALSE(fits(pb::LABEL_MODE_UNPREFIXED, 10));
        // Both forms of two user labels make 13, and the limit counts twice, up to 40.
        CHECK(fits(pb::LABEL_MODE_DUAL_WRITE, 7));
        CHECK_FALSE(fits(pb::LABEL_MODE_DUAL_WRITE, 6));
        CHECK_FALSE(fits(pb::LABEL_MODE_DUAL_WRITE, 0));
        for (int i = 0; i < 14; ++i)
            add(check.add_labels(), ("more" + std::to_string(i)).c_str(), "x");
        CHECK_FALSE(fits(pb::LABEL_MODE_DUAL_WRITE, 20));  // 41 labels
        CHECK_FALSE(fits(pb::LABEL_MODE_DUAL_WRITE, std::numeric_limits<std::int64_t>::max()));
        CHECK(fits(pb::LABEL_MODE_PREFIXED, 25));
    }

    TEST_CASE_FIXTURE(Source, "labels that the log stream has no room for go to the metadata")
    {
        exporters::Tenant tenant;
        tenant.max_log_labels = 8;  // one is for probe_success
        const schedule::Labelling cut{source, "there", tenant};
        CHECK(text(cut.stream) == "probe=Frankfurt DC1;region=EMEA;instance=https://example.org/;"
                                  "job=Example site;check_name=http;"
                                  "source=synthetic-monitoring-agent;label_site=fra;");
        CHECK(text(cut.overflow) == "label_env=prod;");
        CHECK(cut.context.ends_with("label_site=fra label_env=prod"));
        tenant.max_log_labels = 9;
        CHECK(schedule::Labelling{source, "there", tenant}.overflow.empty());
        tenant.max_log_labels = 1;
        CHECK(schedule::Labelling{source, "there", tenant}.stream.empty());
        tenant.max_log_labels = 0;
        CHECK(schedule::Labelling{source, "there", tenant}.stream.empty());
    }

    TEST_CASE("config_version keeps the artefacts of doubles")
    {
        CHECK(schedule::config_version(42) == "42000000000");
        CHECK(schedule::config_version(1721675000.25) == "1721675000249999872");
        CHECK(schedule::config_version(1767225600.123456) == "1767225600123456000");
    }

    TEST_CASE("geohash vectors")
    {
        CHECK(schedule::geohash(57.64911, 10.40744) == "u4pruydqqvj8");
        CHECK(schedule::geohash(-1, -2) == "7zyd63zwsd7z");
        CHECK(schedule::geohash(90, 180) == "zzzzzzzzzzzz");
    }

    TEST_CASE("labels are sorted, once each, and cut between characters")
    {
        const auto labels =
            schedule::normalised({{"b", "1"}, {"a", std::string(3000, 'x')}, {"b", "2"}});
        REQUIRE(labels.size() == 2);
        CHECK(labels[0].value.size() == 2048);
        CHECK(labels[0].value.ends_with("..."));
        CHECK(labels[1].value == "1");
    }
}
