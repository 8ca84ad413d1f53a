// The publisher with a journal: limits, and disks that fail.
#include "tests/unit/exporters/durable_fixture.h"

#include <boost/asio/post.hpp>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <future>

using namespace sonde;
using namespace sonde::exporters;
using namespace std::chrono_literals;

namespace {

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

TEST_SUITE_BEGIN("exporters/durable_disk");

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
    publisher->reconfigure(config, journal);  // the same again, before a job has taken them
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

TEST_CASE_FIXTURE(DurableFixture, "a gap is one, however often a full disk does not take it")
{
    config.max_queue_bytes = 500;
    refuse_all(503);
    open();
    publish_many(0, 20);
    until_written();
    {
        const FullDisk full{static_cast<std::size_t>(metric("sonde_journal_bytes"))};
        for (int i = 20; i < 220; ++i) {  // one write each
            const double errors = metric("sonde_journal_write_errors_total");
            publish(1, 1000 * i);
            until([&] { return metric("sonde_journal_write_errors_total") > errors; });
        }
    }
    CHECK(lost() > 100);
    const auto number = [](const std::vector<Gap>& gaps) {
        return std::ranges::count(gaps, GapReason::memory_full, &Gap::reason);
    };
    const auto gaps = number(publisher->ledger().recent_gaps());
    end(1s);
    CHECK(number(Journal::inspect(directory)->gaps) <= gaps + 3);  // one may grow once it is there
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

TEST_SUITE_END();
