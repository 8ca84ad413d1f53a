// The options are read again while something else is under way, which must not notice.
#include "tests/faults/program.h"
#include "tests/support/push_receiver.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>
#include <initializer_list>

using namespace sonde;
using namespace std::chrono_literals;
using tests::PushReceiver;

namespace {

/// A probe with a check of its own, once a second.
struct Measuring {
    PushReceiver remote;
    tests::Program program;

    std::string options(const PushReceiver& to, const std::string& more = "") const
    {
        return program.head("allow_reload: true") +
               fmt::format("tenants: [{{metrics: {{push_url: \"{}\"}}}}]\n{}checks: [{}]\n",
                   to.url("/metrics"), more, check("kept"));
    }
    std::string check(const char* job) const
    {
        return fmt::format("{{job: {}, target: \"127.0.0.1:{}\", frequency: 1000, timeout: 1000, "
                           "settings: {{tcp: {{}}}}}}",
            job, remote.port());
    }
    void start()
    {
        program.configure(options(remote));
        program.start();
        await_runs(remote, "kept");
    }
    void await_runs(const PushReceiver& at, const char* job) const
    {
        const auto runs = [&] { return at.samples("probe_success", job).size(); };
        const auto before = runs();
        tests::await(
            fmt::format("{} runs\n{}", job, program.log()), [&] { return runs() >= before + 2; });
    }
};

/// From the first due time to the last all have arrived, each once, whoever took them.
void is_whole(std::initializer_list<const PushReceiver*> takers)
{
    PushReceiver::Times all;
    for (const PushReceiver* taker : takers)
        for (const auto& [at, times] : taker->samples("probe_success", "kept"))
            all[at] += times;
    REQUIRE_FALSE(all.empty());
    for (auto at = all.begin()->first; at <= all.rbegin()->first; at += 1000) {
        CAPTURE(at);
        CHECK(all[at] == 1);
    }
}

}  // namespace

TEST_SUITE_BEGIN("faults/reload_under_way");

TEST_CASE("while a file is being read, checks run on time and others are answered")
{
    Measuring life;
    life.start();
    const std::string slow = life.program.folder().path("slow.yaml");
    REQUIRE(::mkfifo(slow.c_str(), 0600) == 0);  // its reader waits for somebody who writes
    life.program.configure(life.options(life.remote, fmt::format("checks_files: [{}]\n", slow)));
    auto reply = std::async(std::launch::async, [&] { return life.program.post("/-/reload"); });
    int writing = -1;
    tests::await("it is being read", [&] {
        writing = ::open(slow.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        return writing >= 0;
    });
    life.await_runs(life.remote, "kept");
    CHECK(life.program.get("/live").status == 200);
    CHECK(life.program.post("/-/reload").status == 409);
    const std::string check = life.check("new") + "\n";
    CHECK(::write(writing, check.data(), check.size()) == static_cast<ssize_t>(check.size()));
    ::close(writing);
    CHECK(reply.get().status == 200);
    life.await_runs(life.remote, "new");
    CHECK(life.program.stop() == 0);
    is_whole({&life.remote});
}

TEST_CASE("a remote changes while a request to it is under way: together both have all, each once")
{
    Measuring life;
    PushReceiver other;
    life.start();
    life.remote.answer({.after = 1500ms});
    const auto before = life.remote.totals().requests;
    tests::await("a request is under way", [&] { return life.remote.totals().requests > before; });
    life.program.configure(life.options(other));
    CHECK(life.program.post("/-/reload").status == 200);
    life.await_runs(other, "kept");
    const auto last = life.remote.samples("probe_success", "kept").size();
    life.await_runs(other, "kept");
    CHECK(life.remote.samples("probe_success", "kept").size() == last);
    CHECK(life.program.stop() == 0);
    is_whole({&life.remote, &other});
}

TEST_SUITE_END();
