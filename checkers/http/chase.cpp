#include "checkers/http/chase.h"

#include "agent/base/stopwatch.h"
#include "agent/base/version.h"
#include "checkers/blocked.h"
#include "checkers/dial.h"
#include "checkers/http/metrics.h"
#include "checkers/http/search.h"
#include "checkers/tls_facts.h"

#include <boost/asio/use_awaitable.hpp>

namespace sonde::checkers::http {
namespace {

constexpr int most_redirects = 10;

CheckLog::Fields err(std::string_view text)
{
    CheckLog::Fields fields;
    fields.emplace_back("err", text);
    return fields;
}

/// A body that has not come to its end.
Finding unread(Verdict verdict)
{
    auto fields = err(verdict.message);
    return {"Failed to read HTTP response body", std::move(fields), std::move(verdict), false};
}

/// Differs from run to run (spec 02 §2.3): FNV-1a of the target and the time.
std::string cache_busting_value(std::string_view target)
{
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const unsigned char byte :
        fmt::format("{}{}", target, std::chrono::nanoseconds{now}.count()))
        hash = (hash ^ byte) * 0x100000001b3U;
    return fmt::format("{:x}", hash);
}

Url first_url(const Settings& settings, const std::string& target)
{
    Url url = settings.target;
    if (!settings.cache_busting_parameter.empty())
        set_query_parameter(url, settings.cache_busting_parameter, cache_busting_value(target));
    return url;
}

}  // namespace

Chase::Chase(Run& run, const Settings& settings)
    : run_{run}, settings_{settings}, chain_{settings, first_url(settings, run.subject.target)},
      body_{settings.compression, run.options.http_body_bytes, settings.wants_body()}
{
    // Switches the cookie jar on; CURLOPT_COOKIEFILE would leak at each reset between hops.
    curl_easy_setopt(easy_.get(), CURLOPT_COOKIELIST, "Set-Cookie:");
}

Chase::~Chase()
{
    if (!observed_ && !hops_.empty())
        deadline_came(hops_.back());
    observe_phases();
}

asio::awaitable<Verdict> Chase::run()
{
    Stamps first;
    if (!settings_.proxy) {
        Verdict found = co_await find_address(first);
        if (!found.passed())
            co_return found;
    }
    const auto tls =
        run_.net.tls.get(settings_.tls);  // also for plain HTTP: peers build the client first
    if (!tls)
        co_return fail(run_, "Error generating HTTP client", err(tls.error().message),
            Verdict::fail("tls_config", tls.error().message, tls.error().cause));
    sending_ = true;
    if (settings_.proxy) {
        Verdict found = co_await find_proxy();
        if (!found.passed())
            co_return found;
    }
    Verdict verdict = co_await follow_hops(*tls, first);
    co_return verdict;
}

/// Address of the proxy, once for the run; its lookup is part of no phase (spec 02 §2.5).
asio::awaitable<Verdict> Chase::find_proxy()
{
    const std::string& host = settings_.proxy->url.host;
    const auto resolved = co_await run_.net.resolver.resolve(host, net::IpVersion::any);
    if (resolved) {
        proxy_address_ = resolved->address;
        co_return Verdict::pass();
    }
    const auto& why = resolved.error();
    const bool local = why.cause.starts_with("local_");
    log_request();
    Verdict verdict = Verdict::fail("http_request",
        fmt::format("no usable address for the proxy {}: {}", host, why.message),
        local ? why.cause : "proxy_unreachable");
    verdict.attributes.emplace_back("url", chain_.url().text());
    CheckLog::Fields fields = err(verdict.message);
    co_return fail(run_, "Error for HTTP request", std::move(fields), std::move(verdict));
}

void Chase::log_request() const
{
    const bool pinned = hops_.empty() && !settings_.proxy;
    CheckLog::Fields making;
    making.emplace_back(
        "url", pinned ? chain_.url().text_at(addresses_.at(chain_.url().host).to_string()) +
                            chain_.url().request_target()
                      : chain_.url().text());
    making.emplace_back("host", chain_.host_header());
    run_.log.debug("Making HTTP request", std::move(making));
}

/// Address of the first hop: with lines and series of its own.
asio::awaitable<Verdict> Chase::find_address(Stamps& stamps)
{
    const Stopwatch looking;
    struct AtEnd {  // the phase exists however the lookup ends
        double& seconds;
        const Stopwatch& clock;
        ~AtEnd() { seconds = clock.seconds(); }
    } const at_end{first_lookup_, looking};
    const Chosen chosen =
        co_await choose_address(run_, chain_.url().host, settings_.ip, LookupLines::debug);
    if (!chosen.failure.passed())
        co_return chosen.failure;
    addresses_[chain_.url().host] = chosen.found.address;
    stamps.lookup_start = stamps.lookup_end = Clock::now();
    co_return Verdict::pass();
}

