#include "agent/control/rpc/agent_view.h"
#include "agent/control/rpc/difference.h"

#include <doctest/doctest.h>

using namespace sonde;
using control::Told;

namespace {

control::store::ToRun to_run(
    std::initializer_list<std::pair<std::int64_t, double>> checks, double tenant_modified = 1)
{
    control::store::ToRun out;
    for (const auto& [id, modified] : checks) {
        auto& check = out.checks.emplace_back();
        check.set_id(id);
        check.set_tenantid(2);
        check.set_modified(modified);
    }
    if (!out.checks.empty()) {
        out.tenants[2].set_id(2);
        out.tenants[2].set_modified(tenant_modified);
    }
    return out;
}

constexpr std::size_t large = 1 << 20;

std::string text(const pb::Changes& changes)
{
    std::string out = changes.isdeltafirstbatch() ? "delta " : "";
    for (const auto& change : changes.checks())
        out += pb::CheckOperation_Name(change.operation()).substr(6, 1) +
               std::to_string(change.check().id()) + ' ';
    for (const auto& tenant : changes.tenants())
        out += "T" + std::to_string(tenant.id()) + ' ';
    return out;
}

/// Messages with "| " between them.
std::string text(const std::vector<pb::Changes>& messages)
{
    std::string out;
    for (const pb::Changes& each : messages)
        out += (&each == &messages.front() ? "" : "| ") + text(each);
    return out;
}

}  // namespace

TEST_SUITE("agent/control/rpc/difference")
{
    TEST_CASE("the first message is always there; tenants come after it, then only what changed")
    {
        Told told{{}, false, large};
        CHECK(text(told.first(to_run({{1, 10}}))) == "A1 ");
        CHECK(text(told.next(to_run({{1, 10}}))) == "T2 ");
        CHECK(told.next(to_run({{1, 10}})).empty());
        CHECK(text(told.next(to_run({{1, 11}, {2, 5}}))) == "U1 A2 ");
        CHECK(text(told.next(to_run({{2, 5}}, 2))) == "D1 T2 ");
        CHECK(text(told.next(to_run({}))) == "D2 ");
    }

    TEST_CASE("an agent that runs checks gets the difference to them")
    {
        Told told{{{1, 10}, {2, 20}, {3, 30}}, false, large};
        CHECK(text(told.first(to_run({{1, 10}, {2, 21}, {4, 40}}))) == "delta U2 A4 D3 ");
        Told empty{{}, false, large};
        const auto nothing = empty.first(to_run({}));
        CHECK(nothing.size() == 1);
        CHECK(text(nothing).empty());
    }

    TEST_CASE("checks go out again when the agent has old data of its probe")
    {
        Told told{{{1, 10}}, true, large};
        CHECK(text(told.first(to_run({{1, 10}}))) == "delta U1 ");
        CHECK(text(told.next(to_run({{1, 10}}))) == "T2 ");
    }

    TEST_CASE(
        "messages are as many as their size asks for; only the first says that it is a difference")
    {
        auto much = to_run({{1, 10}, {2, 20}, {4, 40}});
        for (pb::Check& check : much.checks)
            check.set_target(std::string(400, 'x'));
        Told told{{{3, 30}}, false, 1000};
        const auto first = told.first(much);
        CHECK(text(first) == "delta A1 A2 | A4 D3 ");
        for (const pb::Changes& each : first)
            CHECK(each.ByteSizeLong() <= 1000);
        CHECK(text(told.next(much)) == "T2 ");
        Told empty{{}, false, 1000};
        CHECK(text(empty.first(much)) == "A1 A2 | A4 ");
    }

    TEST_CASE("costs are not attributed by labels whose values agents split wrongly")
    {
        pb::Tenant tenant;
        tenant.set_modified(5);
        for (const char* name : {"team", "site", "shop"})
            tenant.add_costattributionlabels(name);
        const auto fitted = control::without({{"site", 7}, {"shop", 3}, {"other", 99}}, tenant);
        REQUIRE(fitted.costattributionlabels_size() == 1);
        CHECK(fitted.costattributionlabels(0) == "team");
        CHECK(fitted.modified() == 7);  // agents take a newer record only
        CHECK(control::without({}, tenant).modified() == 5);
    }

    TEST_CASE("a check that would be the end of an agent is known as such")
    {
        pb::Check check;
        CHECK_FALSE(control::bearable(check));
        check.mutable_settings()->mutable_ping();
        CHECK(control::bearable(check));
        check.mutable_settings()->mutable_dns();
        CHECK_FALSE(control::bearable(check));
        check.mutable_settings()->clear_dns();
        check.set_target(std::string(control::largest_message, 'x'));
        CHECK_FALSE(control::bearable(check));
    }

    TEST_CASE("label limits of 0 would leave agents no labels")
    {
        pb::Tenant tenant;
        tenant.mutable_limits()->set_maxchecks(5);
        CHECK(control::for_agents(tenant).limits().maxmetriclabels() == 22);
        CHECK(control::for_agents(tenant).limits().maxloglabels() == 15);
    }
}
