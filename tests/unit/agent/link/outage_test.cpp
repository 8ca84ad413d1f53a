// What becomes of a session when the network fails, not the API.
#include "tests/unit/agent/link/link_fixture.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

using namespace sonde;
using namespace sonde::tests;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// The way between agent and API, which a test can cut or let swallow everything.
class Wire {
public:
    Wire(asio::io_context& loop, std::uint16_t api) : state_{std::make_shared<State>(loop, api)}
    {
        asio::co_spawn(loop, accept(state_), asio::detached);
    }
    ~Wire()
    {
        state_->acceptor.close();
        state_->close_all();
    }
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    std::uint16_t port() const { return state_->acceptor.local_endpoint().port(); }
    /// Connections end, and those that are made end at once.
    void cut()
    {
        state_->whole = false;
        state_->close_all();
    }
    void mend() { state_->whole = true; }
    /// Of the connections there are, nothing gets through any more.
    void swallow()
    {
        for (const auto& both : state_->all)
            both->swallowed = true;
    }
    int attempts() const { return state_->attempts; }      ///< while it was cut
    int from_agent() const { return state_->from_agent; }  ///< pieces of data

private:
    struct Connection {
        tcp::socket agent;
        tcp::socket api;
        bool swallowed = false;

        void close()
        {
            error_code ignored;
            agent.close(ignored);
            api.close(ignored);
        }
    };
    struct State {
        State(asio::io_context& loop, std::uint16_t port)
            : acceptor{loop, {asio::ip::address_v4::loopback(), 0}},
              api{asio::ip::address_v4::loopback(), port}
        {}
        void close_all()
        {
            for (const auto& both : all)
                both->close();
            all.clear();
        }

        tcp::acceptor acceptor;
        tcp::endpoint api;
        std::vector<std::shared_ptr<Connection>> all;
        bool whole = true;
        int attempts = 0;
        int from_agent = 0;
    };
    using StatePtr = std::shared_ptr<State>;

    static asio::awaitable<void> accept(StatePtr state)
    {
        for (;;) {
            const auto loop = state->acceptor.get_executor();
            const auto both =
                std::make_shared<Connection>(Connection{tcp::socket{loop}, tcp::socket{loop}});
            error_code failed;
            co_await state->acceptor.async_accept(
                both->agent, asio::redirect_error(asio::use_awaitable, failed));
            if (failed)
                co_return;
            if (!state->whole) {
                ++state->attempts;
                continue;
            }
            co_await both->api.async_connect(
                state->api, asio::redirect_error(asio::use_awaitable, failed));
            if (failed)
                co_return;
            state->all.push_back(both);
            asio::co_spawn(loop, pass_on(state, both, true), asio::detached);
            asio::co_spawn(loop, pass_on(state, both, false), asio::detached);
        }
    }

    static asio::awaitable<void> pass_on(
        StatePtr state, std::shared_ptr<Connection> both, bool to_api)
    {
        tcp::socket& from = to_api ? both->agent : both->api;
        tcp::socket& into = to_api ? both->api : both->agent;
        char bytes[16384];
        error_code failed;
        while (!failed) {
            const std::size_t size = co_await from.async_read_some(
                asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, failed));
            state->from_agent += to_api;
            if (!both->swallowed && !failed)
                co_await asio::async_write(into, asio::buffer(bytes, size),
                    asio::redirect_error(asio::use_awaitable, failed));
        }
        both->close();
    }

    StatePtr state_;
};

struct Fixture : LinkFixture {
    Wire wire{loop, api.port()};
    Fixture() { port = wire.port(); }
};

}  // namespace

TEST_SUITE("agent/link/outage")
{
    TEST_CASE_FIXTURE(Fixture, "an API that is away is tried again and again; checks go on")
    {
        api.set_checks({idle_check(1, 10)});
        start();
        until_on_schedule({{1, 10}});
        wire.cut();
        until([&] { return !link->connected(); });
        CHECK(metric("sm_agent_api_connection_status") == 0);
        until([&] { return wire.attempts() >= 3; });
        CHECK(on_schedule() == Known{{1, 10}});
        CHECK(link->ever_connected());
        wire.mend();
        until_sessions(2);
        CHECK(link->connected());
        CHECK(known_of(api.seen().followed[1]) == Known{{1, 10}});
    }

    TEST_CASE_FIXTURE(Fixture, "an API that is away at first is waited for")
    {
        wire.cut();
        start();
        until([&] { return wire.attempts() >= 2; });
        CHECK_FALSE(link->ever_connected());
        wire.mend();
        until_connected();
    }

    TEST_CASE_FIXTURE(Fixture, "a ping without an answer ends the session")
    {
        timings.answer_limit = 300ms;
        timings.ping_every = 1ms;
        api.next_ping({});
        api.next_ping({.never = true});
        start();
        until_sessions(2);
        CHECK(api.seen().pings[1] == 1);
        CHECK_FALSE(given_up);
    }

    TEST_CASE_FIXTURE(Fixture, "a registration without an answer is tried again")
    {
        timings.answer_limit = 300ms;
        api.next_register({.never = true});
        start();
        until_connected();
        CHECK(api.seen().registered.size() >= 2);
    }

    TEST_CASE_FIXTURE(Fixture, "a peer that has gone without a word is noticed, however late")
    {
        // Without pings of the protocol and without changes, HTTP/2's own are all there is. gRPC
        // sends at most one a second, and by itself no more than two in a row.
        timings.keepalive_after = 100ms;
        timings.keepalive_limit = 1s;
        api.next_ping({Code::unimplemented, "what?"});
        start();
        until_connected();
        until([&] { return api.seen().under_way == 1; });
        const int before = wire.from_agent();
        until([&] { return wire.from_agent() >= before + 5; });
        CHECK(api.seen().followed.size() == 1);
        wire.swallow();
        until_sessions(2);
    }
}
