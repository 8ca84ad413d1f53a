#include "tests/support/host_limits.h"
#include "tests/unit/exporters/journal_fixture.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <random>
#include <set>

using namespace sonde::exporters;

namespace {

/// While it lives, no file can grow beyond some size, as on a full disk.
class FullDisk {
public:
    explicit FullDisk(std::size_t bytes)
    {
        before_ = ::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &limit_);
        rlimit small = limit_;
        small.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &small);
    }
    ~FullDisk()
    {
        ::setrlimit(RLIMIT_FSIZE, &limit_);
        ::signal(SIGXFSZ, before_);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

private:
    rlimit limit_{};
    void (*before_)(int) = nullptr;
};

/// One thing that a writer says once it is so: a sequence number was written, or settled.
struct Word {
    std::uint64_t sequence = 0;
    std::uint64_t is_settled = 0;
};

void say(int pipe, std::uint64_t sequence, bool settled)
{
    const Word word{sequence, settled ? 1U : 0U};
    if (::write(pipe, &word, sizeof word) != sizeof word)
        ::_exit(2);
}

/// Writes entries, and settles some, until it is killed.
[[noreturn]] void write_forever(const Journal::Options& options, int pipe)
{
    auto opened = Journal::open(options, 0);
    if (!opened)
        ::_exit(1);
    auto& [journal, found] = *opened;
    for (auto next = found.next_sequence;; next += 3) {
        Journal::Batch batch = entries_of(next, next + 2, 400, 300);
        const bool settles = next > 12 && next % 2 == 0;
        if (settles)
            batch.settled = settled_of(next - 10, next - 7).settled;
        if (journal->write(batch, 0).failed)
            ::_exit(1);
        for (const auto& entry : batch.entries)
            say(pipe, entry.sequence, false);
        for (const auto& half : batch.settled)
            if (half.type == Type::logs)
                say(pipe, half.sequence, true);
    }
}

/// Starts a writer, kills it after it has said `words`, and listens to the last of them.
std::vector<Word> words_of_killed(const Journal::Options& options, std::size_t words)
{
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const auto child = ::fork();
    if (child == 0) {
        ::close(pipe[0]);
        write_forever(options, pipe[1]);
    }
    REQUIRE(child > 0);
    ::close(pipe[1]);
    std::vector<Word> said;
    Word word;
    while (::read(pipe[0], &word, sizeof word) == sizeof word) {
        said.push_back(word);
        if (said.size() == words)
            ::kill(child, SIGKILL);
    }
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    return said;
}

}  // namespace

