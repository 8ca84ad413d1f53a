#include "agent/base/stopwatch.h"
#include "agent/net/icmp_sockets.h"
#include "checkers/blocked.h"
#include "checkers/dial.h"
#include "checkers/ping/echo.h"
#include "checkers/ping/metrics.h"
#include "checkers/ping/ping.h"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sonde::checkers::ping {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds pace{50};
constexpr std::string_view phases[] = {"resolve", "setup", "rtt"};

double value_of(const Run& run, const Metric& metric)
{
    for (const auto& sample : run.observed.samples())
        if (sample.metric->name == metric.name && sample.label_values.empty())
            return sample.value;
    return 0;
}

void set_phase(Run& run, std::string_view phase, double seconds)
{
    run.observed.set(metrics::duration_seconds, seconds, {std::string{phase}});
}

/// The requests of a run and what came back. Every change is in the run's series at once, so that
/// the deadline may come at any moment.
class Series {
public:
    Series(Run& run, const Settings& settings, std::shared_ptr<net::IcmpSocket> socket,
        asio::ip::address destination, asio::steady_timer& news)
        : run_{run}, settings_{settings}, socket_{std::move(socket)},
          destination_{std::move(destination)}, news_{news},
          hears_{socket_, [this](const net::IcmpPacket& packet) { receive(packet); }}
    {}

    /// @return why it could not be sent.
    boost::system::error_code send();

    int sent() const { return static_cast<int>(sent_at_.size()); }
    int received() const { return static_cast<int>(rtts_.size()); }
    double mean() const;

private:
    void receive(const net::IcmpPacket& packet);
    void observe(const net::IcmpPacket& packet, std::uint16_t sequence);
    bool from_destination(const asio::ip::address& source) const;

    Run& run_;
    const Settings& settings_;
    std::shared_ptr<net::IcmpSocket> socket_;
    asio::ip::address destination_;
    asio::steady_timer& news_;
    std::string token_ = random_token();
    std::vector<Clock::time_point> sent_at_;
    std::map<std::uint16_t, double> rtts_;  // by sequence, in seconds
    net::IcmpSocket::Subscription hears_;
};

boost::system::error_code Series::send()
{
    const auto sequence = static_cast<std::uint16_t>(sent_at_.size());
    CheckLog::Fields fields;
    fields.emplace_back("seq", sequence);
    run_.log.info("Creating ICMP packet", std::move(fields));
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    const std::string data = payload(settings_.payload_size, token_, wall);
    const std::string message = request(destination_.is_v6(), socket_->id(), sequence, data);
    const auto now = Clock::now();
    sent_at_.push_back(now);  // on loopback the reply may be there before send() returns
    const auto error = socket_->send(destination_, message);
    if (error) {
        sent_at_.pop_back();
        return error;
    }
    run_.observed.set(metrics::packets_sent, static_cast<double>(sent_at_.size()));
    run_.log.info("Waiting for reply packets");
    return {};
}

bool Series::from_destination(const asio::ip::address& source) const
{
    const bool anybody =
        destination_.is_multicast() || destination_.is_unspecified() ||
        (destination_.is_v4() && destination_.to_v4() == asio::ip::address_v4::broadcast());
    return anybody || source == destination_;
}

void Series::receive(const net::IcmpPacket& packet)
{
    const auto reply = parse_reply(destination_.is_v6(), packet.message);
    if (!reply || !from_destination(packet.source) ||
        (socket_->raw() && reply->id != socket_->id()) ||
        !is_ours(reply->data, settings_.payload_size, token_) || reply->sequence >= sent_at_.size())
        return;
    CheckLog::Fields fields;
    fields.emplace_back("seq", reply->sequence);
    if (rtts_.contains(reply->sequence)) {
        run_.log.info("Duplicate packet received", std::move(fields));
        return;
    }
    run_.log.info("Found matching reply packet", std::move(fields));
    observe(packet, reply->sequence);
    news_.cancel();
}

