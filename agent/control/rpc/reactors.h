#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sonde::control {

namespace asio = boost::asio;

/// A unary call to be answered from the loop; answered UNAVAILABLE when nobody does.
class UnaryCall {
public:
    explicit UnaryCall(grpc::ServerUnaryReactor* reactor) : reactor_{reactor} {}
    UnaryCall(UnaryCall&& other) noexcept : reactor_{std::exchange(other.reactor_, nullptr)} {}
    UnaryCall& operator=(UnaryCall&&) = delete;
    ~UnaryCall()
    {
        if (reactor_)
            reactor_->Finish({grpc::StatusCode::UNAVAILABLE, "shutting down"});
    }
    void finish(const grpc::Status& status) { std::exchange(reactor_, nullptr)->Finish(status); }

private:
    grpc::ServerUnaryReactor* reactor_;
};

/// What the coroutine of a stream waits for. Loop thread only.
class StreamEvents {
public:
    explicit StreamEvents(const asio::any_io_executor& loop) : event_{loop} {}

    bool over() const { return over_; }  ///< the client has gone

    /// Something to look at: ends await_news().
    void wake()
    {
        woken_ = true;
        event_.cancel();
    }

    /// Until wake(), the client's leaving, or then.
    asio::awaitable<void> await_news(std::chrono::steady_clock::time_point until)
    {
        while (!std::exchange(woken_, false) && !over_ && std::chrono::steady_clock::now() < until)
            co_await rest(until);
    }

protected:
    ~StreamEvents() = default;

    asio::awaitable<void> rest(std::chrono::steady_clock::time_point until)
    {
        boost::system::error_code woken;
        event_.expires_at(until);
        co_await event_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error{asio::error::operation_aborted};
    }
    void end_rest() { event_.cancel(); }
    void set_over()
    {
        over_ = true;
        event_.cancel();
    }

private:
    asio::steady_timer event_;
    bool woken_ = false;
    bool over_ = false;
};

/// A server stream written from the loop. gRPC's callbacks only post; between them and the loop's
/// coroutine it is shared, and goes when both are done with it.
template <class Message>
class WriteStream final : public grpc::ServerWriteReactor<Message>,
                          public StreamEvents,
                          public std::enable_shared_from_this<WriteStream<Message>> {
public:
    explicit WriteStream(const asio::any_io_executor& loop) : StreamEvents{loop}, work_{loop} {}

    /// Keeps itself alive until gRPC is done.
    grpc::ServerWriteReactor<Message>* start()
    {
        self_ = this->shared_from_this();
        return this;
    }

    /// @return whether it went out.
    asio::awaitable<bool> write(Message message)
    {
        outgoing_ = std::move(message);
        written_.reset();
        this->StartWrite(&outgoing_);
        while (!written_)
            co_await rest(std::chrono::steady_clock::time_point::max());
        co_return *written_;
    }

    void finish(const grpc::Status& status)
    {
        if (!std::exchange(finished_, true))
            this->Finish(status);
    }

private:
    void OnWriteDone(bool ok) override
    {
        asio::post(work_.get_executor(), [self = this->shared_from_this(), ok] {
            self->written_ = ok;
            self->end_rest();
        });
    }
    void OnCancel() override
    {
        asio::post(work_.get_executor(), [self = this->shared_from_this()] { self->set_over(); });
    }
    void OnDone() override
    {
        asio::post(work_.get_executor(), [self = this->shared_from_this()] {
            self->set_over();
            self->self_.reset();
        });
    }

    asio::executor_work_guard<asio::any_io_executor> work_;
    std::shared_ptr<WriteStream> self_;
    Message outgoing_;
    std::optional<bool> written_;
    bool finished_ = false;
};

/// Ends a stream with UNAVAILABLE whatever happens: after OK agents would wait for ever, after
/// other codes back off ever longer (spec 01 §7.6, §8).
template <class Message>
struct EndOfStream {
    std::shared_ptr<WriteStream<Message>> stream;
    grpc::Status status{grpc::StatusCode::UNAVAILABLE, "the control plane is stopping"};
    explicit EndOfStream(std::shared_ptr<WriteStream<Message>> its_stream)
        : stream{std::move(its_stream)}
    {}
    EndOfStream(const EndOfStream&) = delete;
    EndOfStream& operator=(const EndOfStream&) = delete;
    ~EndOfStream() { stream->finish(status); }
};

/// The token of `authorization: Bearer TOKEN`; empty: none, or not one alone.
inline std::string token_of(const grpc::CallbackServerContext& context)
{
    const auto& metadata = context.client_metadata();
    if (metadata.count("authorization") != 1)
        return {};
    const auto value = metadata.find("authorization")->second;
    const std::string text{value.data(), value.size()};
    constexpr std::string_view scheme = "Bearer ";
    return text.starts_with(scheme) ? text.substr(scheme.size()) : std::string{};
}

}  // namespace sonde::control