HopRequest Chase::next_request() const
{
    HopRequest request;
    request.url = chain_.url();
    request.proxy = settings_.proxy ? &*settings_.proxy : nullptr;
    request.address = request.proxy ? proxy_address_ : addresses_.at(chain_.url().host);
    request.method = chain_.method();
    request.headers = chain_.headers();
    request.body = chain_.body();
    request.cookies = chain_.cookies();
    request.tls_name = chain_.tls_name();
    if (!settings_.find_header("user-agent"))
        request.headers.emplace_back("User-Agent", version::user_agent());
    if (run_.subject.probe_id != 0)
        request.headers.emplace_back(
            "x-sm-id", fmt::format("{}-{}", run_.subject.check_id, run_.subject.probe_id));
    return request;
}

bool Chase::is_last(const ResponseHead& head) const
{
    return !is_redirect(head) || !settings_.follow_redirects || redirects_ >= most_redirects;
}

asio::awaitable<Verdict> Chase::follow_hops(
    std::shared_ptr<const net::TlsContext> tls, Stamps stamps)
{
    for (;;) {
        std::function<bool(const ResponseHead&)> is_final = [this](const ResponseHead&) {
            return head_came(hops_.back());
        };
        HopRequest request = next_request();
        const bool first = hops_.empty();
        log_request();
        hops_.emplace_back(run_, std::move(request), tls, body_, std::move(is_final));
        Hop& hop = hops_.back();
        hop.stamps = stamps;
        if (first)
            hop.stamps.lookup_start = hop.stamps.lookup_end = Clock::now();
        if (auto refused = forbidden(hop))
            co_return no_response(hop, std::move(*refused));
        Verdict verdict = co_await hop.perform(easy_.get());
        if (!verdict.passed())
            co_return no_response(hop, std::move(verdict));
        if (!goes_on_)
            co_return lost(hop);
        if (!*goes_on_)
            co_return co_await judge(hop);
        stamps = Stamps{};
        Verdict found = co_await find_next_address(stamps);
        if (!found.passed())
            co_return no_response(hop, std::move(found));
    }
}

/// The addresses of redirects and of a proxy are asked for, too.
std::optional<Verdict> Chase::forbidden(const Hop& hop) const
{
    const HopRequest& request = hop.request();
    return request.proxy
               ? blocked(run_.options, request.address, request.proxy->url.port, "http_request")
               : blocked(run_.options, request.address, request.url.port);
}

/// Of a redirect to nowhere.
Verdict Chase::lost(const Hop& hop)
{
    return no_response(
        hop, Verdict::fail("http_request", goes_on_.error().message, "bad_redirect"));
}

/// @return whether the response is the final one. It is judged by its head at once: its body may
/// take until the deadline.
bool Chase::head_came(const Hop& hop)
{
    goes_on_ = redirect(hop);
    const bool final = goes_on_.has_value() && !*goes_on_;
    if (final)
        judge_head(hop);
    return final;
}

/// Address of a later hop; takes no time when there is nothing to look up. Not logged.
asio::awaitable<Verdict> Chase::find_next_address(Stamps& stamps)
{
    const std::string host = chain_.url().host;
    stamps.lookup_start = stamps.lookup_end = Clock::now();
    if (settings_.proxy || addresses_.contains(host))
        co_return Verdict::pass();
    looking_ = stamps.lookup_start;
    run_.phase = "resolve";
    const auto resolved = co_await run_.net.resolver.resolve(host, settings_.ip);
    if (!resolved)
        co_return unresolved(host, settings_.ip, resolved.error());
    addresses_[host] = resolved->address;
    if (resolved->source != net::Resolution::Source::literal)
        stamps.lookup_end = Clock::now();
    looking_.reset();
    co_return Verdict::pass();
}

/// No response at all: the lines and series that are left.
Verdict Chase::no_response(const Hop& hop, Verdict verdict)
{
    observed_ = true;
    if (verdict.code == "tls" && !hop.peer().cause.empty())  // refused, but seen (DEV-11)
        observe_peer(
            run_, hop.peer(), net::tls_version_name(hop.peer().version), hop.tls_cipher(), false);
    CheckLog::Fields fields = err(verdict.message);
    if (verdict.code == "http_request")
        verdict.attributes.emplace_back("url", hop.request().url.text());
    verdict = fail(run_, "Error for HTTP request", std::move(fields), std::move(verdict));
    log_timings();
    return verdict;
}

/// @return whether another hop follows; Error when Location cannot be used. It counts as a redirect
/// when it can be read at all (spec 02 §2.7).
Result<bool> Chase::redirect(const Hop& hop)
{
    if (!is_redirect(hop.head()))
        return false;
    const bool last = is_last(hop.head());
    const std::string location = hop.head().first("location");
    auto next = resolve(chain_.url(), location);
    if (!next && next.error().cause != "elsewhere")
        return next.error();
    run_.observed.set(metrics::redirects, ++redirects_);
    CheckLog::Fields fields;
    fields.emplace_back("location", location);
    run_.log.warn("Received redirect", std::move(fields));
    if (last) {
        run_.log.warn("Not following redirect");
        return false;
    }
    if (!next)
        return next.error();
    chain_.follow(hop.head(), std::move(*next), has_scheme(location));
    return true;
}

