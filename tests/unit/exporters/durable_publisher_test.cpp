// The publisher with a journal: restarts, outages longer than memory, disks that fail.
#include "exporters/journal.h"
#include "tests/support/scratch_folder.h"
#include "tests/unit/exporters/push_fixture.h"

#include <boost/asio/post.hpp>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>

using namespace sonde;
using namespace sonde::exporters;
using namespace std::chrono_literals;

namespace {

struct DurableFixture : PushFixture {
    tests::ScratchFolder folder;
    std::string directory = folder.path("journal");
    int copies = 0;

    DurableFixture() { journal.max_age = std::chrono::hours{24 * 365 * 200}; }  // due in 1970
    ~DurableFixture()
    {
        if (publisher)
            end(0ms);
    }

    void open()
    {
        const auto opened = start_with(directory);
        REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().message));
    }

    /// The machine goes on with what the files held at this moment, as after a SIGKILL.
    void kill()
    {
        const std::string copy = folder.path(fmt::format("copy{}", ++copies));
        std::filesystem::copy(directory, copy, std::filesystem::copy_options::recursive);
        end(0ms);
        directory = copy;
    }

    void refuse_all(int status)
    {
        usual = [status](const Push&) { return Reply{status}; };
    }
    void take_all()
    {
        usual = [](const Push&) { return Reply{}; };
    }

    void publish_many(int from, int to, bool with_logs = false)
    {
        for (int i = from; i < to; ++i) {
            publish(i % 3, 1000 * i, with_logs);
            if (i % 50 == 49)
                settle();
        }
    }
    void until_written()
    {
        const auto all = told.size();
        until([&] {
            const auto found = Journal::inspect(directory);
            return found && found->next_sequence == all + 1;
        });
    }

    double backlog() const { return metric("sonde_publisher_backlog_records"); }
    std::uint64_t lost() { return lane(Type::metrics).dropped; }

    void is_whole()
    {
        const auto [unexplained, contradicted] = unexplained_and_contradicted();
        CHECK(unexplained == 0);
        CHECK(contradicted == 0);
    }
};

/// Files cannot grow beyond a size meanwhile: the disk is full.
class FullDisk {
public:
    explicit FullDisk(std::size_t bytes)
    {
        std::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        rlimit small = before_;
        small.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &small);
    }
    ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }
    FullDisk(const FullDisk&) = delete;

private:
    rlimit before_{};
};

}  // namespace

TEST_SUITE_BEGIN("exporters/durable_publisher");

TEST_CASE_FIXTURE(
    DurableFixture, "with a journal everything arrives, once, and nothing waits afterwards")
{
    for (const auto sync_every : {0ms, 1ms, 1000ms}) {
        CAPTURE(sync_every.count());
        journal.sync_every = sync_every;
        stored.clear();
        told.clear();
        open();
        publish_many(0, 100, true);
        until([&] { return all_delivered(); });
        CHECK(samples_stored() == 100);
        CHECK(stored.size() == 200);
        CHECK(doubled() == 0);
        CHECK(metric("sonde_journal_bytes") > 0);
        CHECK(metric("sonde_journal_segments") >= 1);
        end(1s);
        open();
        CHECK(backlog() == 0);
        end(1s);
    }
}

TEST_CASE_FIXTURE(
    DurableFixture, "killed in the middle of an outage, its next life delivers everything")
{
    refuse_all(503);
    open();
    publish_many(0, 120, true);
    until_written();
    kill();
    pushes.clear();
    open();
    CHECK(backlog() == 240);
    CHECK(publisher->last_run({Origin::file, 2}) == 119'000);
    publish_many(120, 130, true);
    take_all();
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == 130);
    CHECK(stored.size() == 260);
    CHECK(doubled() == 0);
    CHECK(publisher->ledger().recent_gaps().empty());
}

TEST_CASE_FIXTURE(
    DurableFixture, "killed while it delivers: at most what was under way comes twice")
{
    open();
    config.request_bytes = 300;
    publisher->reconfigure(config, journal);
    publish_many(0, 60, true);
    until_written();
    until([&] { return samples_stored() > 20; });
    kill();
    open();
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == 60);
    CHECK(stored.size() == 120);
    CHECK(metric("sm_agent_publisher_drop_total") == 0);
}

TEST_CASE_FIXTURE(DurableFixture, "what cannot be sent before the end stays in the journal")
{
    refuse_all(503);
    open();
    publish_many(0, 50, true);
    end(50ms);
    take_all();
    open();
    CHECK(backlog() == 100);
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == 50);
    CHECK(doubled() == 0);
    CHECK(publisher->ledger().recent_gaps().empty());
}

TEST_CASE_FIXTURE(
    DurableFixture, "an outage longer than memory: the newest arrives first, then all")
{
    config.max_queue_bytes = 600;
    config.request_bytes = 200;
    refuse_all(503);
    open();
    publish_many(0, 300);
    until_written();
    until([&] { return backlog() > 250; });
    CHECK(metric("sonde_publisher_queue_bytes", {{"type", "metrics"}}) <= 600);
    CHECK(metric("sonde_publisher_backlog_bytes") > 0);
    take_all();
    pushes.clear();
    until([&] { return !stored.empty(); });
    CHECK(stored.begin()->first.time_ms > 200'000);
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == 300);
    CHECK(doubled() == 0);
    CHECK(lost() == 0);
}