TEST_SUITE("exporters")
{
    TEST_CASE_FIXTURE(
        JournalFixture, "what was written is there, once, whenever the process was killed")
    {
        options.segment_bytes = 8 << 10;
        std::mt19937 random{20240229};  // the same numbers every time
        std::set<std::uint64_t> expected;
        std::uint64_t highest = 0;
        for (int round = 0; round < 50; ++round) {
            CAPTURE(round);
            for (const auto [sequence, settled] : words_of_killed(options, 1 + random() % 150)) {
                if (settled != 0)
                    expected.erase(sequence);
                else
                    expected.insert(sequence);
                highest = std::max(highest, sequence);
            }
            const auto found = open();
            CHECK(found.found.empty());
            CHECK(found.next_sequence > highest);
            std::set<std::pair<std::uint64_t, Type>> waiting;
            for (const Waiting& half : found.waiting) {
                CHECK(waiting.emplace(half.sequence, half.type).second);
                CHECK(body(half.sequence, half.type) ==
                      block_of(half.sequence, half.type, half.bytes).body);
            }
            // Of its last write it may not have got to say anything, what it settled included.
            for (const auto sequence : expected) {
                CAPTURE(sequence);
                const auto age = found.next_sequence - sequence;
                if (age < 7 || age > 13)
                    CHECK(waiting.contains({sequence, Type::metrics}));
                CHECK(waiting.contains({sequence, Type::metrics}) ==
                      waiting.contains({sequence, Type::logs}));
            }
            expected.clear();
            if (round % 5 == 4)
                write(settled_of(1, highest + 10));
            else
                for (const Waiting& half : found.waiting)
                    expected.insert(half.sequence);
            journal.reset();
        }
        CHECK(highest > 1000);
    }

    TEST_CASE_FIXTURE(JournalFixture, "a journal can be looked at while another process writes it")
    {
        options.segment_bytes = 8 << 10;
        options.max_bytes = 1 << 20;
        std::array<int, 2> pipe{};
        REQUIRE(::pipe(pipe.data()) == 0);
        const auto child = ::fork();
        if (child == 0)
            write_forever(options, pipe[1]);
        REQUIRE(child > 0);
        Word word;
        for (int round = 0; round < 30; ++round) {
            CAPTURE(round);
            for (int i = 0; i < 50; ++i)
                REQUIRE(::read(pipe[0], &word, sizeof word) == sizeof word);
            const auto seen = Journal::inspect(options.directory);
            REQUIRE(seen.has_value());
            CHECK(seen->next_sequence > word.sequence);
            CHECK(seen->found.empty());
            CHECK_FALSE(seen->waiting.empty());
        }
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        ::close(pipe[0]);
        ::close(pipe[1]);
    }

    TEST_CASE_FIXTURE(JournalFixture, "without a free descriptor nothing of a batch is kept")
    {
        options.segment_bytes = 4096;
        open();
        write(entries_of(1, 1, 5000, 0));  // the next begins a segment
        {
            const sonde::tests::NoDescriptors none;
            const auto written = journal->write(entries_of(2, 2), 0);
            REQUIRE(written.failed);
            CHECK(written.failed->reason == "journal_io");
            CHECK(body(1, Type::metrics) == "journal_io");
        }
        write(entries_of(2, 2));
        CHECK(body(1, Type::metrics) == block_of(1, Type::metrics, 5000).body);
        CHECK(words_of(open().waiting) == "1m 2m 2l");
    }

    TEST_CASE_FIXTURE(JournalFixture, "a full disk takes all of a batch or nothing")
    {
        open();
        write(entries_of(1, 2, 1000, 1000));
        {
            const FullDisk full{6000};
            for (int i = 0; i < 3; ++i) {
                const auto written = journal->write(entries_of(3, 4, 1000, 1000), 0);
                REQUIRE(written.failed);
                CHECK(written.failed->reason == "disk_full");
                CHECK(written.failed->message.find("segment-0000000001: ") != std::string::npos);
                CHECK(journal->file_bytes() < 6000);
                CHECK(std::filesystem::file_size(files().back()) == journal->file_bytes());
            }
            CHECK(body(3, Type::logs) == "not_waiting");
            CHECK(body(2, Type::logs) == block_of(2, Type::logs, 1000).body);
            CHECK_FALSE(journal->write(entries_of(3, 3, 300, 300), 0).failed);
        }
        write(entries_of(4, 4));
        const auto found = open();
        CHECK(words_of(found.waiting) == "1m 1l 2m 2l 3m 3l 4m 4l");
        CHECK(found.torn_bytes == 0);
        CHECK(found.found.empty());
    }

    TEST_CASE_FIXTURE(
        JournalFixture, "what is settled while the disk is full makes room and is written later")
    {
        options.segment_bytes = 4096;
        open();
        for (std::uint64_t at = 1; at <= 9; ++at)
            write(entries_of(at, at, 1500, 0));
        REQUIRE(files().size() == 3);
        Journal::Batch batch = settled_of(1, 3);
        {
            const FullDisk full{0};
            CHECK_FALSE(journal->write(batch, 0).failed);
            CHECK(body(1, Type::metrics) == "not_waiting");
            CHECK(files().size() == 2);
            batch = settled_of(5, 5);
            CHECK_FALSE(journal->write(batch, 0).failed);
            CHECK(journal->write(entries_of(10, 10), 0).failed);
        }
        CHECK(words_of(Journal::inspect(options.directory)->waiting) == "4m 5m 6m 7m 8m 9m");
        write(entries_of(10, 10, 100, 0));
        CHECK(words_of(open().waiting) == "4m 6m 7m 8m 9m 10m");
    }
}
