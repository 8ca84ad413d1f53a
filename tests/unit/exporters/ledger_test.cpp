#include "exporters/ledger.h"

#include <doctest/doctest.h>

#include <functional>
#include <set>
#include <string_view>

using namespace sonde::exporters;

namespace {

constexpr CheckKey check{Origin::file, 1};
constexpr TenantKey tenant{Origin::file, 9};

Gap gap_of(std::int64_t due_ms, GapReason reason, bool samples = true, bool events = true)
{
    return {check, tenant, due_ms, due_ms, 1, samples, events, reason};
}

}  // namespace

TEST_SUITE_BEGIN("exporters/ledger");

TEST_CASE("neighbours of one reason and kind are one gap, others are not")
{
    using Steps = std::vector<std::function<void(Ledger&)>>;
    const auto missed = [](std::int64_t at, GapReason reason) {
        return [=](Ledger& ledger) { ledger.missed(gap_of(at, reason)); };
    };
    const auto lost = [](std::int64_t at, Type type) {
        return [=](Ledger& ledger) {
            ledger.lost(gap_of(at, GapReason::too_old, type == Type::metrics, type == Type::logs));
        };
    };
    const auto published = [](std::int64_t at) {
        return [=](Ledger& ledger) { ledger.published(check, at); };
    };
    const struct {
        const char* what;
        Steps steps;
        std::vector<std::pair<std::int64_t, std::int64_t>> gaps;
    } rows[] = {
        {"run after run",
            {published(1), missed(2, GapReason::overrun), missed(3, GapReason::overrun)}, {{2, 3}}},
        {"run after run, how far apart is not known at first",
            {missed(1, GapReason::overrun), missed(2, GapReason::overrun),
                missed(3, GapReason::overrun)},
            {{1, 1}, {2, 3}}},
        {"one between them is still under way",
            {published(1), published(2), missed(3, GapReason::not_running),
                missed(5, GapReason::not_running), published(4)},
            {{3, 3}, {5, 5}}},
        {"a run between",
            {missed(1, GapReason::overrun), published(2), missed(3, GapReason::overrun)},
            {{1, 1}, {3, 3}}},
        {"another reason",
            {missed(1, GapReason::overrun), missed(2, GapReason::egress_down),
                missed(3, GapReason::overrun)},
            {{1, 1}, {2, 2}, {3, 3}}},
        {"the same once more", {missed(1, GapReason::overrun), missed(1, GapReason::overrun)},
            {{1, 1}, {1, 1}}},
        {"lost in order while later ones wait",
            {published(1), published(2), published(3), lost(1, Type::metrics),
                lost(2, Type::metrics)},
            {{1, 2}}},
        {"one between them is not lost",
            {published(1), published(2), published(3), lost(1, Type::metrics),
                lost(3, Type::metrics)},
            {{1, 1}, {3, 3}}},
        {"later ones first",
            {published(1), published(2), published(3), published(4), lost(3, Type::metrics),
                lost(4, Type::metrics), lost(1, Type::metrics), lost(2, Type::metrics)},
            {{3, 4}, {1, 2}}},
        {"a timetable that is not known", {lost(1, Type::metrics), lost(2, Type::metrics)},
            {{1, 1}, {2, 2}}},
        {"a timetable known from before",
            {[](Ledger& ledger) { ledger.recover(check, 10); },
                [](Ledger& ledger) { ledger.recover(check, 20); }, lost(10, Type::metrics),
                lost(20, Type::metrics)},
            {{10, 20}}},
        {"a run out of turn",
            {published(10), published(20), published(22), published(30), lost(10, Type::metrics),
                lost(20, Type::metrics)},
            {{10, 10}, {20, 20}}},
        {"samples and lines",
            {published(1), published(2), lost(1, Type::metrics), lost(1, Type::logs),
                lost(2, Type::metrics), lost(2, Type::logs)},
            {{1, 2}, {1, 2}}},
    };
    for (const auto& row : rows) {
        CAPTURE(row.what);
        Ledger ledger;
        for (const auto& step : row.steps)
            step(ledger);
        std::vector<std::pair<std::int64_t, std::int64_t>> gaps;
        for (const Gap& gap : ledger.recent_gaps())
            gaps.emplace_back(gap.from_ms, gap.to_ms);
        CHECK(gaps == row.gaps);
    }
}

