#include "exporters/sender.h"

#include "agent/base/log.h"
#include "config/ids.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace sonde::exporters {
namespace {

constexpr log::Logger logger{"publisher"};
constexpr std::chrono::minutes between_lines_on_loss{1};

}  // namespace

Sender::Sender(const asio::any_io_executor& loop, Parts parts, TenantState& shared, Type type)
    : parts_{parts}, shared_{shared}, type_{type},
      queue_{parts.config.max_queue_bytes, parts.config.max_queue_age},
      backoff_{parts.timings.first_backoff, parts.timings.longest_backoff, 2}, wake_{loop}
{}

void Sender::add(std::string_view raw)
{
    if (Clock::now() < shared_.discarded_until) {
        lose(1, "the remote refused this tenant for good");
        return;
    }
    lose(queue_.add({wire::compress(raw), Clock::now()}), "the queue is full or too old");
    show_queue();
    wake_.cancel();
}

void Sender::close()
{
    closing_ = true;
    wake_.cancel();
}

void Sender::abandon(std::string_view why)
{
    logged_ = Clock::time_point::min();  // the end of it is always told
    lose(queue_.clear() + std::exchange(in_flight_, 0), why);
    show_queue();
}

asio::awaitable<void> Sender::run()
{
    for (;;) {
        co_await await_work();
        if (closing_ && (queue_.empty() || failed_at_close_))
            co_return;
        lose(queue_.expire(Clock::now()), "too old");
        std::vector<Record> batch = queue_.take(parts_.config.request_bytes);
        if (batch.empty())
            continue;
        in_flight_ = batch.size();
        co_await send_batch(std::move(batch));
        in_flight_ = 0;
        show_queue();
    }
}

/// Until there is something to send and nothing speaks against sending it.
asio::awaitable<void> Sender::await_work()
{
    while (!closing_) {
        const auto now = Clock::now();
        Clock::time_point until = shared_.paused_until;
        if (queue_.empty())
            until = Clock::time_point::max();
        else if (queue_.bytes() < parts_.config.request_bytes)
            until = std::max(until, queue_.oldest() + parts_.config.flush_every);
        if (until <= now)
            co_return;
        co_await rest_until(until);
    }
}

/// Sleeps until then, or until there is news.
asio::awaitable<void> Sender::rest_until(Clock::time_point until)
{
    boost::system::error_code woken;
    wake_.expires_at(until);
    co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error{asio::error::operation_aborted};
}

asio::awaitable<void> Sender::send_batch(std::vector<Record> batch)
{
    const auto tenant = co_await parts_.tenants.tenant(shared_.key);
    if (!tenant) {
        logger.error("a tenant's remotes are not known",
            {{"tenant", shared_.key.id}, {"why", tenant.error().message}});
        parts_.metrics.given_up.Add(labels("reason", "tenant")).Increment();
        retry(std::move(batch));
    } else if (const auto& remote = type_ == Type::metrics ? (*tenant)->metrics : (*tenant)->events;
        !remote) {
        queue_.clear();  // nobody wants these data
        co_return;
    } else {
        const std::size_t records = batch.size();
        std::string body = join(batch);
        const auto bytes = static_cast<double>(body.size());
        const net::HttpAnswer answer =
            co_await parts_.client.send(call_for(*remote, std::move(body)));
        const Outcome outcome =
            answer.bad_url ? Outcome::fatal : classify(answer.status, answer.body);
        parts_.metrics.responses.Add(labels("status", std::to_string(answer.status))).Increment();
        if (outcome == Outcome::ok) {
            parts_.metrics.pushed.Add(labels()).Increment(static_cast<double>(records));
            parts_.metrics.bytes.Add(labels()).Increment(bytes);
        }
        handle(outcome, answer, std::move(batch));
    }
    if (failures_ == 0 || closing_)
        co_return;
    const auto until = Clock::now() + backoff_.next();
    while (Clock::now() < until && !closing_)  // new records wake us, but do not end the pause
        co_await rest_until(until);
}

