#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::tests {

namespace asio = boost::asio;

/// A name on the wire, not compressed; "" is the root.
std::string dns_name(std::string_view name);
/// Big-endian.
std::string dns_u16(unsigned value);
std::string dns_u32(std::uint32_t value);
/// A character string with its length byte.
std::string dns_string(std::string_view text);

struct DnsRecord {
    std::string owner = "www.example.org";
    unsigned type = 1;
    std::uint32_t ttl = 300;
    std::string data = std::string{"\xc0\x00\x02\x07", 4};  // 192.0.2.7
    unsigned record_class = 1;

    std::string wire() const;
};

/// What a response says besides repeating id and question.
struct DnsMessage {
    unsigned rcode = 0;
    std::vector<DnsRecord> answer = {};
    std::vector<DnsRecord> authority = {};
    std::vector<DnsRecord> additional = {};
    unsigned flags = 0x8180;  ///< without the response code
};
std::string dns_response(std::string_view query, const DnsMessage& says);

/// The question of a query, its name as text.
struct DnsQuestion {
    std::string name;  ///< lower case, without a dot at its end
    unsigned type = 0;
    std::size_t ends = 0;  ///< where in the query
};
DnsQuestion dns_question(std::string_view query);

/// A name server, UDP and TCP on one port, that answers with the messages a test makes of a query.
class ScriptedDns {
public:
    using Answer = std::function<std::vector<std::string>(std::string_view query)>;
    using AnswerBy = std::function<std::vector<std::string>(std::string_view query, bool tcp)>;

    ScriptedDns(asio::io_context& loop, Answer answer,
        asio::ip::address address = asio::ip::address_v4::loopback(), std::uint16_t port = 0);
    ScriptedDns(asio::io_context& loop, AnswerBy answer,
        asio::ip::address address = asio::ip::address_v4::loopback(), std::uint16_t port = 0);

    std::uint16_t port() const { return tcp_.local_endpoint().port(); }
    const std::vector<std::string>& received() const { return received_; }  ///< queries, in order

private:
    asio::awaitable<void> serve_datagrams();
    asio::awaitable<void> accept();
    asio::awaitable<void> serve_stream(asio::ip::tcp::socket socket);

    asio::ip::tcp::acceptor tcp_;
    asio::ip::udp::socket udp_;
    AnswerBy answer_;
    std::vector<std::string> received_;
};

}  // namespace sonde::tests