TEST_CASE("whatever it is told, every run is published or missing")
{
    Ledger ledger;
    std::uint64_t told = 0;
    for (std::int64_t i = 0; i < 500; ++i) {
        const CheckKey one{Origin::api, i % 7};
        if (i % 3 == 0) {
            ledger.published(one, i);
        } else {
            Gap gap =
                gap_of(i, static_cast<GapReason>(static_cast<std::size_t>(i) % Ledger::reasons));
            gap.check = one;
            gap.runs = static_cast<std::uint64_t>(i % 4);
            ledger.missed(gap);
            told += gap.runs;
            continue;
        }
        ++told;
    }
    CHECK(ledger.published() + ledger.missing() == told);
    std::uint64_t by_reason = 0;
    for (std::size_t i = 0; i < Ledger::reasons; ++i)
        by_reason += ledger.missing(static_cast<GapReason>(i));
    CHECK(by_reason == ledger.missing());
}

TEST_CASE("every reason has a word of its own")
{
    std::set<std::string_view> words;
    for (std::size_t i = 0; i < Ledger::reasons; ++i)
        words.insert(name_of(static_cast<GapReason>(i)));
    CHECK(words.size() == Ledger::reasons);
    CHECK_FALSE(words.contains(""));
    CHECK(name_of(last_gap_reason) == "internal");
}

TEST_CASE("the last run is the latest, published or not, here or before")
{
    Ledger ledger;
    CHECK_FALSE(ledger.last_run(check).has_value());
    ledger.recover(check, 5);
    ledger.recover(gap_of(7, GapReason::stopped));
    CHECK(ledger.last_run(check) == 7);
    ledger.published(check, 6);
    CHECK(ledger.last_run(check) == 7);
    ledger.missed(gap_of(8, GapReason::overrun));
    CHECK(ledger.last_run(check) == 8);
    CHECK(ledger.missing() == 1);  // of this process
    CHECK_FALSE(ledger.last_run({Origin::api, 1}).has_value());
}

TEST_CASE("the newest gaps are remembered, a thousand of them")
{
    Ledger ledger;
    for (std::int64_t i = 0; i < 1500; ++i) {
        ledger.missed(gap_of(2 * i, GapReason::overrun));
        ledger.published(check, 2 * i + 1);
    }
    const auto gaps = ledger.recent_gaps();
    CHECK(gaps.size() == Ledger::most_gaps);
    CHECK(gaps.back().from_ms == 2998);
    CHECK(gaps.front().from_ms == 1000);
    CHECK(ledger.missing() == 1500);
}

TEST_CASE("what belongs to no check is one gap for each reason and kind")
{
    Ledger ledger;
    Gap gap = gap_of(5, GapReason::refused);
    gap.check.reset();
    gap.runs = 0;
    CHECK_FALSE(ledger.lost(gap));
    gap.from_ms = gap.to_ms = 3;
    CHECK(ledger.lost(gap));
    REQUIRE(ledger.recent_gaps().size() == 1);
    CHECK(ledger.recent_gaps()[0].from_ms == 3);
    CHECK(ledger.recent_gaps()[0].to_ms == 5);
}

TEST_CASE("a lane's records wait until they have another fate")
{
    Ledger ledger;
    auto& lane = ledger.lane(tenant, Type::logs);
    lane.accepted = 10;
    lane.delivered = 3;
    lane.dropped = 2;
    lane.unwanted = 1;
    CHECK(ledger.lane(tenant, Type::logs).waiting() == 4);
    CHECK(ledger.lane(tenant, Type::metrics).waiting() == 0);
}

TEST_SUITE_END();