void Chase::note(std::optional<Finding> finding)
{
    if (!finding)
        return;
    Verdict said =
        fail(run_, finding->line, std::move(finding->fields), std::move(finding->verdict));
    if (finding->of_pattern)
        run_.observed.set(metrics::failed_due_to_regex, 1);
    if (run_.finding.passed())
        run_.finding = std::move(said);
}

// The rules in their order (spec 02 §2.10).

void Chase::judge_head(const Hop& hop)
{
    CheckLog::Fields received;
    received.emplace_back("status_code", hop.head().status());
    run_.log.debug("Received HTTP response", std::move(received));
    note(judge_status(settings_, hop.head().status()));
    if (run_.finding.passed())
        note(judge_headers(settings_, hop.head()));
}

asio::awaitable<void> Chase::look_for_patterns()
{
    searching_ = true;
    auto found = co_await search(run_, settings_, body_.take_text());
    searching_ = false;
    note(std::move(found));
}

/// The deadline came between head and verdict.
Verdict Chase::out_of_time()
{
    if (searching_)  // the target is not to blame: all of its answer was there
        return Verdict::fail("timeout",
            fmt::format("deadline reached while this probe searched {} bytes of body: the patterns "
                        "are too costly, or it needs more of a core",
                body_.length()),
            "local_exhausted")
            .with("phase", run_.phase);
    const auto counted = run_.late;
    run_.late += std::max<Clock::duration>(Clock::now() - run_.deadline, Clock::duration::zero());
    Verdict verdict = timed_out(run_);
    run_.late = counted;  // run_once() counts it, too
    return verdict;
}

asio::awaitable<Verdict> Chase::judge(const Hop& hop)
{
    if (!hop.body_failure().passed()) {
        Verdict broken = hop.body_failure();
        note(unread(std::move(broken).with("bytes", body_.received())));
    } else {
        if (run_.finding.passed() && body_.problem() == BodyProblem::none && settings_.wants_body())
            co_await look_for_patterns();
        note(judge_decoding(settings_, body_, run_.options.http_body_bytes));
    }
    observe_response(hop);
    judge_rest(hop);
    co_return run_.finding;
}

void Chase::judge_rest(const Hop& hop)
{
    note(judge_version(settings_, hop.head().version_text()));
    log_timings();
    note(judge_ssl(settings_, hop.request().url.https, run_.finding.passed()));
}

/// What is left to say of a run that ends in the middle of a hop.
void Chase::deadline_came(Hop& hop)
{
    if (!goes_on_) {
        run_.finding = lost(hop);
        return;
    }
    if (!hop.is_final())
        return log_timings();
    if (!hop.stamps.end)
        hop.stamps.end = Clock::now();
    observe_response(hop);
    note(unread(out_of_time()));
    judge_rest(hop);
}

void Chase::observe_response(const Hop& hop)
{
    observed_ = true;
    const ResponseHead& head = hop.head();
    const bool https = hop.request().url.https;
    run_.observed.set(metrics::status_code, head.status());
    run_.observed.set(metrics::http_version, head.version());
    run_.observed.set(metrics::ssl, https ? 1 : 0);
    run_.observed.set(metrics::content_length,
        static_cast<double>(head.content_length(hop.head_request(), body_.received())));
    if (const auto modified = parse_http_date(head.first("last-modified")))
        run_.observed.set(metrics::last_modified, static_cast<double>(*modified));
    if (https)
        observe_peer(run_, hop.peer(), hop.tls_version(), hop.tls_cipher(), true);
}

void Chase::observe_phases()
{
    // Behind a proxy the target is looked up by others, but for what later hops say.
    const bool looked_up = first_lookup_ >= 0 || hops_.size() > 1;
    if (!looked_up && !sending_)
        return;
    Contribution sum;
    sum.resolve = std::max(first_lookup_, 0.0);
    const auto now = Clock::now();
    if (looking_)
        sum.resolve += std::chrono::duration<double>(now - *looking_).count();
    for (const Hop& hop : hops_) {
        const bool last = &hop == &hops_.back() && (hop.is_final() || !hop.head().complete());
        const Contribution part = contribution(hop.stamps, last, now);
        sum.resolve += part.resolve;
        sum.connect += part.connect;
        sum.tls += part.tls;
        sum.processing += part.processing;
        sum.transfer += part.transfer;
    }
    if (looked_up) {
        run_.observed.set(metrics::duration_seconds, sum.resolve, {"resolve"});
        run_.took("resolve", sum.resolve);
    }
    if (!sending_)
        return;
    run_.observed.set(metrics::uncompressed_body_length, static_cast<double>(body_.length()));
    using Part = std::pair<std::string_view, double>;
    for (const auto& [phase, seconds] : {Part{"connect", sum.connect}, Part{"tls", sum.tls},
             Part{"processing", sum.processing}, Part{"transfer", sum.transfer}}) {
        run_.observed.set(metrics::duration_seconds, seconds, {std::string{phase}});
        if (seconds > 0)
            run_.took(phase, seconds);
    }
}

void Chase::log_timings()
{
    std::size_t roundtrip = 0;
    for (const Hop& hop : hops_)
        run_.log.debug("Response timings for roundtrip", timing_fields(roundtrip++, hop.stamps));
}

}  // namespace sonde::checkers::http
