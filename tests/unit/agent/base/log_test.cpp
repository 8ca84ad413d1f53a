#include "agent/base/log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <limits>
#include <optional>
#include <regex>
#include <sstream>
#include <thread>
#include <vector>

using namespace sonde;
using namespace std::string_view_literals;
using log::Format;
using log::Level;

namespace {

constexpr log::Logger logger{"room"};

/// A standard descriptor leads to another file as long as this lives.
class Redirected {
public:
    Redirected(int descriptor, int to) : descriptor_{descriptor}, kept_{::dup(descriptor)}
    {
        ::dup2(to, descriptor_);
    }
    Redirected(const Redirected&) = delete;
    Redirected& operator=(const Redirected&) = delete;
    ~Redirected()
    {
        ::dup2(kept_, descriptor_);
        ::close(kept_);
    }

private:
    int descriptor_;
    int kept_;
};

/// What `work` writes to one of the standard descriptors.
std::string logged(const std::function<void()>& work, int descriptor = STDERR_FILENO)
{
    std::fflush(nullptr);
    std::FILE* file = std::tmpfile();
    {
        const Redirected there{descriptor, ::fileno(file)};
        work();
        std::fflush(nullptr);
    }
    std::rewind(file);
    std::string out;
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file))
        out += static_cast<char>(c);
    std::fclose(file);
    return out;
}

/// What waits at the reading end of a pipe or socket.
std::string take_all(int descriptor)
{
    std::string out;
    char part[4096];
    pollfd asked{descriptor, POLLIN, 0};
    while (::poll(&asked, 1, 0) == 1) {
        const auto size = ::read(descriptor, part, sizeof part);
        if (size <= 0)
            break;
        out.append(part, static_cast<std::size_t>(size));
    }
    return out;
}

void log_all()
{
    logger.error("e");
    logger.warning("w");
    logger.info("i");
    logger.debug("d");
}

/// `lines` with their times replaced by TIME: those change from run to run.
std::string timeless(const std::string& lines)
{
    static const std::regex time{R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|\b\d{13}\b)"};
    return std::regex_replace(lines, time, "TIME");
}

// Before main, thus before any test configures the log.
const std::string never_configured = logged(log_all);

/// Leaves the log as a new process has it.
struct Log {
    ~Log() { log::configure(Level::warning, Format::text); }

    std::string write(Format format, std::string_view message, log::Logger::Fields fields = {},
        bool priorities = false)
    {
        log::configure(Level::trace, format, priorities);
        return timeless(logged([&] { logger.error(message, fields); }));
    }
};

/// The local time zone of the process, until the end of the test.
struct Zone {
    explicit Zone(const char* name)
    {
        if (const char* before = ::getenv("TZ"))
            before_ = before;
        ::setenv("TZ", name, 1);
        ::tzset();
    }
    ~Zone()
    {
        if (before_)
            ::setenv("TZ", before_->c_str(), 1);
        else
            ::unsetenv("TZ");
        ::tzset();
    }

private:
    std::optional<std::string> before_;
};

}  // namespace

