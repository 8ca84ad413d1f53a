#include "checkers/http/secrets.h"

#include <algorithm>
#include <array>

namespace sonde::checkers::http {
namespace {

constexpr std::string_view opening = "${secrets.";

bool is_name(std::string_view text)
{
    const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    return !text.empty() && text.size() <= 253 && plain(text.front()) && plain(text.back()) &&
           std::all_of(
               text.begin(), text.end(), [&](char c) { return plain(c) || c == '.' || c == '-'; });
}

}  // namespace

asio::awaitable<boost::system::result<std::string, SecretFailure>> with_secrets(
    SecretSource* source, std::string text)
{
    std::string out;
    std::size_t from = 0;
    for (;;) {
        const auto at = text.find(opening, from);
        const auto end = at == std::string::npos ? at : text.find('}', at);
        out.append(text, from, end == std::string::npos ? end : at - from);
        if (end == std::string::npos)
            co_return out;
        std::string name = text.substr(at + opening.size(), end - at - opening.size());
        if (!is_name(name))
            co_return SecretFailure{
                name, {"secret", fmt::format("\"{}\" is no name of a secret", name), "bad_name"}};
        if (!source)
            co_return SecretFailure{name,
                {"secret",
                    fmt::format(
                        "secret {}: this probe knows no store of secrets for the tenant", name),
                    "local_secret_store"}};
        const auto value = co_await source->secret(name);
        if (!value)
            co_return SecretFailure{std::move(name), value.error()};
        out += *value;
        from = end + 1;
    }
}

asio::awaitable<Verdict> fill_in_secrets(Run& run, Settings& settings)
{
    const std::array<std::string*, 5> may_refer{&settings.bearer_token, &settings.basic_password,
        &settings.tls.ca, &settings.tls.certificate, &settings.tls.key};
    for (std::string* text : may_refer) {
        auto filled = co_await with_secrets(run.subject.secrets, *text);
        if (!filled) {
            const SecretFailure& why = filled.error();
            co_return Verdict::fail("secret", why.message, why.cause).with("name", why.name);
        }
        *text = std::move(*filled);
    }
    co_return Verdict::pass();
}

}  // namespace sonde::checkers::http
