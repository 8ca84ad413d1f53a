#include "agent/link/changes.h"

#include <doctest/doctest.h>

using namespace sonde;
using link::ChangeReader;

namespace {

pb::Check check(std::int64_t id, double modified)
{
    pb::Check out;
    out.set_id(id);
    out.set_tenantid(1);
    out.set_target("example.org");
    out.set_job("job");
    out.set_frequency(1000);
    out.set_timeout(1000);
    out.set_modified(modified);
    return out;
}

struct Message {
    pb::Changes changes;

    Message& add(pb::CheckOperation operation, const pb::Check& what)
    {
        auto* change = changes.add_checks();
        change->set_operation(operation);
        *change->mutable_check() = what;
        return *this;
    }
};

std::vector<std::int64_t> put_ids(const link::Plan& plan)
{
    std::vector<std::int64_t> ids;
    for (const pb::Check* each : plan.put)
        ids.push_back(each->id());
    return ids;
}

using Ids = std::vector<std::int64_t>;

}  // namespace

TEST_SUITE("agent/link/changes")
{
    TEST_CASE("a snapshot is reconciled: unchanged checks are left alone, missing ones end")
    {
        ChangeReader reader{{{1, 10}, {2, 20}, {3, 30}}};
        Message snapshot;
        snapshot.add(pb::CHECK_ADD, check(1, 10))
            .add(pb::CHECK_ADD, check(2, 21))
            .add(pb::CHECK_ADD, check(4, 40));
        const auto plan = reader.read(snapshot.changes);
        CHECK(put_ids(plan) == Ids{2, 4});
        CHECK(plan.remove == Ids{3});
    }

    TEST_CASE("an empty snapshot ends everything, an empty difference nothing")
    {
        ChangeReader first{{{1, 10}}};
        CHECK(first.read(pb::Changes{}).remove == Ids{1});
        ChangeReader second{{{1, 10}}};
        pb::Changes difference;
        difference.set_isdeltafirstbatch(true);
        CHECK(second.read(difference).remove.empty());
    }

    TEST_CASE("later messages are differences, and mistakes in them are told")
    {
        ChangeReader reader{{}};
        Message snapshot;
        snapshot.add(pb::CHECK_ADD, check(1, 10));
        reader.read(snapshot.changes);
        Message next;
        next.add(pb::CHECK_ADD, check(1, 11))  // known: the old one goes on
            .add(pb::CHECK_UPDATE, check(2, 20))
            .add(pb::CHECK_DELETE, check(9, 0))
            .add(pb::CHECK_DELETE, check(1, 0));
        const auto plan = reader.read(next.changes);
        CHECK(put_ids(plan) == Ids{2});
        CHECK(plan.remove == Ids{1});
        CHECK(plan.handled[0].problem == "check already exists");
        CHECK(plan.handled[1].problem.empty());
        CHECK(plan.handled[2].problem == "check not found");
    }

    TEST_CASE("a check that cannot be run at all is refused")
    {
        for (const auto& spoil : std::initializer_list<void (*)(pb::Check&)>{
                 [](pb::Check& c) { c.set_tenantid(0); }, [](pb::Check& c) { c.clear_target(); },
                 [](pb::Check& c) { c.clear_job(); }, [](pb::Check& c) { c.set_frequency(0); },
                 [](pb::Check& c) { c.set_timeout(2000); }}) {
            pb::Check bad = check(1, 1);
            spoil(bad);
            CHECK_FALSE(link::unusable(bad).empty());
        }
        CHECK(link::unusable(check(1, 1)).empty());
    }
}