TEST_SUITE("agent/base/log")
{
    TEST_CASE("before it is configured the log is text, of warnings and errors")
    {
        CHECK(timeless(never_configured) == "ts=TIME level=error subsystem=room msg=e\n"
                                            "ts=TIME level=warning subsystem=room msg=w\n");
    }

    TEST_CASE("the names of levels are read, and nothing else")
    {
        const std::pair<std::string_view, Level> table[] = {{"error", Level::error},
            {"warning", Level::warning}, {"info", Level::info}, {"debug", Level::debug},
            {"trace", Level::trace}};
        for (const auto& [name, level] : table) {
            CAPTURE(name);
            const auto parsed = log::parse_level(name);
            REQUIRE(parsed.has_value());
            CHECK(*parsed == level);
        }
        for (const std::string_view name :
            {"", "warn", "err", "ERROR", "Info", " info", "info ", "critical", "off", "0"}) {
            CAPTURE(name);
            const auto parsed = log::parse_level(name);
            REQUIRE(parsed.has_error());
            CHECK(parsed.error().reason == "bad_value");
            CHECK(parsed.error().message == '"' + std::string{name} +
                                                "\" is not one of error, warning, info, debug, "
                                                "trace");
        }
    }

    TEST_CASE_FIXTURE(Log, "a level lets itself and all graver ones through")
    {
        const std::string lines[] = {"ts=TIME level=error subsystem=room msg=e\n",
            "ts=TIME level=warning subsystem=room msg=w\n",
            "ts=TIME level=info subsystem=room msg=i\n",
            "ts=TIME level=debug subsystem=room msg=d\n"};
        const std::pair<Level, std::size_t> table[] = {{Level::error, 1}, {Level::warning, 2},
            {Level::info, 3}, {Level::debug, 4}, {Level::trace, 4}};
        for (const auto& [level, count] : table) {
            CAPTURE(count);
            log::configure(level, Format::text);
            std::string expected;
            for (std::size_t i = 0; i < count; ++i)
                expected += lines[i];
            CHECK(timeless(logged(log_all)) == expected);
        }
    }

    TEST_CASE_FIXTURE(Log, "under the journal each line begins with its priority")
    {
        log::configure(Level::trace, Format::text, true);
        CHECK(timeless(logged(log_all)) == "<3>ts=TIME level=error subsystem=room msg=e\n"
                                           "<4>ts=TIME level=warning subsystem=room msg=w\n"
                                           "<6>ts=TIME level=info subsystem=room msg=i\n"
                                           "<7>ts=TIME level=debug subsystem=room msg=d\n");
        log::configure(Level::trace, Format::text);
        CHECK(logged(log_all).find('<') == std::string::npos);
    }

    TEST_CASE_FIXTURE(Log, "a JSON line is one object with the reference agent's members")
    {
        const auto line = [](std::string_view level, std::string_view message) {
            return fmt::format(R"({{"level":"{}","program":"unit_base","subsystem":"room",)"
                               R"("time":TIME,"message":"{}"}})"
                               "\n",
                level, message);
        };
        log::configure(Level::trace, Format::json);
        CHECK(timeless(logged(log_all)) ==
              line("error", "e") + line("warn", "w") + line("info", "i") + line("debug", "d"));
        CHECK(write(Format::json, "e", {}, true) == "<3>" + line("error", "e"));
    }

    TEST_CASE_FIXTURE(Log, "fields keep their order; JSON has numbers and truths as such")
    {
        const std::string address = "127.0.0.1:80";
        const auto write_fields = [&](Format format) {
            return write(format, "push failed",
                {{"address", address}, {"status", 503}, {"offset", -7LL}, {"again", true},
                    {"wait_seconds", 0.25}, {"kind", "http"}, {"part", address.substr(0, 3)},
                    {"none", ""}});
        };
        CHECK(write_fields(Format::text) ==
              "ts=TIME level=error subsystem=room msg=\"push failed\" address=127.0.0.1:80 "
              "status=503 offset=-7 again=true wait_seconds=0.25 kind=http part=127 none=\n");
        CHECK(write_fields(Format::json) ==
              R"({"level":"error","program":"unit_base","subsystem":"room",)"
              R"("address":"127.0.0.1:80","status":503,"offset":-7,"again":true,)"
              R"("wait_seconds":0.25,"kind":"http","part":"127","none":"",)"
              R"("time":TIME,"message":"push failed"})"
              "\n");
    }

    TEST_CASE_FIXTURE(Log, "what JSON has no number for goes in quotes")
    {
        const log::Field table[] = {{"k", std::numeric_limits<double>::infinity()},
            {"k", std::numeric_limits<double>::quiet_NaN()}, {"k", 'c'}, {"k", "12"}};
        for (const log::Field& field : table) {
            CAPTURE(field.value);
            CHECK(write(Format::json, "m", {field}).find("\"k\":\"" + field.value + "\"") !=
                  std::string::npos);
        }
        CHECK(write(Format::json, "m", {{"k", 1e30}}).find("\"k\":1e+30,") != std::string::npos);
    }

    TEST_CASE_FIXTURE(Log, "whatever a value holds, it stays inside its quotes and its line")
    {
        struct Row {
            std::string_view value, text, json;
        };
        constexpr Row table[] = {
            {"plain", "plain", "plain"},
            {"a b", R"("a b")", "a b"},
            {"a\"b", R"("a\"b")", R"(a\"b)"},
            {"a\\ b", R"("a\\ b")", R"(a\\ b)"},
            {"a\nlevel=error", R"("a\nlevel=error")", R"(a\u000alevel=error)"},
            {"a\r\tb", R"("a\r\tb")", R"(a\u000d\u0009b)"},
            {"\0"sv, R"("\u0000")", R"(\u0000)"},
            {"\x1b[31m", R"("\u001b[31m")", R"(\u001b[31m)"},
            {"\x1f", R"("\u001f")", R"(\u001f)"},
            {"\x7f", R"("\u007f")", "\x7f"},
            {"{}%s\xc3\xb6", "{}%s\xc3\xb6", "{}%s\xc3\xb6"},
            {"a\xff", R"("a\ufffd")", "a\xef\xbf\xbd"},
        };
        for (const auto& [value, text, json] : table) {
            CAPTURE(text);
            CHECK(write(Format::text, value, {{"k", value}}) ==
                  fmt::format("ts=TIME level=error subsystem=room msg={} k={}\n", text, text));
            CHECK(write(Format::json, value, {{"k", value}}) ==
                  fmt::format(R"({{"level":"error","program":"unit_base","subsystem":"room",)"
                              R"("k":"{}","time":TIME,"message":"{}"}})"
                              "\n",
                      json, json));
        }
    }

    TEST_CASE_FIXTURE(Log, "keys are made safe too")
    {
        CHECK(write(Format::text, "m", {{"a=\n b", 1}}).ends_with(" ab=1\n"));
        CHECK(write(Format::json, "m", {{"a\"\n", 1}}).find(R"(,"a\"\u000a":1,)") !=
              std::string::npos);
    }

    TEST_CASE_FIXTURE(Log, "the time is now, in UTC whatever the local zone")
    {
        const Zone far_west{"TST+11"};
        log::configure(Level::error, Format::text);
        using namespace std::chrono;
        const auto before = floor<milliseconds>(system_clock::now());
        const std::string line = logged([] { logger.error("m"); });
        const auto after = system_clock::now();
        std::tm parts{};
        const char* rest = ::strptime(line.c_str(), "ts=%Y-%m-%dT%H:%M:%S.", &parts);
        REQUIRE(rest != nullptr);
        const auto time =
            system_clock::from_time_t(::timegm(&parts)) + milliseconds{std::atoi(rest)};
        CHECK(time >= before);
        CHECK(time <= after);
    }

    TEST_CASE_FIXTURE(Log, "lines of several threads do not mix")
    {
        constexpr int threads = 4;
        constexpr int each = 200;
        log::configure(Level::error, Format::json);
        const auto work = [] {
            for (int i = 0; i < each; ++i)
                logger.error("m", {{"k", std::string(100, 'x')}});
        };
        const std::string lines = timeless(logged([&] {
            std::vector<std::jthread> at_once;
            for (int i = 0; i < threads; ++i)
                at_once.emplace_back(work);
        }));
        const std::string expected =
            R"({"level":"error","program":"unit_base","subsystem":"room","k":")" +
            std::string(100, 'x') + R"(","time":TIME,"message":"m"})";
        std::istringstream in{lines};
        int whole = 0;
        for (std::string line; std::getline(in, line);)
            whole += line == expected ? 1 : 0;
        CHECK(whole == threads * each);
        CHECK(lines.size() == (expected.size() + 1) * threads * each);
    }

    TEST_CASE_FIXTURE(Log, "lines go where configure() says, and only there")
    {
        log::configure(Level::error, Format::text, false, log::Destination::standard_output);
        const auto work = [] { logger.error("m"); };
        CHECK(
            timeless(logged(work, STDOUT_FILENO)) == "ts=TIME level=error subsystem=room msg=m\n");
        CHECK(logged([&] { static_cast<void>(logged(work, STDOUT_FILENO)); }) == "");
        log::configure(Level::error, Format::text);
        CHECK(timeless(logged(work)) == "ts=TIME level=error subsystem=room msg=m\n");
    }

    TEST_CASE_FIXTURE(Log, "the level changes at run time, and its configured value is known")
    {
        log::configure(Level::error, Format::text);
        std::jthread{[] { log::set_level(Level::info); }}.join();
        CHECK(log::configured_level() == Level::error);
        CHECK(timeless(logged(log_all)) == "ts=TIME level=error subsystem=room msg=e\n"
                                           "ts=TIME level=warning subsystem=room msg=w\n"
                                           "ts=TIME level=info subsystem=room msg=i\n");
        log::set_level(log::configured_level());
        CHECK(timeless(logged(log_all)) == "ts=TIME level=error subsystem=room msg=e\n");
    }

    TEST_CASE_FIXTURE(Log, "a reader who has stopped costs lines, not the process")
    {
        for (const bool socket : {false, true}) {
            CAPTURE(socket);
            int ends[2];
            const int made =
                socket ? ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : ::pipe2(ends, O_CLOEXEC);
            REQUIRE(made == 0);
            log::configure(Level::error, Format::json);
            const auto before = log::dropped();
            constexpr int most = 10'000;
            int lines = 0;
            {
                const Redirected there{STDERR_FILENO, ends[1]};
                while (log::dropped() == before && ++lines < most)
                    logger.error("m", {{"k", std::string(300, 'x')}});
            }
            CHECK(lines < most);
            CHECK(log::dropped() == before + 1);

            // Once somebody reads again there are whole lines, and the torn one is by itself.
            const std::string taken = take_all(ends[0]);
            {
                const Redirected there{STDERR_FILENO, ends[1]};
                logger.error("again");
            }
            const std::string rest = take_all(ends[0]);
            CHECK(log::dropped() == before + 1);
            CHECK(rest.ends_with("\"message\":\"again\"}\n"));
            CHECK((taken.ends_with('\n') ? rest.front() == '{' : rest.starts_with("\n{")));
            ::close(ends[0]);
            ::close(ends[1]);
        }
    }

    TEST_CASE_FIXTURE(Log, "a line longer than a pipe takes at once arrives whole, or is counted")
    {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        log::configure(Level::error, Format::text);
        const auto before = log::dropped();
        for (const std::size_t size : {10'000UL, 1'000'000UL}) {
            const Redirected there{STDERR_FILENO, ends[1]};
            logger.error("m", {{"k", std::string(size, 'x')}});
            CHECK(log::dropped() == before + (size > 100'000 ? 1 : 0));
            CHECK(take_all(ends[0]).ends_with('\n') == (size < 100'000));
        }
        {
            const Redirected there{STDERR_FILENO, ends[1]};
            logger.error("m");
        }
        CHECK(timeless(take_all(ends[0])) == "\nts=TIME level=error subsystem=room msg=m\n");
        ::close(ends[0]);
        ::close(ends[1]);
    }

    TEST_CASE_FIXTURE(Log, "a full disk, a closed pipe and a closed descriptor cost lines only")
    {
        const auto handler = std::signal(SIGPIPE, SIG_IGN);  // as the daemon does
        log::configure(Level::error, Format::text);
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        ::close(ends[0]);
        const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
        for (const int descriptor : {full, ends[1]}) {
            const auto before = log::dropped();
            const Redirected there{STDERR_FILENO, descriptor};
            log_all();
            CHECK(log::dropped() == before + 1);
        }
        {
            const auto before = log::dropped();
            const Redirected restored{STDERR_FILENO, full};
            ::close(STDERR_FILENO);
            log_all();
            CHECK(log::dropped() == before + 1);
        }
        CHECK(timeless(logged(log_all)) == "ts=TIME level=error subsystem=room msg=e\n");
        ::close(full);
        ::close(ends[1]);
        std::signal(SIGPIPE, handler);
    }
}
