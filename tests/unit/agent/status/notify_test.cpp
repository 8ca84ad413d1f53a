// systemd's side of sd_notify(3): a datagram socket, and the variables it sets.
#include "agent/net/task_group.h"
#include "agent/status/notify.h"
#include "tests/support/loop.h"
#include "tests/support/scratch_folder.h"

#include <boost/asio/local/datagram_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

using namespace sonde;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using Datagrams = asio::local::datagram_protocol;
using status::Notifier;

namespace {

/// Who is notified.
class ServiceManager {
public:
    ServiceManager(asio::io_context& loop, const std::string& path)
        : socket_{loop, Datagrams::endpoint{path}}
    {
        socket_.non_blocking(true);
    }

    /// The next datagram; nothing when none has come.
    std::string heard()
    {
        std::array<char, 1000> bytes{};
        boost::system::error_code none;
        const std::size_t size = socket_.receive(asio::buffer(bytes), 0, none);
        return {bytes.data(), none ? 0 : size};
    }
    asio::awaitable<std::string> next()
    {
        std::array<char, 1000> bytes{};
        const std::size_t size =
            co_await socket_.async_receive(asio::buffer(bytes), asio::use_awaitable);
        co_return std::string(bytes.data(), size);
    }

private:
    Datagrams::socket socket_;
};

/// A variable of the environment, until the end of the test.
class Variable {
public:
    Variable(const char* name, std::optional<std::string> value) : name_{name}
    {
        if (const char* before = ::getenv(name))
            before_ = before;
        set(value);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() { set(before_); }

private:
    void set(const std::optional<std::string>& value)
    {
        if (value)
            ::setenv(name_, value->c_str(), 1);
        else
            ::unsetenv(name_);
    }

    const char* name_;
    std::optional<std::string> before_;
};

struct Notified {
    asio::io_context loop;
    tests::ScratchFolder folder;
    std::string path = folder.path("notify");
    ServiceManager manager{loop, path};
};

}  // namespace

TEST_SUITE("status/notify")
{
    TEST_CASE_FIXTURE(Notified, "each state is one datagram")
    {
        const Notifier notifier{path};
        notifier.ready();
        CHECK(manager.heard() == "READY=1");
        notifier.stopping();
        CHECK(manager.heard() == "STOPPING=1");
        notifier.alive();
        CHECK(manager.heard() == "WATCHDOG=1");
        CHECK(manager.heard() == "");
    }

    TEST_CASE_FIXTURE(Notified, "a reload comes with the monotonic time of its start")
    {
        const auto now = [] {
            timespec time{};
            ::clock_gettime(CLOCK_MONOTONIC, &time);
            return time.tv_sec * 1'000'000LL + time.tv_nsec / 1000;
        };
        const auto before = now();
        Notifier{path}.reloading();
        const auto after = now();
        const std::string heard = manager.heard();
        constexpr std::string_view head = "RELOADING=1\nMONOTONIC_USEC=";
        REQUIRE(heard.starts_with(head));
        const long long began = std::stoll(heard.substr(head.size()));
        CHECK(began >= before);
        CHECK(began <= after);
    }

    TEST_CASE_FIXTURE(Notified, "the environment names the socket, in either name space")
    {
        {
            const Variable socket{"NOTIFY_SOCKET", path};
            Notifier::from_environment().ready();
            CHECK(manager.heard() == "READY=1");
        }
        const std::string name = fmt::format("sonde-notify-{}", ::getpid());
        ServiceManager abstract{loop, std::string(1, '\0') + name};
        const Variable socket{"NOTIFY_SOCKET", "@" + name};
        Notifier::from_environment().ready();
        CHECK(abstract.heard() == "READY=1");
    }

    TEST_CASE("nobody to tell, or nobody there, is no obstacle")
    {
        const Variable none{"NOTIFY_SOCKET", std::nullopt};
        Notifier::from_environment().ready();
        const tests::ScratchFolder folder;
        for (const std::string& socket : {std::string{}, folder.path("nobody"),
                 "/" + std::string(107, 'x'), std::string{"vsock:2:1234"}, std::string{"@"}}) {
            CAPTURE(socket);
            Notifier{socket}.ready();
        }
    }

    TEST_CASE_FIXTURE(Notified, "a service manager with a full queue does not stop the daemon")
    {
        const Notifier notifier{path};
        std::size_t most = 0;  // what net.unix.max_dgram_qlen lets wait
        {
            Datagrams::socket filler{loop};
            filler.open();
            filler.non_blocking(true);
            boost::system::error_code full;
            while (!full && most < 100'000) {
                filler.send_to(asio::buffer("x", 1), Datagrams::endpoint{path}, 0, full);
                ++most;
            }
            REQUIRE(full == asio::error::would_block);
        }
        notifier.alive();
        for (std::size_t i = 1; i < most; ++i)
            CHECK(manager.heard() == "x");
        CHECK(manager.heard() == "");
        notifier.alive();
        CHECK(manager.heard() == "WATCHDOG=1");
    }

    TEST_CASE("the journal is where its device and inode are, whatever was inherited")
    {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        struct stat facts{};
        REQUIRE(::fstat(ends[1], &facts) == 0);
        {
            const Variable none{"JOURNAL_STREAM", std::nullopt};
            CHECK_FALSE(status::leads_to_journal(ends[1]));
        }
        const std::string here = fmt::format("{}:{}", facts.st_dev, facts.st_ino);
        for (const std::string& other : {std::string{}, std::string{"8:1"}, here + "0"}) {
            CAPTURE(other);
            const Variable elsewhere{"JOURNAL_STREAM", other};
            CHECK_FALSE(status::leads_to_journal(ends[1]));
        }
        const Variable journal{"JOURNAL_STREAM", here};
        CHECK(status::leads_to_journal(ends[1]));
        ::close(ends[0]);
        ::close(ends[1]);
        CHECK_FALSE(status::leads_to_journal(ends[1]));
    }

    TEST_CASE("the watchdog's time is ours only with our process number")
    {
        struct Row {
            std::optional<std::string> usec;
            std::optional<std::string> pid;
            std::optional<std::chrono::microseconds> expected;
        };
        const std::string us = std::to_string(::getpid());
        const Row table[] = {
            {std::nullopt, std::nullopt, std::nullopt},
            {"30000000", std::nullopt, 30s},
            {"30000000", us, 30s},
            {"30000000", "1", std::nullopt},
            {"30000000", "", std::nullopt},
            {"1", us, 1us},
            {"0", us, std::nullopt},
            {"-1", us, std::nullopt},
            {"", us, std::nullopt},
            {"30s", us, std::nullopt},
            {"99999999999999999999", us, std::nullopt},
        };
        for (const auto& [usec, pid, expected] : table) {
            CAPTURE(usec.value_or("none"));
            CAPTURE(pid.value_or("none"));
            const Variable timeout{"WATCHDOG_USEC", usec};
            const Variable process{"WATCHDOG_PID", pid};
            CHECK((status::watchdog_timeout() == expected));
        }
    }

    TEST_CASE_FIXTURE(Notified, "the watchdog is fed while the schedule is on time, and only then")
    {
        int asked = 0;
        const auto on_time = [&] {
            ++asked;
            return asked <= 2 || asked > 5;
        };
        status::Watchdog watchdog{Notifier{path}, 2ms, on_time};
        net::TaskGroup tasks{loop.get_executor()};
        tasks.spawn(watchdog.run());
        const std::pair<int, const char*> table[] = {
            {1, "the first at once"}, {2, "another after half the time"}, {6, "none while late"}};
        for (const auto& [number, what] : table) {
            CAPTURE(what);
            CHECK(tests::await(loop, manager.next()) == "WATCHDOG=1");
            CHECK(asked >= number);
        }
        tasks.cancel();
        loop.restart();
        loop.run_for(5s);
        CHECK(tasks.empty());
    }
}
