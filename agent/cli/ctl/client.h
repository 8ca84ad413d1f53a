#pragma once

#include "agent/cli/ctl/connection.h"
#include "agent/net/curl_multi.h"
#include "agent/net/http_client.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace sonde::cli::ctl {

/// What a call of the API came to.
struct Reply {
    int status = 0;  ///< 0: there was no answer
    std::string body;
    std::string problem;        ///< for people; empty: done. Never with the token
    bool perhaps_done = false;  ///< there is no saying whether it was carried out
    bool ok() const { return problem.empty(); }
    /// The next call will hardly fare better: nobody answers, or the token is refused.
    bool hopeless() const;
};

/// Calls of the API, one at a time, over a connection that is kept. Redirects are not followed:
/// the token is for this server alone.
class Client {
public:
    explicit Client(Connection connection) : connection_{std::move(connection)} {}

    /// @param resource below "/api/v1/": "check/list". @param body JSON; empty: none.
    Reply call(std::string_view method, std::string_view resource, std::string body = {});

    /// Any other request, such as to a log store. Of its body come the first 64 MiB.
    net::HttpAnswer send(net::HttpCall call);

    void wait(std::chrono::milliseconds time);

private:
    Connection connection_;
    boost::asio::io_context loop_{1};
    net::CurlMulti curl_{loop_.get_executor()};
    net::HttpClient http_{curl_, {connection_.ca_file, {}, true}};
};

}  // namespace sonde::cli::ctl
