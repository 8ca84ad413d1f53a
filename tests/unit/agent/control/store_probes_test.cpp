// Public probes, which come from the directory, and tenants, which follow it.
#include "agent/control/directory.h"
#include "agent/control/secrets.h"
#include "agent/control/store/connection.h"
#include "tests/unit/agent/control/store_fixture.h"

#include <soci/postgresql/soci-postgresql.h>

#include <stdexcept>
#include <utility>

using namespace sonde;
using namespace sonde::tests;

namespace {

/// What a directory that lists public probes does to the database.
class Listed {
public:
    explicit Listed(Memory& memory) : memory_{memory} {}

    Result<> read(const std::vector<control::PublicProbe>& probes)
    {
        return memory_.store.write_now(
            [&](Transaction& db) { return store::apply_public_probes(db, probes); });
    }

    /// The probe that a token is for. @return 0: none.
    std::int64_t probe_of(const std::string& token)
    {
        auto find = [&](Transaction& db) -> Result<std::int64_t> {
            return store::probe_of_token(db, token).value_or(0);
        };
        return memory_.read(find).value();
    }

    std::size_t number()
    {
        auto list = [](Transaction& db) -> Result<std::size_t> {
            return store::list_probes(db, 0).size();
        };
        return memory_.read(list).value();
    }

private:
    Memory& memory_;
};

control::PublicProbe entry(
    const std::string& key, const std::string& name, const std::string& token)
{
    control::PublicProbe out;
    out.key = key;
    out.probe.set_name(name);
    out.token_sha256 = control::sha256_hex(token);
    return out;
}

}  // namespace

TEST_SUITE("agent/control/store")
{
    TEST_CASE("a public probe that the directory no longer lists has no token any more")
    {
        on_both([](const TestDatabase& database) {
            Memory memory{database};
            Listed listed{memory};
            const auto tenant = add_tenant(memory);
            const std::string token = control::new_probe_token();
            auto old = entry("a", "Atlanta", token);
            CHECK(listed.read({old}).has_value());
            const auto id = listed.probe_of(token);
            REQUIRE(id != 0);
            const auto used = add_check(memory, tenant, check("one", {id})).value();
            old.probe.set_deprecated(true);  // as operators announce that it goes
            CHECK(listed.read({old}).has_value());
            CHECK(listed.probe_of(token) == id);
            CHECK(listed.read({}).has_value());
            CHECK(listed.probe_of(token) == 0);
            CHECK(listed.number() == 1);  // a check lists it
            auto remove = [&](Transaction& db) {
                return store::delete_check(db, tenant, used.check.id());
            };
            CHECK(memory.store.write_now(remove).has_value());
            CHECK(listed.read({}).has_value());
            CHECK(listed.number() == 0);
        });
    }

    TEST_CASE("a public probe's name and token may go to another key")
    {
        on_both([](const TestDatabase& database) {
            Memory memory{database};
            Listed listed{memory};
            const auto tenant = add_tenant(memory);
            const std::string token = control::new_probe_token();
            CHECK(listed.read({entry("a", "Atlanta", token)}).has_value());
            CHECK(listed.read({entry("b", "Atlanta", token)}).has_value());
            const auto id = listed.probe_of(token);
            CHECK(listed.number() == 1);
            CHECK(add_check(memory, tenant, check("one", {id})).has_value());
            // The name is still that of a probe which a check lists; the token is free.
            CHECK(listed.read({entry("c", "Atlanta", token)}).error().reason == "taken");
            CHECK(listed.read({entry("c", "Austin", token)}).has_value());
            CHECK(listed.probe_of(token) != id);
            CHECK(listed.number() == 2);
        });
    }

    TEST_CASE("public probes may change names and tokens with each other")
    {
        on_both([](const TestDatabase& database) {
            Memory memory{database};
            Listed listed{memory};
            const std::string one = control::new_probe_token();
            const std::string two = control::new_probe_token();
            CHECK(listed.read({entry("a", "Atlanta", one), entry("b", "Austin", two)}).has_value());
            const auto first = listed.probe_of(one);
            const auto second = listed.probe_of(two);
            CHECK(listed.read({entry("a", "Austin", two), entry("b", "Atlanta", one)}).has_value());
            CHECK(listed.probe_of(one) == second);
            CHECK(listed.probe_of(two) == first);
            CHECK(listed.read({entry("a", "Austin", two), entry("b", "Austin", one)})
                      .error()
                      .reason == "taken");
        });
    }

    TEST_CASE("a stack that moves to another organization takes its tenant along")
    {
        on_both([](const TestDatabase& database) {
            Memory memory{database};
            const auto tenant = add_tenant(memory);  // of stack 3, organization 1000
            control::Organization other;
            other.id = 2000;
            control::Stack stack;
            stack.id = 3;
            auto move = [&](Transaction& db) -> Result<std::int64_t> {
                return store::install_tenant(db, other, stack, {}, {}, "password").id();
            };
            CHECK(memory.store.write_now(move).value() == tenant);
            for (const auto& [organization, tenants] : {std::pair{1000, 0U}, std::pair{2000, 1U}}) {
                const auto of = organization;
                auto count = [of](Transaction& db) -> Result<std::size_t> {
                    return store::tenants_of(db, of).size();
                };
                CHECK(memory.read(count).value() == tenants);
            }
        });
    }

    TEST_CASE("work that fails is a fault, a database that is away is not")
    {
        on_both([](const TestDatabase& database) {
            Memory memory{database};
            auto broken = [](Transaction&) -> Result<> { throw std::logic_error{"broken"}; };
            CHECK(memory.store.write_now(broken).error().reason == "internal");
            auto twice = [](Transaction& db) -> Result<> {
                db.sql() << "INSERT INTO tenants (id, org_id, stack_id, body, created_us, "
                            "modified_us) VALUES (1, 1, NULL, '', 1, 1)";  // the operator's
                return {};
            };
            CHECK(memory.store.write_now(twice).error().reason == "internal");
            for (const char* late : {"55P03", "57014"}) {  // a lock, a statement
                auto wait = [late](Transaction&) -> Result<> {
                    throw soci::postgresql_soci_error{"timeout", late};
                };
                CHECK(memory.store.write_now(wait).error().reason == "unavailable");
            }
        });
    }
}
