#include "agent/base/stopwatch.h"
#include "agent/base/text.h"
#include "checkers/blocked.h"
#include "checkers/connection.h"
#include "checkers/dial.h"
#include "checkers/tcp/dialogue.h"
#include "checkers/tcp/metrics.h"
#include "checkers/tcp/tcp.h"
#include "checkers/tls_facts.h"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace sonde::checkers::tcp {
namespace {

constexpr std::size_t longest_logged = 512;  // bytes of a line in the log
constexpr std::string_view phases[] = {"resolve", "connect", "tls", "query"};
/// How the phases are called in the last line of a run (spec 02 §5.5).
constexpr std::pair<std::string_view, std::string_view> closing_keys[] = {
    {"resolve", "resolve_seconds"}, {"connect", "connect_seconds"}, {"tls", "tls_seconds"},
    {"query", "query_seconds"}};

/// What explains a failing line besides reason and cause (spec 02 §1.10).
CheckLog::Fields err(std::string_view text)
{
    CheckLog::Fields fields;
    fields.emplace_back("err", text);
    return fields;
}

/// One run: the connection and what has been said on it.
class Talk {
public:
    Talk(Run& run, const Settings& settings, const asio::any_io_executor& loop)
        : run_{run}, settings_{settings}, connection_{loop}
    {}
    ~Talk();
    Talk(const Talk&) = delete;
    Talk& operator=(const Talk&) = delete;

    asio::awaitable<Verdict> dial();
    asio::awaitable<Verdict> hold();

private:
    asio::awaitable<Verdict> secure(std::string_view config_failed, std::string_view failed);
    asio::awaitable<Verdict> step(const Step& step);
    asio::awaitable<Verdict> await_line(const Pattern& expected);
    asio::awaitable<Verdict> send(std::string bytes);
    Verdict unmatched(const Pattern& expected);
    Verdict broken(std::string_view line, Verdict verdict);
    void begin(std::string_view phase);
    void end(std::chrono::nanoseconds late, std::chrono::nanoseconds before = {});
    void took(std::string_view phase, double seconds);

