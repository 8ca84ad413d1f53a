// The real binary, a remote that misbehaves, and a machine that does: every run that was due has
// arrived, or stands in a gap that says why it has not.
#include "tests/faults/agent.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mount.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>

using namespace sonde;
using namespace std::chrono_literals;
using tests::FaultyLife;

namespace {

constexpr std::size_t checks = 8;

/// How long a fault lasts: until so many due times of each check have passed.
void let_pass(std::chrono::milliseconds time)
{
    ::poll(nullptr, 0, static_cast<int>(time.count()));
}

void has_run(const FaultyLife& life, double runs)
{
    tests::await(
        "the checks run", [&] { return life.metric("sm_agent_scraper_operations_total") >= runs; });
}

void is_whole(const FaultyLife& life, std::size_t most_missing)
{
    const auto balance = life.balance();
    const auto totals = life.remote.totals();
    MESSAGE(
        fmt::format("{} runs were due, {} arrived, {} are in gaps; {} samples, {} of them twice; "
                    "{} lines, {} of them twice",
            balance.scheduled, balance.delivered, balance.missing, totals.samples,
            totals.doubled_samples, totals.lines, totals.doubled_lines));
    CHECK_MESSAGE(balance.unexplained == 0, life.log());
    CHECK(balance.contradicted == 0);
    CHECK(balance.missing <= most_missing);
    CHECK(totals.conflicting == 0);
    CHECK(totals.unreadable == 0);
}

int kills()
{
    const char* asked = std::getenv("SONDE_KILLS");
    return asked == nullptr ? 8 : std::atoi(asked);
}

}  // namespace

TEST_SUITE_BEGIN("faults");

TEST_CASE("killed again and again: what arrived and what is missing are all that was due")
{
    FaultyLife life{checks};
    std::mt19937 random{20'231};
    std::uniform_int_distribution<int> moment{1, 1500};
    const int rounds = kills();
    for (int round = 0; round < rounds; ++round) {
        life.start();
        let_pass(std::chrono::milliseconds{moment(random)});
        life.kill();
    }
    life.start();
    has_run(life, checks);
    life.await_delivery();
    CHECK(life.stop() == 0);
    is_whole(life, std::size_t(rounds + 1) * checks * 3);
    const auto totals = life.remote.totals();
    // A request under way when the process dies may have arrived: it is sent again, byte by byte.
    CHECK(totals.doubled_samples <= totals.samples / 2);
}

TEST_CASE("a remote that is down for a while costs nothing")
{
    FaultyLife life{checks};
    life.start();
    has_run(life, checks);
    life.remote.go_down();
    has_run(life, 5 * checks);
    life.remote.come_up();
    has_run(life, 7 * checks);
    life.await_delivery();
    CHECK(life.stop() == 0);
    is_whole(life, checks);
    CHECK(life.remote.totals().doubled_samples == 0);
    CHECK(life.remote.totals().doubled_lines == 0);
}

TEST_CASE("the process ends while the remote is down: its next life delivers")
{
    FaultyLife life{checks, "publisher: {shutdown_flush: 200ms}\n"};
    life.remote.go_down();
    life.start();
    has_run(life, 3 * checks);
    CHECK(life.stop() == 0);
    life.remote.come_up();
    life.start();
    life.await_delivery();
    CHECK(life.stop() == 0);
    is_whole(life, 4 * checks);  // while it was not there, and in its last moments
    CHECK(life.remote.totals().doubled_samples == 0);
}

TEST_CASE("refusals that pass cost nothing")
{
    FaultyLife life{checks};
    life.start();
    has_run(life, checks);
    for (const int status : {500, 503, 408}) {
        life.remote.answer({.status = status, .keep = false});
        const auto before = life.remote.totals().requests;
        tests::await("somebody is refused", [&] { return life.remote.totals().requests > before; });
        has_run(life, life.metric("sm_agent_scraper_operations_total") + checks);
    }
    life.remote.answer({});
    has_run(life, life.metric("sm_agent_scraper_operations_total") + checks);
    life.await_delivery();
    CHECK(life.stop() == 0);
    is_whole(life, checks);
    CHECK(life.remote.totals().doubled_samples == 0);
}

TEST_CASE("answers that come too late: what may be there twice is counted")
{
    FaultyLife life{checks, "publisher: {request_timeout: 200ms}\n"};
    life.start();
    has_run(life, checks);
    life.remote.answer({.after = 350ms});
    has_run(life, 4 * checks);
    life.remote.answer({});
    has_run(life, 6 * checks);
    life.await_delivery();
    const double uncertain = life.metric("sonde_publisher_uncertain_total");
    CHECK(life.stop() == 0);
    is_whole(life, checks);
    CHECK(life.remote.totals().doubled_samples > 0);
    CHECK(uncertain > 0);
}

TEST_CASE("a stopped process accounts for the time it was away")
{
    FaultyLife life{checks};
    life.start();
    has_run(life, 2 * checks);
    life.freeze();
    let_pass(3500ms);
    life.thaw();
    has_run(life, 5 * checks);
    life.await_delivery();
    CHECK(life.stop() == 0);
    is_whole(life, 5 * checks);
}

TEST_CASE("a full disk: what memory holds arrives, the rest is told")
{
    FaultyLife life{checks};
    std::filesystem::create_directories(life.directory());
    if (::mount("tmpfs", life.directory().c_str(), "tmpfs", 0, "size=96k,mode=0700") != 0) {
        MESSAGE("left out: only root may mount a small disk");
        return;
    }
    struct Unmount {
        std::string where;
        ~Unmount() { ::umount2(where.c_str(), MNT_DETACH); }
    } const unmount{life.directory()};
    life.start();
    has_run(life, checks);
    life.remote.go_down();
    tests::await(
        "the disk is full", [&] { return life.metric("sonde_journal_write_errors_total") > 0; });
    has_run(life, life.metric("sm_agent_scraper_operations_total") + 2 * checks);
    life.remote.come_up();
    life.await_delivery();
    has_run(life, life.metric("sm_agent_scraper_operations_total") + checks);
    life.await_delivery();
    CHECK(life.stop() == 0);
    is_whole(life, checks);
}

TEST_SUITE_END();
