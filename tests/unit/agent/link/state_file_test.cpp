#include "agent/link/state_file.h"
#include "tests/support/scratch_folder.h"
#include "tests/unit/agent/link/link_fixture.h"

#include <sys/stat.h>

using namespace sonde;
using namespace sonde::tests;

namespace {

link::ApiState some_state()
{
    link::ApiState state;
    state.api = "api:1";
    state.probe.set_id(7);
    state.probe.set_name("Here");
    state.checks = {idle_check(1, 10), idle_check(-2003, 20)};
    state.tenants = {whole_tenant(1), whole_tenant(-1003)};
    return state;
}

std::string text_of(const link::ApiState& state)
{
    std::string out = state.api + '\n' + state.probe.DebugString();
    for (const pb::Check& check : state.checks)
        out += check.DebugString();
    for (const pb::Tenant& tenant : state.tenants)
        out += tenant.DebugString();
    return out;
}

unsigned mode_of(const std::string& path)
{
    struct stat facts{};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    return facts.st_mode & 07777U;
}

/// A state file on a loop of its own.
struct Fixture {
    asio::io_context loop;
    asio::thread_pool workers{1};
    ScratchFolder folder;
    std::string path = folder.path("state/api.state");
    link::Timings timings;
    net::TaskGroup tasks{loop.get_executor()};
    std::unique_ptr<link::StateFile> file;

    Fixture() { timings.state_delay = timings.state_retry = 1ms; }
    ~Fixture() { workers.join(); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    void open(const std::string& api = "api:1")
    {
        file = std::make_unique<link::StateFile>(loop.get_executor(), workers, path, api, timings);
    }
    void tell(const link::ApiState& state)
    {
        for (const pb::Tenant& tenant : state.tenants)
            file->keep(tenant);
        for (const pb::Check& check : state.checks)
            file->keep(check);
        file->keep(state.probe);
    }
    void save()
    {
        tasks.spawn(file->save());
        loop.restart();
        loop.run();
    }
    std::string loaded(const std::string& api = "api:1")
    {
        open(api);
        const auto state = file->load();
        return state ? text_of(*state) : "";
    }
    bool exists() const { return std::filesystem::exists(path); }
};

}  // namespace

TEST_SUITE("agent/link/state_file")
{
    TEST_CASE("a state is read as it was written")
    {
        const auto state = some_state();
        const auto read = link::decode_state(link::encode(state));
        REQUIRE(read.has_value());
        CHECK(text_of(*read) == text_of(state));
    }

    TEST_CASE("what is damaged, cut or of somebody else is no state")
    {
        const std::string whole = link::encode(some_state());
        const auto reason = [](const std::string& content) {
            const auto state = link::decode_state(content);
            return state ? std::string{"read"} : state.error().message;
        };
        CHECK(reason(whole) == "read");
        CHECK(reason("") == "it is no state file of this version");
        CHECK(reason("sonde-api-state 2" + whole.substr(17)).find("version") != std::string::npos);
        CHECK(reason("{\"checks\":[]}").find("version") != std::string::npos);
        CHECK(reason("sonde-api-state 1 \n") == "its first line is damaged");
        CHECK(reason("sonde-api-state 1 00000000").find("first line") != std::string::npos);
        CHECK(reason("sonde-api-state 1 00000000 0\n") == "read");  // the state of nobody
        CHECK(reason(whole + "x").find("instead of") != std::string::npos);
        for (std::size_t size = 0; size < whole.size(); size += 7)
            CHECK(reason(whole.substr(0, size)) != "read");
        for (std::size_t at = 0; at < whole.size(); at += 5) {
            std::string damaged = whole;
            damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
            CAPTURE(at);
            CHECK(reason(damaged) != "read");
        }
    }

    TEST_CASE_FIXTURE(Fixture, "what was told is kept, for nobody else to read")
    {
        open();
        CHECK_FALSE(file->load().has_value());
        tell(some_state());
        save();
        CHECK(mode_of(path) == 0600);
        CHECK(mode_of(folder.path("state")) == 0700);
        CHECK_FALSE(std::filesystem::exists(path + ".new"));
        auto expected = some_state();
        std::swap(expected.checks[0], expected.checks[1]);  // in the order of their ids
        std::swap(expected.tenants[0], expected.tenants[1]);
        CHECK(loaded() == text_of(expected));
    }

    TEST_CASE_FIXTURE(Fixture, "what a killed process left half-written is no obstacle")
    {
        std::filesystem::create_directory(folder.path("state"));
        folder.write("state/api.state.new", "half");
        std::filesystem::permissions(path + ".new", std::filesystem::perms{0644});
        open();
        tell(some_state());
        save();
        CHECK(mode_of(path) == 0600);
        CHECK_FALSE(loaded().empty());
    }

    TEST_CASE_FIXTURE(Fixture, "a tenant without checks is not kept, nor a check that is gone")
    {
        open();
        tell(some_state());
        file->forget_check(-2003);
        file->forget_check(99);
        save();
        auto expected = some_state();
        expected.checks.pop_back();
        expected.tenants.pop_back();
        CHECK(loaded() == text_of(expected));
    }

    TEST_CASE_FIXTURE(Fixture, "before the API has told its probe the file stays as it is")
    {
        open();
        tell(some_state());
        save();
        const std::string before = content_of(path);
        open();
        file->keep(whole_tenant(5));
        save();
        CHECK(content_of(path) == before);
    }

    TEST_CASE_FIXTURE(Fixture, "another API's state is ignored, and damage, with a warning")
    {
        open();
        tell(some_state());
        save();
        const LogCapture log;
        CHECK(loaded("other:1").empty());
        CHECK(log.count("it is from another API, api:1") == 1);
        std::string content = content_of(path);
        content.back() = static_cast<char>(content.back() ^ 1);
        folder.write("state/api.state", content);
        CHECK(loaded().empty());
        CHECK(log.count("the state file is ignored") == 2);
        CHECK(log.count("checksum") == 1);
    }

    TEST_CASE_FIXTURE(Fixture, "changes are written some time after they come, together")
    {
        open();
        tasks.spawn(file->run());
        tell(some_state());
        while (!exists())
            loop.run_one_for(5ms);
        const std::string first = content_of(path);
        pb::Check changed = idle_check(1, 11);
        file->keep(changed);
        while (content_of(path) == first)
            loop.run_one_for(5ms);
        tasks.cancel();
        loop.restart();
        loop.run();
        CHECK(tasks.empty());
        const auto written = std::filesystem::last_write_time(path);
        file->keep(changed);  // nothing new
        save();
        CHECK(std::filesystem::last_write_time(path) == written);
    }

    TEST_CASE_FIXTURE(Fixture, "a file that cannot be written is tried again, and said once")
    {
        folder.write("state", "no folder");
        open();
        const LogCapture log;
        tasks.spawn(file->run());
        tell(some_state());
        while (log.count("what the API says is not kept") == 0)
            loop.run_one_for(5ms);
        for (int i = 0; i < 20; ++i)
            loop.run_one_for(5ms);
        CHECK(log.count("what the API says is not kept") == 1);
        std::filesystem::remove(folder.path("state"));
        while (!exists())
            loop.run_one_for(5ms);
        while (log.count("is kept again") == 0)
            loop.run_one_for(5ms);
        tasks.cancel();
        loop.restart();
        loop.run();
    }
}
