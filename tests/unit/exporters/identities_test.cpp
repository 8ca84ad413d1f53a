#include "exporters/identities.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>

using namespace sonde;
using exporters::EncodedLabels;
using exporters::Identities;
using exporters::LabelSet;
using exporters::SeriesShape;

namespace {

std::vector<std::string> names_of(const LabelSet& labels)
{
    std::vector<std::string> names;
    for (const auto& label : labels)
        names.push_back(label.name);
    return names;
}

/// What a series' labels are: the shared ones count where both have a name.
LabelSet merged(const LabelSet& own, const LabelSet& shared)
{
    std::map<std::string, std::string> all;
    for (const auto& label : own)
        all[label.name] = label.value;
    for (const auto& label : shared)
        all[label.name] = label.value;
    LabelSet out;
    for (const auto& [name, value] : all)
        out.push_back({name, value});
    return out;
}

LabelSet some_labels(std::mt19937& random, const char* prefix, int most)
{
    LabelSet labels;
    std::uniform_int_distribution<int> number{0, most};
    for (int i = number(random); i > 0; --i)
        labels.push_back({fmt::format("{}{}", i % 2 == 0 ? prefix : "both", random() % 12),
            std::string(random() % 200, 'v')});
    return merged(labels, {});
}

}  // namespace

TEST_SUITE_BEGIN("identities");

TEST_CASE("series are their own labels and the shared ones, in order of name")
{
    const LabelSet shared{{"instance", "x"}, {"job", "j"}, {"probe", "p"}};
    const LabelSet info{{"geohash", "g"}, {"job", "j"}};
    const auto shape = std::make_shared<const SeriesShape>(
        std::vector<SeriesShape::Series>{{{{"__name__", "probe_success"}}, false},
            {{{"__name__", "probe_bucket"}, {"le", "0.5"}, {"zone", "z"}}, false},
            {{{"__name__", "sm_check_info"}}, true}},
        names_of(shared), names_of(info));
    const Identities identities{shape, EncodedLabels{shared}, EncodedLabels{info}};
    REQUIRE(identities.size() == 3);
    CHECK(identities.labels(0) ==
          LabelSet{{"__name__", "probe_success"}, {"instance", "x"}, {"job", "j"}, {"probe", "p"}});
    CHECK(identities.labels(1) == LabelSet{{"__name__", "probe_bucket"}, {"instance", "x"},
                                      {"job", "j"}, {"le", "0.5"}, {"probe", "p"}, {"zone", "z"}});
    CHECK(identities.labels(2) ==
          LabelSet{{"__name__", "sm_check_info"}, {"geohash", "g"}, {"job", "j"}});
}

TEST_CASE("encoded as if each label had been written one after the other")
{
    std::mt19937 random{7};
    for (int round = 0; round < 300; ++round) {
        const LabelSet shared = some_labels(random, "shared", 10);
        const LabelSet info = some_labels(random, "info", 10);
        std::vector<SeriesShape::Series> series;
        for (int i = 0; i < 5; ++i)
            series.push_back({some_labels(random, "own", 4), i == 3});
        const auto shape =
            std::make_shared<const SeriesShape>(series, names_of(shared), names_of(info));
        const Identities identities{shape, EncodedLabels{shared}, EncodedLabels{info}};
        for (std::size_t i = 0; i < series.size(); ++i) {
            const LabelSet expected = merged(series[i].own, series[i].info ? info : shared);
            const EncodedLabels plain{expected};
            std::string encoded;
            identities.encode(i, encoded);
            CHECK(encoded == plain.range(0, plain.size()));
            CHECK(identities.encoded_size(i) == encoded.size());
            CHECK(identities.labels(i) == expected);
        }
    }
}

TEST_SUITE_END();
