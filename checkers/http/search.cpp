#include "checkers/http/search.h"

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <memory>
#include <stop_token>
#include <utility>
#include <vector>

namespace sonde::checkers::http {
namespace {

using boost::system::error_code;
using Outcome =
    asio::experimental::channel<void(error_code, std::exception_ptr, std::optional<Finding>)>;

/// All that the search needs, so that neither the run nor its checker has to wait for it.
struct Job {
    std::vector<Pattern> forbidden;
    std::vector<Pattern> required;
    std::string body;
};

void work_on(const Job& job, const std::stop_token& stop, std::shared_ptr<Outcome> outcome)
{
    std::exception_ptr failed;
    std::optional<Finding> found;
    try {
        found = judge_body(job.forbidden, job.required, job.body, stop);
    } catch (...) {
        failed = std::current_exception();  // for whoever waits
    }
    const auto loop = outcome->get_executor();
    asio::post(loop, [outcome = std::move(outcome), failed, found = std::move(found)]() mutable {
        outcome->try_send(error_code{}, failed, std::move(found));
    });
}

}  // namespace

asio::awaitable<std::optional<Finding>> search(Run& run, const Settings& settings, std::string body)
{
    if (!run.net.heavy || body.size() <= most_bytes_on_loop)
        co_return judge_body(settings.body_forbidden, settings.body_required, body);
    struct StopAtEnd : std::stop_source {
        ~StopAtEnd() { request_stop(); }
    } stop;
    auto outcome = std::make_shared<Outcome>(co_await asio::this_coro::executor, 1);
    auto job = std::make_shared<const Job>(
        Job{settings.body_forbidden, settings.body_required, std::move(body)});
    asio::post(run.net.heavy, [job = std::move(job), token = stop.get_token(), outcome]() mutable {
        work_on(*job, token, std::move(outcome));
    });
    error_code cancelled;
    auto found = co_await outcome->async_receive(  // throws what the worker has caught
        asio::redirect_error(asio::use_awaitable, cancelled));
    if (cancelled)
        throw boost::system::system_error{asio::error::operation_aborted};
    co_return found;
}

}  // namespace sonde::checkers::http
