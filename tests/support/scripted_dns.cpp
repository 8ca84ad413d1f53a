#include "tests/support/scripted_dns.h"

#include "agent/base/text.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <stdexcept>

namespace sonde::tests {

using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

namespace {

/// Binds both to one port; what the kernel picks for TCP may be taken for UDP.
void bind_both(udp::socket& datagrams, tcp::acceptor& streams, const asio::ip::address& address,
    std::uint16_t port)
{
    for (int attempt = 0; attempt < 20; ++attempt) {
        streams = tcp::acceptor{streams.get_executor(), {address, port}};
        const udp::endpoint same{address, streams.local_endpoint().port()};
        datagrams = udp::socket{datagrams.get_executor(), same.protocol()};
        error_code taken;
        datagrams.bind(same, taken);
        if (!taken)
            return;
    }
    throw std::runtime_error{"no port is free for UDP and TCP"};
}

}  // namespace

std::string dns_u16(unsigned value)
{
    return {static_cast<char>(value >> 8U & 0xffU), static_cast<char>(value & 0xffU)};
}

std::string dns_u32(std::uint32_t value)
{
    return dns_u16(value >> 16U) + dns_u16(value & 0xffffU);
}

std::string dns_string(std::string_view text)
{
    return static_cast<char>(text.size()) + std::string{text};
}

std::string dns_name(std::string_view name)
{
    std::string wire;
    while (!name.empty()) {
        const auto dot = std::min(name.find('.'), name.size());
        wire += dns_string(name.substr(0, dot));
        name.remove_prefix(std::min(dot + 1, name.size()));
    }
    return wire + '\0';
}

std::string DnsRecord::wire() const
{
    return dns_name(owner) + dns_u16(type) + dns_u16(record_class) + dns_u32(ttl) +
           dns_u16(static_cast<unsigned>(data.size())) + data;
}

std::string dns_response(std::string_view query, const DnsMessage& says)
{
    const auto count = [](const std::vector<DnsRecord>& records) {
        return dns_u16(static_cast<unsigned>(records.size()));
    };
    std::string out{query.substr(0, 2)};
    out += dns_u16(says.flags | says.rcode) + dns_u16(1);
    out += count(says.answer) + count(says.authority) + count(says.additional);
    out += query.substr(12);
    for (const auto* section : {&says.answer, &says.authority, &says.additional})
        for (const DnsRecord& record : *section)
            out += record.wire();
    return out;
}

DnsQuestion dns_question(std::string_view query)
{
    const auto octet = [query](std::size_t at) { return static_cast<unsigned char>(query.at(at)); };
    DnsQuestion out;
    std::size_t at = 12;
    while (const std::size_t size = octet(at++)) {
        out.name += (out.name.empty() ? "" : ".") + text::lower(query.substr(at, size));
        at += size;
    }
    out.type = octet(at) * 256U + octet(at + 1);
    out.ends = at + 4;
    return out;
}

ScriptedDns::ScriptedDns(
    asio::io_context& loop, Answer answer, asio::ip::address address, std::uint16_t port)
    : ScriptedDns{loop, AnswerBy{[says = std::move(answer)](std::string_view query, bool) {
                      return says(query);
                  }},
          std::move(address), port}
{}

ScriptedDns::ScriptedDns(
    asio::io_context& loop, AnswerBy answer, asio::ip::address address, std::uint16_t port)
    : tcp_{loop}, udp_{loop}, answer_{std::move(answer)}
{
    bind_both(udp_, tcp_, address, port);
    asio::co_spawn(loop, serve_datagrams(), asio::detached);
    asio::co_spawn(loop, accept(), asio::detached);
}

asio::awaitable<void> ScriptedDns::serve_datagrams()
{
    std::string bytes(65535, '\0');
    for (;;) {
        udp::endpoint from;
        error_code failed;
        const auto buffer = asio::buffer(bytes);
        const std::size_t size = co_await udp_.async_receive_from(
            buffer, from, asio::redirect_error(asio::use_awaitable, failed));
        if (failed)
            co_return;
        received_.push_back(bytes.substr(0, size));
        const auto answers = answer_(received_.back(), false);
        for (const std::string& datagram : answers)
            co_await udp_.async_send_to(
                asio::buffer(datagram), from, asio::redirect_error(asio::use_awaitable, failed));
    }
}

asio::awaitable<void> ScriptedDns::accept()
{
    for (;;) {
        tcp::socket socket{tcp_.get_executor()};
        error_code failed;
        co_await tcp_.async_accept(socket, asio::redirect_error(asio::use_awaitable, failed));
        if (failed)
            co_return;
        asio::co_spawn(tcp_.get_executor(), serve_stream(std::move(socket)), asio::detached);
    }
}

asio::awaitable<void> ScriptedDns::serve_stream(tcp::socket socket)
{
    for (;;) {
        unsigned char prefix[2] = {0, 0};
        error_code ended;
        co_await asio::async_read(
            socket, asio::buffer(prefix), asio::redirect_error(asio::use_awaitable, ended));
        std::string query(static_cast<std::size_t>(prefix[0] << 8U | prefix[1]), '\0');
        co_await asio::async_read(
            socket, asio::buffer(query), asio::redirect_error(asio::use_awaitable, ended));
        if (ended || query.empty())
            co_return;
        received_.push_back(query);
        const auto answers = answer_(query, true);
        for (const std::string& message : answers) {
            const std::string framed = dns_u16(static_cast<unsigned>(message.size())) + message;
            co_await asio::async_write(
                socket, asio::buffer(framed), asio::redirect_error(asio::use_awaitable, ended));
        }
    }
}

}  // namespace sonde::tests
