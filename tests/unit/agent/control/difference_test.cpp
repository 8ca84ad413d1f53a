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

}  // namespace

TEST_SUITE("agent/control/rpc/difference")
{
    TEST_CASE("the first message is always there; tenants come after it, then only what changed")
    {
        Told told{{}, false};
        CHECK(text(told.first(to_run({{1, 10}}))) == "A1 ");
        CHECK(text(*told.next(to_run({{1, 10}}))) == "T2 ");
        CHECK_FALSE(told.next(to_run({{1, 10}})).has_value());
        CHECK(text(*told.next(to_run({{1, 11}, {2, 5}}))) == "U1 A2 ");
        CHECK(text(*told.next(to_run({{2, 5}}, 2))) == "D1 T2 ");
        CHECK(text(*told.next(to_run({}))) == "D2 ");
    }

    TEST_CASE("an agent that runs checks gets the difference to them")
    {
        Told told{{{1, 10}, {2, 20}, {3, 30}}, false};
        CHECK(text(told.first(to_run({{1, 10}, {2, 21}, {4, 40}}))) == "delta U2 A4 D3 ");
        Told empty{{}, false};
        CHECK(text(empty.first(to_run({}))).empty());
    }

    TEST_CASE("checks go out again when the agent has old data of its probe")
    {
        Told told{{{1, 10}}, true};
        CHECK(text(told.first(to_run({{1, 10}}))) == "delta U1 ");
        CHECK(text(*told.next(to_run({{1, 10}}))) == "T2 ");
    }

    TEST_CASE("label limits of 0 would leave agents no labels")
    {
        pb::Tenant tenant;
        tenant.mutable_limits()->set_maxchecks(5);
        CHECK(control::for_agents(tenant).limits().maxmetriclabels() == 22);
        CHECK(control::for_agents(tenant).limits().maxloglabels() == 15);
    }
}