TEST_CASE_FIXTURE(DurableFixture, "the backlog goes in order")
{
    refuse_all(503);
    open();
    publish_many(0, 200);
    end(0ms);
    config.request_bytes = 300;
    take_all();
    open();
    pushes.clear();
    until([&] { return all_delivered(); });
    std::int64_t last = -1;
    for (const Push& push : pushes)
        for (const Arrived& each : push.content) {
            CHECK(each.time_ms > last);
            last = each.time_ms;
        }
}

TEST_CASE_FIXTURE(DurableFixture,
    "a remote that takes nothing older than what it has: learned once, then in order")
{
    std::map<std::string, std::int64_t> newest;
    const auto strict = [&](const Push& push) {
        if (push.type == Type::logs)
            return Reply{};
        auto after = newest;
        for (const Arrived& each : push.content) {
            const auto [at, is_first] = after.try_emplace(each.of, each.time_ms);
            if (!is_first && each.time_ms < at->second)
                return Reply{400, "out of order sample"};
            at->second = each.time_ms;
        }
        newest = std::move(after);
        return Reply{};
    };
    config.max_queue_bytes = 600;
    config.request_bytes = 200;
    refuse_all(503);
    open();
    publish_many(0, 60);
    until([&] { return backlog() > 20; });
    usual = strict;
    until([&] { return all_delivered(); });
    const auto refused = lost();
    CHECK(refused > 20);
    CHECK(samples_stored() + refused == 60);
    is_whole();

    refuse_all(503);
    publish_many(60, 200);
    until([&] { return backlog() > 50; });
    usual = strict;
    until([&] { return all_delivered(); });
    CHECK(lost() == refused);
    CHECK(samples_stored() + refused == 200);
    CHECK(doubled() == 0);
}