void Series::observe(const net::IcmpPacket& packet, std::uint16_t sequence)
{
    const auto passed = packet.received - sent_at_[sequence];
    const auto rtt = round_trip(passed, packet.waited);
    run_.late = std::max<std::chrono::nanoseconds>(run_.late, passed - rtt);
    const bool first = rtts_.empty() || sequence < rtts_.begin()->first;
    rtts_[sequence] = std::chrono::duration<double>(rtt).count();
    if (first && packet.hop_limit)
        run_.observed.set(metrics::reply_hop_limit, *packet.hop_limit);
    const double average = mean();
    double squares = 0;
    double least = rtts_.begin()->second;
    double most = least;
    for (const auto& [number, seconds] : rtts_) {
        squares += (seconds - average) * (seconds - average);
        least = std::min(least, seconds);
        most = std::max(most, seconds);
    }
    run_.observed.set(metrics::packets_received, static_cast<double>(rtts_.size()));
    run_.observed.set(metrics::rtt_min, least);
    run_.observed.set(metrics::rtt_max, most);
    run_.observed.set(metrics::rtt_stddev, std::sqrt(squares / static_cast<double>(rtts_.size())));
    set_phase(run_, "rtt", average);
}

double Series::mean() const
{
    const double sum = std::accumulate(rtts_.begin(), rtts_.end(), 0.0,
        [](double total, const auto& rtt) { return total + rtt.second; });
    return rtts_.empty() ? 0 : sum / static_cast<double>(rtts_.size());
}

class PingChecker final : public Checker {
public:
    explicit PingChecker(Settings settings) : settings_{std::move(settings)} {}

    asio::awaitable<Verdict> run(Run& run) const override;
    Verdict at_deadline(Run& run) const override;

private:
    asio::awaitable<Verdict> ping(Run& run, const asio::ip::address& destination) const;
    asio::awaitable<Verdict> exchange(
        Run& run, std::shared_ptr<net::IcmpSocket> socket, asio::ip::address destination) const;
    Verdict judge(Run& run, bool at_deadline) const;

    Settings settings_;
};

asio::awaitable<Verdict> PingChecker::run(Run& run) const
{
    const Chosen chosen =
        co_await choose_address(run, settings_.host, settings_.ip, LookupLines::ping);
    if (!chosen.failure.passed())
        co_return chosen.failure;
    run.took("resolve", chosen.seconds);
    set_phase(run, "resolve", chosen.seconds);
    if (auto refused = blocked(run.options, chosen.found.address, 0, "icmp_send")) {
        CheckLog::Fields fields;
        fields.emplace_back("err", refused->message);
        co_return fail(
            run, "failed to run ping", std::move(fields), std::move(*refused).with("seq", 0));
    }
    co_return co_await ping(run, chosen.found.address);
}

asio::awaitable<Verdict> PingChecker::ping(Run& run, const asio::ip::address& destination) const
{
    run.phase = "setup";
    const Stopwatch setting_up;
    run.log.info("Creating socket");
    CheckLog::Fields source;
    source.emplace_back("srcIP", settings_.source);
    if (!settings_.source.empty()) {
        auto usable = source_address(settings_.source, destination, "socket");
        if (!usable.failure.passed())
            co_return fail(run, "Error parsing source ip address", std::move(source),
                std::move(usable.failure));
    }
    net::IcmpSockets::Wanted wanted;
    wanted.v6 = destination.is_v6();
    wanted.dont_fragment = settings_.dont_fragment;
    wanted.source = settings_.source;
    // Short payloads have no room for a token of their own: such a run hears nobody else's replies.
    const bool own = settings_.payload_size < token_size + 8;
    const auto socket = run.net.icmp.get(wanted, own);
    if (!socket) {
        const Error& why = socket.error();
        CheckLog::Fields fields;
        fields.emplace_back("err", why.message);
        co_return fail(run, "Error creating socket", std::move(fields),
            Verdict::fail("socket", why.message, why.cause));
    }
    run.log.info("Using source address", std::move(source));
    run.took("setup", setting_up.seconds());
    set_phase(run, "setup", setting_up.seconds());
    run.phase = "rtt";
    co_return co_await exchange(run, *socket, destination);
}

