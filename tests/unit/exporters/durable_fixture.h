#pragma once

#include "exporters/journal.h"
#include "tests/support/scratch_folder.h"
#include "tests/unit/exporters/push_fixture.h"

#include <filesystem>

namespace sonde::exporters {

using namespace std::chrono_literals;

/// A publisher with a journal, and what its machine goes through.
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

}  // namespace sonde::exporters
