#include "agent/cli/ctl/client.h"

#include "agent/base/text.h"
#include "agent/base/version.h"
#include "agent/cli/ctl/fields.h"
#include "agent/cli/ctl/table.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <curl/curl.h>
#include <nlohmann/json.hpp>

#include <exception>
#include <memory>

namespace sonde::cli::ctl {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr auto patience = 30s;
constexpr std::size_t most_of_body = 64 << 20;
constexpr std::size_t longest_saying = 500;

struct Free {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, Free>;
using List = std::unique_ptr<curl_slist, Free>;

std::size_t take_body(const char* data, std::size_t, std::size_t size, void* into)
{
    auto& body = *static_cast<std::string*>(into);
    if (body.size() + size > most_of_body)
        return 0;  // which ends the transfer
    body.append(data, size);
    return size;
}

List list_of(const std::vector<std::string>& lines)
{
    List list;
    for (const std::string& line : lines) {
        curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
        static_cast<void>(list.release());
        list.reset(longer);
    }
    return list;
}

void prepare(CURL* easy, const net::HttpCall& call, const std::string& ca_file)
{
    curl_easy_setopt(easy, CURLOPT_URL, call.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, version::user_agent().c_str());
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call.method.c_str());
    if (!call.body.empty() || call.method == "POST") {
        curl_easy_setopt(
            easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call.body.data());
    }
    if (!call.username.empty()) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, call.username.c_str());
        curl_easy_setopt(easy, CURLOPT_PASSWORD, call.password.c_str());
    }
    if (!ca_file.empty()) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file.c_str());
        curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);  // else the system's would count too
    }
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
}

std::string member(const Json& object, const char* name)
{
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// Why a call was not carried out, from whatever answered.
std::string refusal(const net::HttpAnswer& answer)
{
    const std::string said = said_by(answer.body);
    if (answer.status == 401)
        return fmt::format("401 the API refuses the token{}", said.empty() ? "" : ": " + said);
    if (!said.empty())
        return fmt::format("{} {}", answer.status, said);
    if (answer.status / 100 == 3)
        return fmt::format(
            "{} a redirect, which is not followed: give the address that it leads to",
            answer.status);
    return fmt::format(
        "{} and no word of the API: is this its HTTP address? gRPC has another", answer.status);
}

}  // namespace

bool Reply::hopeless() const
{
    return !ok() && (status == 0 || status == 401 || status == 403 || status >= 500);
}

std::string said_by(std::string_view body)
{
    const Json error = Json::parse(body, nullptr, false);
    const std::string msg = member(error, "msg");
    const std::string err = member(error, "err");
    if (msg.empty() || err.empty() || msg == err)
        return printable(text::shorten(msg.empty() ? err : msg, longest_saying));
    return printable(text::shorten(msg + ": " + err, longest_saying));
}

Reply Client::call(std::string_view method, std::string_view resource, std::string body)
{
    net::HttpCall call;
    call.method = method;
    call.url = fmt::format("{}/api/v1/{}", connection_.url, resource);
    call.headers = {"Authorization: Bearer " + connection_.token.reveal(),
        "Accept: application/json", "Expect:", "X-Client-ID: sonde-ctl",
        fmt::format("X-Client-Version: {}", version::number)};
    if (!body.empty())
        call.headers.emplace_back("Content-Type: application/json; charset=utf-8");
    call.body = std::move(body);
    call.timeout = patience;
    auto answer = send(call);
    Reply reply;
    reply.status = answer.status;
    if (answer.status == 0) {
        reply.problem = fmt::format("{}: {}", hide_user(connection_.url), answer.error);
        reply.perhaps_done = answer.sent && method != "GET";
    } else if (answer.status != 200 && answer.status != 202) {
        reply.problem = fmt::format("{} {}: {}", method, resource, refusal(answer));
        reply.perhaps_done = answer.status >= 500 && method != "GET";
    } else if (!Json::accept(answer.body)) {
        reply.problem = fmt::format("{} {}: the answer is no JSON: is {} the API's HTTP address?",
            method, resource, hide_user(connection_.url));
        reply.perhaps_done = method != "GET";
    }
    reply.body = std::move(answer.body);
    return reply;
}

net::HttpAnswer Client::send(const net::HttpCall& call)
{
    net::HttpAnswer answer;
    const Easy easy{curl_easy_init()};
    const List headers = list_of(call.headers);
    prepare(easy.get(), call, connection_.ca_file);
    char detail[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer.body);
    CURLcode code = CURLE_OK;
    std::exception_ptr failure;
    loop_.restart();
    asio::co_spawn(
        loop_, curl_.perform(easy.get()), [&](const std::exception_ptr& failed, CURLcode came) {
            failure = failed;
            code = came;
            loop_.stop();  // the connection that is kept would keep it waiting
        });
    loop_.run();
    if (failure)
        std::rethrow_exception(failure);
    long number = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_REQUEST_SIZE, &number);
    answer.sent = number > 0;
    if (code == CURLE_OK) {
        curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &number);
        answer.status = static_cast<int>(number);
    } else {
        answer.body.clear();
        answer.error = printable(*detail != '\0' ? detail : curl_easy_strerror(code));
    }
    return answer;
}

void Client::wait(std::chrono::milliseconds time)
{
    asio::steady_timer timer{loop_, time};
    timer.async_wait([this](const boost::system::error_code&) { loop_.stop(); });
    loop_.restart();
    loop_.run();
}

}  // namespace sonde::cli::ctl
