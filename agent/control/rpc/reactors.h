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

/// A server stream written from the loop. gRPC's callbacks only post; between them and the loop's
/// coroutine it is shared, and goes when both are done with it.
template <class Message>
class WriteStream final : public grpc::ServerWriteReactor<Message>,
                          public std::enable_shared_from_this<WriteStream<Message>> {
public:
    explicit WriteStream(const asio::any_io_executor& loop) : work_{loop}, news_{loop} {}

    /// Keeps itself alive until gRPC is done.
    grpc::ServerWriteReactor<Message>* start()
    {
        self_ = this->shared_from_this();
        return this;
    }

    bool over() const { return over_; }  ///< the client has gone

    /// Something to look at: ends await_news().
    void wake()
    {
        woken_ = true;
        news_.cancel();
    }

    /// Until wake(), the client's leaving, or then.
    asio::awaitable<void> await_news(std::chrono::steady_clock::time_point until)
    {
        while (!std::exchange(woken_, false) && !over_ && std::chrono::steady_clock::now() < until)
            co_await rest(until);
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
    asio::awaitable<void> rest(std::chrono::steady_clock::time_point until)
    {
        boost::system::error_code woken;
        news_.expires_at(until);
        co_await news_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error{asio::error::operation_aborted};
    }
    void OnWriteDone(bool ok) override
    {
        asio::post(work_.get_executor(), [self = this->shared_from_this(), ok] {
            self->written_ = ok;
            self->news_.cancel();
        });
    }
    void OnCancel() override
    {
        asio::post(work_.get_executor(), [self = this->shared_from_this()] {
            self->over_ = true;
            self->news_.cancel();
        });
    }
    void OnDone() override
    {
        asio::post(work_.get_executor(), [self = this->shared_from_this()] {
            self->over_ = true;
            self->news_.cancel();
            self->self_.reset();
        });
    }

    asio::executor_work_guard<asio::any_io_executor> work_;
    asio::steady_timer news_;
    std::shared_ptr<WriteStream> self_;
    Message outgoing_;
    std::optional<bool> written_;
    bool woken_ = false;
    bool over_ = false;
    bool finished_ = false;
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
