#include "tests/support/fake_dns.h"

#include <boost/asio/ip/address.hpp>

namespace sonde::tests {
namespace {

constexpr unsigned is_answer = 0x8180;  // QR, RD, RA
constexpr unsigned is_truncated = 0x0200;
constexpr unsigned type_cname = 5;
constexpr std::uint32_t seconds_to_live = 60;

std::string address_bytes(const std::string& text)
{
    const auto bytes_of = [](const auto& octets) {
        return std::string{reinterpret_cast<const char*>(octets.data()), octets.size()};
    };
    const auto address = asio::ip::make_address(text);
    return address.is_v4() ? bytes_of(address.to_v4().to_bytes())
                           : bytes_of(address.to_v6().to_bytes());
}

DnsMessage message_of(const DnsQuestion& question, const FakeDns::Answer& said, bool tcp)
{
    DnsMessage message{.rcode = said.code, .flags = is_answer};
    if (said.truncated && !tcp) {
        message.flags |= is_truncated;
        return message;
    }
    std::string owner = question.name;
    if (!said.alias.empty()) {
        message.answer.push_back({owner, type_cname, seconds_to_live, dns_name(said.alias)});
        owner = said.alias;
    }
    for (const std::string& address : said.addresses)
        message.answer.push_back({owner, question.type, seconds_to_live, address_bytes(address)});
    return message;
}

}  // namespace

FakeDns::FakeDns(asio::io_context& loop)
    : server_{loop, ScriptedDns::AnswerBy{
                        [this](std::string_view query, bool tcp) { return answer(query, tcp); }}}
{}

void FakeDns::set(const std::string& name, Type type, Answer answer)
{
    answers_[{name, type}] = std::move(answer);
}

std::vector<std::string> FakeDns::answer(std::string_view query, bool tcp)
{
    const DnsQuestion question = dns_question(query);
    const auto type = static_cast<Type>(question.type);
    asked_.push_back((type == Type::a ? "A " : "AAAA ") + question.name + (tcp ? " (tcp)" : ""));
    if (on_query)
        on_query();

    const auto told = answers_.find({question.name, type});
    const bool exists = answers_.contains({question.name, Type::a}) ||
                        answers_.contains({question.name, Type::aaaa});
    Answer said;
    if (told != answers_.end())
        said = told->second;
    else if (!exists)
        said.code = no_such_name;
    if (said.silent)
        return {};
    if (said.garbage)
        return {"no DNS message"};
    return {dns_response(query.substr(0, question.ends), message_of(question, said, tcp))};
}

}  // namespace sonde::tests