    Run& run_;
    const Settings& settings_;
    std::optional<Stopwatch> open_;  // of run_.phase; empty: it has been noted, or has failed
    net::TlsPeer peer_;              // outlives the connection, which keeps telling it
    Connection connection_;
    std::chrono::nanoseconds late_{0};  // of the news that ended the step, and of what was sent
    bool heard_ = false;  // something since the connection is what it is: plain or TLS
    LineBuffer lines_;
    std::string last_line_;
    std::optional<Pattern::Captures> captures_;
};

/// A phase that is still open met the deadline: its time is known, too.
Talk::~Talk()
{
    if (open_)
        end(std::chrono::nanoseconds::zero());
    for (const auto& [phase, key] : closing_keys)
        for (const Phase& known : run_.phases)
            if (known.name == phase)
                run_.closing.emplace_back(key, known.seconds);
}

asio::awaitable<Verdict> Talk::dial()
{
    begin("resolve");
    const Chosen chosen =
        co_await choose_address(run_, settings_.target.host, settings_.ip, LookupLines::debug);
    open_.reset();
    took("resolve", chosen.seconds);
    if (!chosen.failure.passed())
        co_return fail(run_, "Error dialing TCP", err(chosen.failure.message), chosen.failure);
    if (!settings_.source.empty()) {
        CheckLog::Fields source;
        source.emplace_back("srcIP", settings_.source);
        auto usable = source_address(settings_.source, chosen.found.address, "connect");
        if (usable.failure.code == "bad_source_address") {
            fail(run_, "Error parsing source ip address", std::move(source), usable.failure);
            co_return fail(run_, "Error dialing TCP", err(usable.failure.message), usable.failure);
        }
        run_.log.debug("Using local address", std::move(source));
    }
    run_.log.debug(settings_.tls ? "Dialing TCP with TLS" : "Dialing TCP without TLS");
    const asio::ip::tcp::endpoint to{chosen.found.address, settings_.target.port};
    if (auto refused = blocked(run_.options, to.address(), to.port())) {
        CheckLog::Fields fields = err(refused->message);
        co_return fail(run_, "Error dialing TCP", std::move(fields), std::move(*refused));
    }
    begin("connect");
    Verdict connected = co_await connection_.connect(to, settings_.source);
    if (!connected.passed()) {
        open_.reset();
        CheckLog::Fields fields = err(connected.message);
        co_return fail(run_, "Error dialing TCP", std::move(fields), std::move(connected));
    }
    end(connection_.late());
    if (settings_.tls) {
        Verdict secured = co_await secure("Error creating TLS configuration", "Error dialing TCP");
        if (!secured.passed())
            co_return secured;
    }
    run_.log.debug("Successfully dialed");
    run_.observed.set(metrics::failed_due_to_regex, 0);
    run_.observed.set(metrics::failed_due_to_bytes, 0);
    co_return Verdict::pass();
}

asio::awaitable<Verdict> Talk::hold()
{
    for (std::size_t i = 0; i < settings_.steps.size(); ++i) {
        begin("query");
        CheckLog::Fields entry;
        entry.emplace_back("entry_number", i);
        run_.log.debug("Processing query response entry", std::move(entry));
        Verdict done = co_await step(settings_.steps[i]);
        if (open_)
            end(late_);
        if (!done.passed())
            co_return done;
    }
    co_return Verdict::pass();
}

asio::awaitable<Verdict> Talk::step(const Step& step)
{
    captures_.reset();
    late_ = late_.zero();
    if (step.expect) {
        Verdict matched = co_await await_line(*step.expect);
        if (!matched.passed())
            co_return matched;
    }
    if (!step.send.empty()) {
        std::string bytes = step.send;
        if (captures_)
            bytes = expand(step.send, *captures_);
        Verdict sent = co_await send(std::move(bytes));
        if (!sent.passed())
            co_return sent;
    }
    if (!step.start_tls)
        co_return Verdict::pass();
    end(late_);
    if (const std::size_t lost = lines_.discard(); lost > 0) {
        CheckLog::Fields fields;
        fields.emplace_back("bytes", lost);
        run_.log.warn("Plain text before the TLS handshake discarded", std::move(fields));
    }
    Verdict secured =
        co_await secure("Failed to create TLS configuration", "TLS Handshake (client) failed");
    if (secured.passed())
        run_.log.debug("TLS Handshake (client) succeeded.");
    co_return secured;
}

asio::awaitable<Verdict> Talk::await_line(const Pattern& expected)
{
    for (bool ended = false;;) {
        while (auto line = ended ? lines_.rest() : lines_.next()) {
            last_line_ = text::shorten(*line, longest_logged);
            CheckLog::Fields read;
            read.emplace_back("line", last_line_);
            run_.log.debug("Read line", std::move(read));
            captures_ = expected.match(*line);
            if (!captures_)
                continue;
            CheckLog::Fields matched;
            matched.emplace_back("regexp", expected.text());
            matched.emplace_back("line", last_line_);
            run_.log.debug("Regexp matched", std::move(matched));
            co_return Verdict::pass();
        }
        if (ended)
            co_return unmatched(expected);
        if (lines_.too_long())
            co_return fail(run_, "Error reading from connection", err("line too long"),
                Verdict::fail("tcp_line_too_long", "a line exceeds 65536 bytes"));
        std::string bytes;
        boost::system::error_code failed;
        try {
            bytes = co_await connection_.read_some();
        } catch (const boost::system::system_error& error) {
            if (error.code() == asio::error::operation_aborted)
                throw;
            failed = error.code();
        }
        if (failed)
            co_return broken("Error reading from connection",
                Verdict::fail("tcp_read", "read failed: " + failed.message(), cause_of(failed)));
        late_ = connection_.late();
        ended = bytes.empty();
        heard_ = heard_ || !ended;
        lines_.add(bytes);
        if (ended && lines_.rest_too_long())
            co_return fail(run_, "Error reading from connection", err("line too long"),
                Verdict::fail("tcp_line_too_long", "a line exceeds 65535 bytes"));
    }
}

Verdict Talk::unmatched(const Pattern& expected)
{
    run_.observed.set(metrics::failed_due_to_regex, 1);
    CheckLog::Fields fields;
    fields.emplace_back("regexp", expected.text());
    fields.emplace_back("line", last_line_);
    return fail(run_, "Regexp did not match", std::move(fields),
        Verdict::fail("tcp_expect",
            fmt::format("the connection ended before a line matched /{}/", expected.text())));
}

/// A read or write that failed. In TLS 1.3 a server judges our certificate after our handshake is
/// done: its alert comes here, and is none the less a failed handshake (spec 02 §1.10).
Verdict Talk::broken(std::string_view line, Verdict verdict)
{
    if (peer_.alert && !heard_)
        if (const net::TlsFailure why = net::tls_failure(peer_); why.cause == "client_certificate")
            verdict = Verdict::fail("tls",
                fmt::format("TLS handshake with {} failed: {}", peer_.name, why.message), why.cause)
                          .with("server_name", peer_.name);
    CheckLog::Fields fields = err(verdict.message);
    return fail(run_, line, std::move(fields), std::move(verdict));
}

asio::awaitable<Verdict> Talk::send(std::string bytes)
{
    CheckLog::Fields line;
    line.emplace_back("line", text::shorten(bytes, longest_logged));
    run_.log.debug("Sending line", std::move(line));
    bytes += '\n';
    boost::system::error_code failed;
    try {
        co_await connection_.write(std::move(bytes));
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted)
            throw;
        failed = error.code();
    }
    late_ += connection_.late();
    if (failed)
        co_return broken("Failed to send",
            Verdict::fail("tcp_write", "write failed: " + failed.message(), cause_of(failed)));
    co_return Verdict::pass();
}