TEST_CASE_FIXTURE(DurableFixture, "one poisoned record of a backlog is lost alone, and for good")
{
    refuse_all(503);
    open();
    publish_many(0, 60);
    end(0ms);
    usual = [](const Push& push) { return push.has(31'000) ? Reply{400, "bad label"} : Reply{}; };
    open();
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == 59);
    CHECK(lost() == 1);
    is_whole();
    end(1s);
    open();
    CHECK(backlog() == 0);
    CHECK(runs_in_gaps(publisher->ledger().recent_gaps(), GapReason::refused, Type::metrics) == 1);
}

TEST_CASE_FIXTURE(DurableFixture, "beyond the journal's size the oldest goes, each run in a gap")
{
    config.max_queue_bytes = 1000;
    config.request_bytes = 500;
    journal.max_bytes = 64 << 10;
    refuse_all(503);
    open();
    publish_many(0, 1500);
    until([&] { return lost() > 300; });
    take_all();
    until([&] { return all_delivered(); });
    CHECK(metric("sonde_publisher_lost_total", {{"reason", "journal_full"}}) ==
          static_cast<double>(lost()));
    CHECK(samples_stored() + lost() == 1500);
    CHECK(doubled() == 0);
    is_whole();
    end(1s);
    open();
    is_whole();  // the gaps are on disk, too
}

TEST_CASE_FIXTURE(DurableFixture, "what is too old for the journal goes, in a gap")
{
    journal.max_age = 1h;
    config.max_queue_bytes = 500;
    refuse_all(503);
    open();
    publish_many(0, 100);  // due long ago
    until([&] { return metric("sonde_publisher_lost_total", {{"reason", "too_old"}}) > 50; });
    take_all();
    until([&] { return all_delivered(); });
    CHECK(samples_stored() + lost() == 100);
    is_whole();
}

TEST_CASE_FIXTURE(DurableFixture, "limits can change while it runs")
{
    config.max_queue_bytes = 500;
    refuse_all(503);
    open();
    publish_many(0, 1000);
    CHECK(lost() == 0);
    config.max_queue_bytes = 400;
    journal.max_bytes = 64 << 10;
    publisher->reconfigure(config, journal);
    until([&] { return lost() > 100; });
    take_all();
    until([&] { return all_delivered(); });
    CHECK(samples_stored() + lost() == 1000);
    is_whole();
}

TEST_CASE_FIXTURE(DurableFixture, "a full disk costs nothing that memory holds")
{
    refuse_all(503);
    open();
    publish_many(0, 20, true);
    {
        const FullDisk full{static_cast<std::size_t>(metric("sonde_journal_bytes")) + 1000};
        publish_many(20, 200, true);
        until([&] { return metric("sonde_journal_write_errors_total") > 0; });
        take_all();
        until([&] { return all_delivered(); });
    }
    CHECK(samples_stored() == 200);
    CHECK(stored.size() == 400);
    CHECK(doubled() == 0);
    publish_many(200, 210, true);
    until([&] { return all_delivered(); });
    end(1s);
    open();
    CHECK(backlog() == 0);  // deliveries that could not be noted at once were noted later
    CHECK(publisher->ledger().recent_gaps().empty());
}

TEST_CASE_FIXTURE(
    DurableFixture, "a full disk and a full memory: what has to go is told, also to the next life")
{
    config.max_queue_bytes = 2000;
    config.request_bytes = 500;
    refuse_all(503);
    open();
    publish_many(0, 20);
    {
        const FullDisk full{static_cast<std::size_t>(metric("sonde_journal_bytes")) + 1000};
        publish_many(20, 400);
        until([&] {
            return metric("sonde_publisher_lost_total", {{"reason", "memory_full"}}) > 100;
        });
    }
    take_all();
    until([&] { return all_delivered(); });
    CHECK(samples_stored() + lost() == 400);
    is_whole();
    end(1s);
    open();
    is_whole();
}

TEST_CASE_FIXTURE(DurableFixture, "a damaged journal loses what was damaged, and tells")
{
    refuse_all(503);
    open();
    publish_many(0, 100);
    end(0ms);
    for (const auto& file : std::filesystem::recursive_directory_iterator{directory}) {
        if (!file.is_regular_file() || file.file_size() < 1000)
            continue;
        std::fstream bytes{file.path(), std::ios::in | std::ios::out | std::ios::binary};
        bytes.seekp(static_cast<std::streamoff>(file.file_size() / 2));
        bytes.write("damage", 6);
    }
    take_all();
    open();
    until([&] { return all_delivered(); });
    const auto gaps = publisher->ledger().recent_gaps();
    CHECK(samples_stored() < 100);
    CHECK(samples_stored() > 90);
    CHECK(samples_stored() + runs_in_gaps(gaps, GapReason::corrupted, Type::metrics) >= 100);
    CHECK(metric("sonde_publisher_lost_total", {{"reason", "corrupted"}, {"type", "metrics"}}) > 0);
}

TEST_CASE_FIXTURE(DurableFixture, "gaps and last runs survive")
{
    open();
    const CheckKey check{Origin::api, 77};
    publisher->record({check, {Origin::api, 1}, 1000, 5000, 5, true, true, GapReason::egress_down});
    end(1s);
    open();
    CHECK(publisher->last_run(check) == 5000);
    const auto gaps = publisher->ledger().recent_gaps();
    REQUIRE(gaps.size() == 1);
    CHECK(gaps[0].runs == 5);
    CHECK(gaps[0].reason == GapReason::egress_down);
}

TEST_CASE_FIXTURE(DurableFixture, "a run that has nothing to say is accounted for all the same")
{
    open();
    Payload silent;
    silent.tenant = {Origin::file, 1};
    silent.timestamp_ms = 9000;
    silent.run_of = CheckKey{Origin::file, 5};
    publisher->publish(silent);
    end(1s);
    open();
    CHECK(publisher->last_run({Origin::file, 5}) == 9000);
    CHECK(backlog() == 0);
}

TEST_CASE_FIXTURE(DurableFixture, "a disk that does not answer holds nothing up")
{
    timings.stuck = 20ms;
    open();
    std::promise<void> answered;
    asio::post(workers, [disk = answered.get_future().share()] { disk.wait(); });
    publish(1, 1000);
    std::int64_t due_ms = 1000;
    until([&] {
        publish(1, due_ms += 1000);
        return metric("sonde_journal_write_errors_total") > 0;
    });
    until([&] { return times_stored(1, due_ms) == 1; });
    CHECK(times_stored(1, 1000) == 0);  // is being written, for all we know
    answered.set_value();
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == told.size());
    CHECK(doubled() == 0);
}

TEST_CASE_FIXTURE(DurableFixture, "a journal that another process has is refused, with what to do")
{
    open();
    DurableFixture other;
    const auto opened = other.start_with(directory);
    REQUIRE(opened.has_error());
    CHECK(opened.error().reason == "journal_locked");
    CHECK(opened.error().message.starts_with("journal.directory: "));
}

TEST_CASE_FIXTURE(DurableFixture, "a directory that cannot be is refused, with what to do")
{
    const auto opened = start_with(folder.write("file", "in the way") + "/journal");
    REQUIRE(opened.has_error());
    CHECK(opened.error().message.find("journal.enabled") != std::string::npos);
}

TEST_CASE_FIXTURE(DurableFixture, "switched off, there is no journal")
{
    journal.enabled = false;
    open();
    publish(1, 1000);
    until([&] { return all_delivered(); });
    CHECK_FALSE(std::filesystem::exists(directory));
}

TEST_CASE_FIXTURE(DurableFixture, "what a tenant has no remote for does not stay in the journal")
{
    wants_logs = false;
    open();
    publish_many(0, 20, true);
    until([&] { return all_delivered(); });
    CHECK(lane(Type::logs).unwanted == 20);
    end(1s);
    wants_logs = true;
    open();
    CHECK(backlog() == 0);
    CHECK(publisher->ledger().recent_gaps().empty());
}

TEST_SUITE_END();
