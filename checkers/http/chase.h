#pragma once

#include "checkers/http/body.h"
#include "checkers/http/hop.h"
#include "checkers/http/http.h"
#include "checkers/http/judge.h"
#include "checkers/http/phases.h"
#include "checkers/http/redirect.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace sonde::checkers::http {

/// One run: a chain of hops up to the final response. What it has measured goes into the run's
/// series when it ends, however it ends.
class Chase {
public:
    Chase(Run& run, const Settings& settings);
    ~Chase();
    Chase(const Chase&) = delete;
    Chase& operator=(const Chase&) = delete;

    asio::awaitable<Verdict> run();

private:
    asio::awaitable<Verdict> find_address(Stamps& stamps);
    asio::awaitable<Verdict> find_next_address(Stamps& stamps);
    asio::awaitable<Verdict> find_proxy();
    void log_request() const;
    asio::awaitable<Verdict> follow_hops(std::shared_ptr<const net::TlsContext> tls, Stamps first);
    HopRequest next_request() const;
    bool is_last(const ResponseHead& head) const;
    Verdict no_response(const Hop& hop, Verdict verdict);
    Result<bool> redirect(const Hop& hop);
    Verdict lost(const Hop& hop);
    bool head_came(const Hop& hop);
    std::optional<Verdict> forbidden(const Hop& hop) const;
    asio::awaitable<Verdict> judge(const Hop& hop);
    void judge_head(const Hop& hop);
    asio::awaitable<void> look_for_patterns();
    void judge_rest(const Hop& hop);
    Verdict out_of_time();
    void deadline_came(Hop& hop);
    void note(std::optional<Finding> finding);
    void observe_response(const Hop& hop);
    void observe_phases();
    void log_timings();

    Run& run_;
    const Settings& settings_;
    Chain chain_;
    Body body_;
    std::map<std::string, asio::ip::address> addresses_;  // one for each host of the run
    asio::ip::address proxy_address_;
    std::list<Hop> hops_;
    double first_lookup_ = -1;  // seconds; negative: not attempted
    bool sending_ = false;      // the first hop is about to be sent
    Moment looking_;            // since when a later hop is being looked up
    bool observed_ = false;     // the final response is in the series, or there is none
    bool searching_ = false;    // the body has come; patterns are looked for in it
    int redirects_ = 0;
    Result<bool> goes_on_ = false;  // another hop follows the last one; why it cannot
    Easy easy_{curl_easy_init()};
};

}  // namespace sonde::checkers::http
