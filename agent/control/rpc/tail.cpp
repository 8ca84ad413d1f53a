#include "agent/control/rpc/tail.h"

#include "agent/control/store/probes.h"

#include <algorithm>

namespace sonde::control {
namespace {

constexpr std::chrono::seconds retry_after{1};  // when the database does not answer
// Without news, too: so that a quiet stream is not behind what the log still keeps (spec 04 §13.3).
constexpr std::chrono::minutes longest_rest{10};

/// News for somebody who has looked at nothing yet.
store::News everything(Transaction& db)
{
    return {store::change_state(db).version,
        {ChangeKind::check, ChangeKind::tenant_status, ChangeKind::tenant_config,
            ChangeKind::probe_meta, ChangeKind::probe_token, ChangeKind::probe_gone,
            ChangeKind::adhoc}};
}

/// Has the stream woken while it lives.
class Subscription {
public:
    Subscription(
        Feed& feed, std::int64_t probe, StreamEvents& events, Undelivered::Stream& undelivered)
        : feed_{feed}, number_{feed.subscribe(probe, [&events, &undelivered] {
              undelivered.hear(Undelivered::Clock::now());
              events.wake();
          })}
    {}
    ~Subscription() { feed_.unsubscribe(number_); }
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

private:
    Feed& feed_;
    std::uint64_t number_;
};

}  // namespace

asio::awaitable<Result<>> Tail::keep()
{
    co_return Result<>{};
}

std::chrono::steady_clock::time_point Tail::look_again() const
{
    const std::chrono::milliseconds kept = parts_.config.changes_retention;
    return std::chrono::steady_clock::now() +
           std::min<std::chrono::milliseconds>(longest_rest, kept / 2);
}

asio::awaitable<grpc::Status> Tail::run()
{
    const Subscription subscription{parts_.feed, of_.probe, events_, undelivered_};
    undelivered_.hear(Undelivered::Clock::now());  // of everything
    while (!events_.over()) {
        const auto kept = co_await keep();
        if (!kept)
            co_return unavailable(kept.error().message);
        undelivered_.look();
        const auto told = co_await round();
        undelivered_.tell(told.has_value());
        const std::string_view why = told ? std::string_view{} : told.error().reason;
        const bool away = (why == "unavailable" || why == "internal") && version_;
        if (!told && !away)
            co_return unavailable(told.error().message);
        const auto until = away ? std::chrono::steady_clock::now() + retry_after : look_again();
        co_await events_.await_news(until);
    }
    co_return unavailable("the probe has gone");
}

asio::awaitable<Result<>> Tail::round()
{
    auto read = [this](Transaction& db) -> Result<store::News> {
        if (store::probe_of_token(db, of_.token) != of_.probe)
            return error("revoked", "the token of this probe was revoked");
        auto news = version_ ? store::news_after(
                                   db, of_.probe, *version_, parts_.config.changes_max_backlog)
                             : everything(db);
        if (!news)
            return news;
        if (auto looked = look(db, *news); !looked)
            return looked.error();
        return news;
    };
    const auto news = co_await parts_.store.read(read);
    if (!news)
        co_return news.error();
    const auto told = co_await tell();
    if (!told)
        co_return told;
    version_ = news->version;
    co_return Result<>{};
}

}  // namespace sonde::control
