#include "agent/schedule/clock.h"

#include <doctest/doctest.h>

using namespace sonde::schedule;
using namespace std::chrono_literals;

TEST_SUITE("agent/schedule/clock")
{
    TEST_CASE("the host's clocks: both go forward, and the wall clock is that of the system")
    {
        const Clocks clocks = host_clocks();
        const auto before = clocks.running();
        CHECK(clocks.running() >= before);
        const auto wall = clocks.wall() - std::chrono::system_clock::now().time_since_epoch();
        CHECK(std::chrono::abs(wall) < 1min);
    }

    TEST_CASE("it runs on steadily when the wall clock is set, until told to follow")
    {
        std::chrono::nanoseconds running = 5h;
        std::chrono::nanoseconds wall = 1'767'268'800s;
        WallClock clock{{[&] { return running; }, [&] { return wall; }}};
        CHECK((clock.now() == Time{wall}));
        running += 10s;
        wall += 10s + 1h;
        CHECK((clock.now() == Time{wall - 1h}));
        CHECK((clock.ahead() == 1h));
        clock.follow(1h);
        CHECK((clock.now() == Time{wall}));
        CHECK((clock.ahead() == 0ns));
    }

    TEST_CASE("a process that is stopped between two readings sees no step")
    {
        std::chrono::nanoseconds running = 5h;
        std::chrono::nanoseconds wall = 1'767'268'800s;
        int stop_in = 0;
        WallClock clock{{[&] { return running; },
            [&] {
                if (--stop_in == 0) {
                    running += 1h;
                    wall += 1h;
                }
                return wall;
            }}};
        stop_in = 1;
        CHECK((clock.ahead() == 0ns));
        CHECK((clock.now() == Time{wall}));
    }
}
