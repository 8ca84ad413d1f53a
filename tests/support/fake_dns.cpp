#include "tests/support/fake_dns.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace sonde::tests {

using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

namespace {

constexpr std::size_t header_size = 12;
constexpr std::uint16_t is_answer = 0x8180;  // QR, RD, RA
constexpr std::uint16_t is_truncated = 0x0200;
constexpr std::uint16_t type_cname = 5;
constexpr std::uint16_t class_in = 1;
constexpr std::uint16_t name_of_question = 0xc000 | header_size;

void append16(std::string& out, std::size_t value)
{
    out += static_cast<char>(value >> 8 & 0xff);
    out += static_cast<char>(value & 0xff);
}

std::uint16_t read16(std::string_view bytes, std::size_t at)
{
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes.at(at)) << 8 |
                                      static_cast<unsigned char>(bytes.at(at + 1)));
}

/// RFC 1035 §3.1: labels with their lengths, then zero.
std::string encode_name(std::string_view name)
{
    std::string out;
    while (!name.empty()) {
        const std::string_view label = name.substr(0, name.find('.'));
        out += static_cast<char>(label.size());
        out += label;
        name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    out += '\0';
    return out;
}

/// The name at `at`, lower case; `at` then stands behind it. Questions have no pointers.
std::string decode_name(std::string_view message, std::size_t& at)
{
    std::string name;
    while (const auto size = static_cast<unsigned char>(message.at(at++))) {
        name += (name.empty() ? "" : ".") + std::string{message.substr(at, size)};
        at += size;
    }
    for (char& c : name)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return name;
}

std::string record(std::string_view owner, std::uint16_t type, std::string_view data)
{
    std::string out{owner};
    append16(out, type);
    append16(out, class_in);
    append16(out, 0);
    append16(out, 60);  // seconds to live
    append16(out, data.size());
    out += data;
    return out;
}

std::string address_bytes(const std::string& text)
{
    const auto address = asio::ip::make_address(text);
    std::string out;
    if (address.is_v4())
        for (const auto byte : address.to_v4().to_bytes())
            out += static_cast<char>(byte);
    else
        for (const auto byte : address.to_v6().to_bytes())
            out += static_cast<char>(byte);
    return out;
}

/// The message for a question, its bytes repeated (RFC 1035 §4.1).
std::string write_reply(std::string_view id, std::string_view question, FakeDns::Type type,
    const FakeDns::Answer& said, bool tcp)
{
    const bool cut = said.truncated && !tcp;
    std::string owner;
    append16(owner, name_of_question);
    std::string records;
    std::size_t count = 0;
    if (!said.alias.empty() && !cut) {
        const std::string canonical = encode_name(said.alias);
        records += record(owner, type_cname, canonical);
        owner = canonical;
        ++count;
    }
    for (const std::string& address : said.addresses) {
        if (cut)
            break;
        records += record(owner, static_cast<std::uint16_t>(type), address_bytes(address));
        ++count;
    }
    std::string reply{id};
    append16(reply, is_answer | (cut ? is_truncated : 0) | said.code);
    append16(reply, 1);
    append16(reply, count);
    append16(reply, 0);
    append16(reply, 0);
    return reply.append(question).append(records);
}

/// Binds both to one port that the kernel picks; what it picks for UDP may be taken for TCP.
void bind_both(udp::socket& datagrams, tcp::acceptor& streams)
{
    for (int attempt = 0; attempt < 20; ++attempt) {
        datagrams = udp::socket{datagrams.get_executor(), {asio::ip::address_v4::loopback(), 0}};
        const tcp::endpoint same{
            asio::ip::address_v4::loopback(), datagrams.local_endpoint().port()};
        streams = tcp::acceptor{streams.get_executor(), tcp::v4()};
        error_code taken;
        streams.bind(same, taken);
        if (taken)
            continue;
        streams.listen();
        return;
    }
    throw std::runtime_error{"no port is free for UDP and TCP"};
}

}  // namespace

FakeDns::FakeDns(asio::io_context& loop) : tcp_{loop}, udp_{loop}
{
    bind_both(udp_, tcp_);
    asio::co_spawn(loop, serve_datagrams(), asio::detached);
    asio::co_spawn(loop, accept(), asio::detached);
}

void FakeDns::set(const std::string& name, Type type, Answer answer)
{
    answers_[{name, type}] = std::move(answer);
}

asio::awaitable<void> FakeDns::serve_datagrams()
{
    char bytes[512];  // RFC 1035 §2.3.4
    for (;;) {
        udp::endpoint from;
        error_code failed;
        const std::size_t size = co_await udp_.async_receive_from(
            asio::buffer(bytes), from, asio::redirect_error(asio::use_awaitable, failed));
        if (failed)
            co_return;
        const std::string reply = answer({bytes, size}, false);
        if (!reply.empty())
            co_await udp_.async_send_to(asio::buffer(reply), from, asio::use_awaitable);
    }
}

asio::awaitable<void> FakeDns::accept()
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

asio::awaitable<void> FakeDns::serve_stream(tcp::socket socket)
{
    error_code ended;
    for (;;) {
        std::string size(2, '\0');
        co_await asio::async_read(
            socket, asio::buffer(size), asio::redirect_error(asio::use_awaitable, ended));
        if (ended)
            co_return;
        std::string query(read16(size, 0), '\0');
        co_await asio::async_read(
            socket, asio::buffer(query), asio::redirect_error(asio::use_awaitable, ended));
        if (ended)
            co_return;
        const std::string reply = answer(query, true);
        std::string framed;
        append16(framed, reply.size());
        framed += reply;
        co_await asio::async_write(
            socket, asio::buffer(framed), asio::redirect_error(asio::use_awaitable, ended));
    }
}

std::string FakeDns::answer(std::string_view query, bool tcp)
{
    std::size_t at = header_size;
    const std::string name = decode_name(query, at);
    const auto type = static_cast<Type>(read16(query, at));
    const std::string question{query.substr(header_size, at + 4 - header_size)};
    asked_.push_back((type == Type::a ? "A " : "AAAA ") + name + (tcp ? " (tcp)" : ""));
    if (on_query)
        on_query();

    const auto told = answers_.find({name, type});
    const bool exists = answers_.contains({name, Type::a}) || answers_.contains({name, Type::aaaa});
    Answer said;
    if (told != answers_.end())
        said = told->second;
    else if (!exists)
        said.code = no_such_name;
    if (said.silent)
        return {};
    if (said.garbage)
        return "no DNS message";
    return write_reply(query.substr(0, 2), question, type, said, tcp);
}

}  // namespace sonde::tests