net::HttpCall Sender::call_for(const Remote& remote, std::string body) const
{
    net::HttpCall call;
    call.url = remote.url;
    call.headers = {"Content-Type: application/x-protobuf", "Content-Encoding: snappy",
        "X-Prometheus-Remote-Write-Version: 0.1.0"};
    call.body = std::move(body);
    call.username = remote.username;
    call.password = remote.password.reveal();
    call.timeout = parts_.config.request_timeout;
    return call;
}

void Sender::handle(Outcome outcome, const net::HttpAnswer& answer, std::vector<Record> batch)
{
    if (outcome == Outcome::ok) {
        failures_ = 0;
        backoff_.reset();
        return;
    }
    failed_at_close_ = closing_;
    const std::string said =
        answer.status == 0 ? answer.error : std::string{first_line(answer.body)};
    logger.warning("a push was not accepted",
        {{"tenant", shared_.key.id}, {"type", name_of(type_)}, {"status", answer.status},
            {"outcome", exporters::name_of(outcome)}, {"records", batch.size()}, {"said", said}});
    parts_.metrics.errors.Add(labels("status", std::to_string(answer.status)))
        .Increment(static_cast<double>(batch.size()));
    if (outcome == Outcome::retriable)
        return retry(std::move(batch));
    failures_ = 0;
    backoff_.reset();
    const auto now = Clock::now();
    switch (outcome) {
    case Outcome::wait:
        shared_.paused_until = now + parts_.timings.after_429;
        break;
    case Outcome::tenant:
        shared_.paused_until = now + parts_.timings.after_401;
        parts_.tenants.suspect(shared_.key);
        break;
    case Outcome::fatal:
        shared_.discarded_until = now + parts_.timings.after_fatal;
        if (answer.bad_url)
            parts_.metrics.given_up.Add(labels("reason", "client")).Increment();
        lose(queue_.clear(), "the remote refused this tenant for good");
        break;
    default:
        break;
    }
    lose(batch.size(), exporters::name_of(outcome));
}

void Sender::retry(std::vector<Record> batch)
{
    failed_at_close_ = closing_;
    const auto records = static_cast<double>(batch.size());
    if (++failures_ > parts_.timings.retries) {
        failures_ = 0;
        backoff_.reset();
        parts_.metrics.given_up.Add(labels("reason", "retry_exhausted")).Increment(records);
        lose(batch.size(), "tried too often");
        return;
    }
    parts_.metrics.retries.Add(labels()).Increment(records);
    lose(queue_.put_back(std::move(batch), Clock::now()), "the queue is full or too old");
}

/// The one place where records go without having arrived.
void Sender::lose(std::size_t records, std::string_view why)
{
    if (records == 0)
        return;
    parts_.metrics.dropped.Add(labels()).Increment(static_cast<double>(records));
    unlogged_ += records;
    const auto now = Clock::now();
    if (logged_ != Clock::time_point::min() && now - logged_ < between_lines_on_loss)
        return;
    logged_ = now;
    logger.error("records dropped", {{"tenant", shared_.key.id}, {"type", name_of(type_)},
                                        {"records", std::exchange(unlogged_, 0)}, {"why", why}});
}

void Sender::show_queue()
{
    if (queued_ == nullptr) {  // looking them up costs as much as encoding a run
        queued_ = &parts_.metrics.queued.Add(labels());
        queued_bytes_ = &parts_.metrics.queued_bytes.Add(labels());
    }
    queued_->Set(static_cast<double>(queue_.size()));
    queued_bytes_->Set(static_cast<double>(queue_.bytes()));
}

prometheus::Labels Sender::labels() const
{
    const auto [local, region] = config::split_id(shared_.key.id);
    return {{"regionID", std::to_string(region)}, {"tenantID", std::to_string(local)},
        {"type", std::string{name_of(type_)}}};
}

prometheus::Labels Sender::labels(std::string_view name, std::string value) const
{
    auto all = labels();
    all.emplace(name, std::move(value));
    return all;
}

}  // namespace sonde::exporters
