#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace sonde::link {

namespace asio = boost::asio;

/// A unary gRPC call awaited. Lives until gRPC has called back, whether somebody still waits or
/// not.
template <class Request, class Response>
struct GrpcCall {
    explicit GrpcCall(const asio::any_io_executor& loop) : work{loop}, done{loop, 1} {}

    asio::executor_work_guard<asio::any_io_executor> work;
    asio::experimental::channel<void(boost::system::error_code, grpc::Status)> done;
    grpc::ClientContext context;
    Request request;
    Response response;
};

/// What every call to the API carries (spec 01 §1.1).
inline void authorize(grpc::ClientContext& context, const std::string& token)
{
    context.AddMetadata("authorization", "Bearer " + token);
}

/// Begins `method` of a stub's async() face with a prepared call and awaits its end. Cancelling
/// cancels the call. @return its status; the response is in the call.
template <class Async, class Request, class Response>
asio::awaitable<grpc::Status> finish(Async* stub,
    void (Async::*method)(
        grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>),
    std::shared_ptr<GrpcCall<Request, Response>> call)
{
    struct CancelAtEnd {  // of no effect once the call is over
        grpc::ClientContext& context;
        ~CancelAtEnd() { context.TryCancel(); }
    } const cancel_at_end{call->context};
    auto on_grpc_thread = [call](grpc::Status status) {
        asio::post(call->work.get_executor(), [call, status = std::move(status)]() mutable {
            call->done.try_send(boost::system::error_code{}, std::move(status));
        });
    };
    std::function<void(grpc::Status)> callback = std::move(on_grpc_thread);
    (stub->*method)(&call->context, &call->request, &call->response, std::move(callback));
    co_return co_await call->done.async_receive(asio::use_awaitable);
}

}  // namespace sonde::link
