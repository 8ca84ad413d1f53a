#pragma once

#include "agent/link/read_message.h"
#include "agent/link/registration.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace sonde::link {

namespace asio = boost::asio;

/// What every call to the API carries (spec 01 §1.1). A token that would end the process inside
/// gRPC is left out: the API then says what it lacks.
inline void authorize(grpc::ClientContext& context, const std::string& token)
{
    if (check_token(token))
        context.AddMetadata("authorization", "Bearer " + token);
}

/// A unary gRPC call awaited. Lives until gRPC has called back, whether somebody still waits or
/// not.
template <class Request, class Response>
struct GrpcCall {
    GrpcCall(const asio::any_io_executor& loop, const std::string& token,
        std::chrono::milliseconds limit)
        : work{loop}, done{loop, 1}
    {
        authorize(context, token);
        context.set_deadline(std::chrono::system_clock::now() + limit);
    }

    asio::executor_work_guard<asio::any_io_executor> work;
    asio::experimental::channel<void(boost::system::error_code, grpc::Status)> done;
    grpc::ClientContext context;
    Request request;
    grpc::ByteBuffer received;  // a generated stub says OK to an answer that it cannot read
    Response response;
};

/// Begins a prepared call of `method`, "/package.Service/Method", and awaits its end. Cancelling
/// cancels the call. @return its status, INTERNAL when the answer cannot be read; the response is
/// in the call.
template <class Request, class Response>
asio::awaitable<grpc::Status> finish(std::shared_ptr<grpc::Channel> channel, std::string method,
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
    grpc::TemplatedGenericStub<Request, grpc::ByteBuffer> stub{std::move(channel)};
    stub.UnaryCall(
        &call->context, method, {}, &call->request, &call->received, std::move(callback));
    const grpc::Status status = co_await call->done.async_receive(asio::use_awaitable);
    if (status.ok() && !read_message(call->received, call->response))
        co_return grpc::Status{grpc::StatusCode::INTERNAL, "the answer cannot be read"};
    co_return status;
}

}  // namespace sonde::link