/// Handshake with the settings of the check; lines in the words of the place it happens at.
asio::awaitable<Verdict> Talk::secure(std::string_view config_failed, std::string_view failed)
{
    begin("tls");
    const auto began = std::chrono::steady_clock::now();
    const auto context = run_.net.tls.get(settings_.tls_settings);
    if (!context) {
        open_.reset();
        const Verdict unusable =
            Verdict::fail("tls_config", context.error().message, context.error().cause);
        fail(run_, config_failed, err(unusable.message), unusable);
        if (failed == "Error dialing TCP")
            fail(run_, failed, err(unusable.message), unusable);
        co_return unusable;
    }
    peer_ = net::TlsPeer{};
    heard_ = false;
    peer_.name = settings_.server_name;
    Verdict secured = co_await connection_.handshake(**context, peer_);
    if (secured.passed() || !peer_.cause.empty())  // refused, but seen (DEV-11)
        observe_peer(run_, peer_, connection_.tls_version(), connection_.tls_cipher(), false);
    if (!secured.passed()) {
        open_.reset();
        CheckLog::Fields fields = err(secured.message);
        co_return fail(run_, failed, std::move(fields), std::move(secured));
    }
    end(connection_.late(), peer_.handshake_began - began);
    co_return Verdict::pass();
}

void Talk::begin(std::string_view phase)
{
    run_.phase = phase;
    open_.emplace();
}

/// The open phase is over; its time is without `late`, our own part in it, and `before`, in which
/// we got ready.
void Talk::end(std::chrono::nanoseconds late, std::chrono::nanoseconds before)
{
    const double all = open_->seconds() - std::chrono::duration<double>(before).count();
    open_.reset();
    const double ours = std::min(all, std::chrono::duration<double>(late).count());
    run_.late += std::chrono::nanoseconds{static_cast<std::int64_t>(ours * 1e9)};
    took(run_.phase, all - ours);
}

void Talk::took(std::string_view phase, double seconds)
{
    run_.took(phase, seconds);
    if (!run_.options.tcp_phases)
        return;
    for (const Phase& known : run_.phases)
        if (known.name == phase)
            run_.observed.set(metrics::duration_seconds, known.seconds, {std::string{phase}});
}

class TcpChecker final : public Checker {
public:
    explicit TcpChecker(Settings settings) : settings_{std::move(settings)} {}

    asio::awaitable<Verdict> run(Run& run) const override
    {
        Talk talk{run, settings_, co_await asio::this_coro::executor};
        Verdict dialed = co_await talk.dial();
        if (!dialed.passed())
            co_return dialed;
        co_return co_await talk.hold();
    }

private:
    Settings settings_;
};

std::unique_ptr<const Checker> parse(const pb::Check& check, Problems& problems)
{
    auto settings = parse_settings(check, problems);
    return problems.none() ? std::make_unique<TcpChecker>(std::move(settings)) : nullptr;
}

std::string pointed_at(const pb::Check& check)
{
    return check.target();
}

}  // namespace

constinit const Kind kind{
    "tcp", LogEntry::Layout::structured, metrics::all, phases, parse, pointed_at};

}  // namespace sonde::checkers::tcp
