#pragma once

#include "tests/support/scripted_dns.h"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sonde::tests {

namespace asio = boost::asio;

/// A name server on 127.0.0.1, UDP and TCP on one port, that says what a test tells it to.
///
/// A name that is not in its table does not exist (NXDOMAIN); one that is has no data of the types
/// not told of. It answers A and AAAA only.
class FakeDns {
public:
    enum class Type : std::uint16_t { a = 1, aaaa = 28 };
    enum Code : std::uint8_t { no_error = 0, server_failure = 2, no_such_name = 3, refused = 5 };

    struct Answer {
        std::vector<std::string> addresses = {};  ///< of the family asked for
        Code code = no_error;
        std::string alias = {};  ///< the name is a CNAME of this one, which has the addresses
        bool truncated = false;  ///< by UDP only the flag TC comes; the addresses want TCP
        bool silent = false;     ///< no answer at all
        bool garbage = false;    ///< an answer that is no DNS message
    };

    explicit FakeDns(asio::io_context& loop);

    /// Tells it about a name, lower case, without a dot at its end.
    void set(const std::string& name, Type type, Answer answer);

    std::uint16_t port() const { return server_.port(); }
    /// "A www.sonde.test", in the order in which they came; " (tcp)" follows what came by TCP.
    const std::vector<std::string>& asked() const { return asked_; }
    /// Called on the loop for every query, before it is answered.
    std::function<void()> on_query;

private:
    std::vector<std::string> answer(std::string_view query, bool tcp);

    std::map<std::pair<std::string, Type>, Answer> answers_;
    std::vector<std::string> asked_;
    ScriptedDns server_;
};

}  // namespace sonde::tests