asio::awaitable<Verdict> PingChecker::exchange(
    Run& run, std::shared_ptr<net::IcmpSocket> socket, asio::ip::address destination) const
{
    asio::steady_timer news{co_await asio::this_coro::executor};
    Series series{run, settings_, std::move(socket), destination, news};
    const auto began = Clock::now();
    for (int tick = 0; series.received() < settings_.packets;) {
        const bool more = series.sent() < settings_.packets;
        if (more && Clock::now() >= began + tick * pace) {
            ++tick;
            const auto error = series.send();
            if (error && series.sent() == 0) {
                CheckLog::Fields finished;
                finished.emplace_back("packets_sent", 0);
                finished.emplace_back("packets_received", 0);
                run.log.info("Probe finished", std::move(finished));
                CheckLog::Fields fields;
                fields.emplace_back("err", error.message());
                const auto cause = cause_of(error, destination);
                co_return fail(run, "failed to run ping", std::move(fields),
                    Verdict::fail("icmp_send",
                        fmt::format("{} {}: {}",
                            cause.starts_with("local_") ? "this probe cannot send a ping to"
                                                        : "cannot send a ping to",
                            destination.to_string(), error.message()),
                        cause)
                        .with("seq", 0));
            }
            if (error)
                run.log.error("sending packet: " + error.message());
            continue;
        }
        news.expires_at(more ? began + tick * pace : Clock::time_point::max());
        boost::system::error_code woken;
        co_await news.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error{asio::error::operation_aborted};
    }
    co_return judge(run, false);
}

/// By what was sent and received (spec 02 §4.7), also when the end is the deadline.
Verdict PingChecker::judge(Run& run, bool at_deadline) const
{
    const auto sent = static_cast<int>(value_of(run, metrics::packets_sent));
    const auto received = static_cast<int>(value_of(run, metrics::packets_received));
    double sum = 0;
    for (const auto& sample : run.observed.samples())
        if (sample.metric->name == metrics::duration_seconds.name)
            sum += sample.value;
    CheckLog::Fields finished;
    finished.emplace_back("packets_sent", sent);
    finished.emplace_back("packets_received", received);
    run.log.info("Probe finished", std::move(finished));
    if (received > 0)
        for (const auto& sample : run.observed.samples())
            if (sample.metric->name == metrics::duration_seconds.name &&
                sample.label_values.front() == "rtt")
                run.took("rtt", sample.value);
    if (sent >= settings_.required && received >= settings_.required) {
        run.duration = sum;
        return Verdict::pass();
    }
    CheckLog::Fields fields;
    fields.emplace_back("err", at_deadline ? "context deadline exceeded" : "too few replies");
    const bool late = at_deadline && deadline_cause(run) == "local_exhausted";
    const char* const seen = received == 0 ? "no_reply" : "partial_reply";
    return fail(run, "failed to run ping", std::move(fields),
        Verdict::fail("icmp_loss",
            fmt::format("{} of {} requests answered, {} needed{}", received, sent,
                settings_.required, late ? lateness_of(run) : ""),
            late ? "local_exhausted" : seen)
            .with("sent", sent)
            .with("received", received)
            .with("required", settings_.required));
}

Verdict PingChecker::at_deadline(Run& run) const
{
    if (run.phase == "rtt")
        return judge(run, true);
    return Checker::at_deadline(run);
}

std::unique_ptr<const Checker> parse(const pb::Check& check, Problems& problems)
{
    auto settings = parse_settings(check, problems);
    return problems.none() ? std::make_unique<PingChecker>(std::move(settings)) : nullptr;
}

void begin(Observations& observed)
{
    for (const std::string_view phase : phases)
        observed.set(metrics::duration_seconds, 0, {std::string{phase}});
    for (const Metric* metric : {&metrics::rtt_min, &metrics::rtt_max, &metrics::rtt_stddev,
             &metrics::packets_sent, &metrics::packets_received})
        observed.set(*metric, 0);
}

std::string pointed_at(const pb::Check& check)
{
    return check.target();
}

}  // namespace

constinit const Kind kind{
    "ping", LogEntry::Layout::wrapper, metrics::all, phases, parse, pointed_at, begin};

}  // namespace sonde::checkers::ping
